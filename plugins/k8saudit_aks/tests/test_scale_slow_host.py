"""A slow host: Event Hubs keeps what does not fit, memory stays bounded, order is kept."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from k8saudit_aks import stream

from falcopy_sdk.testing.eventhubs import Emulator

from .hostprocess import Hosts, Order
from .killing import QUEUE, body

PADDING = 200_000
BODIES = 1000
PREFETCH = 20
#: Bytes that may be on their way, by the README: bodies in the intake, in the client's buffer and
#: in the batch that is being cut, events in the batches between the threads.
ON_THE_WAY = (
    stream._INTAKE_BYTES
    + 2 * PREFETCH * PADDING
    + 2 * stream._BATCH_BYTES
    + (QUEUE["QUEUE_BATCHES"] + 2) * (1 << 20)
)
#: What the kernel buffers of one connection on loopback, both ends.
SOCKETS = 16 << 20


def resident(pid: int) -> int:
    """Bytes of a process's memory."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no VmRSS")


@pytest.mark.timeout(300)
@pytest.mark.slow
def test_memory_stays_bounded_and_order_kept_while_the_host_is_slow(
    k8saudit_aks_library: Path, tmp_path: Path
) -> None:
    async def run() -> None:
        async with Emulator({"audit": 1}) as emulator, Hosts.serving() as hosts:
            for number in range(BODIES):
                emulator.append("audit", body(f"0:{number}", PADDING))
            config = {
                "event_hub_namespace_connection_string": emulator.connection_string(),
                "event_hub_name": "audit",
                "starting_position": "earliest",
                "checkpoint_store": "none",
                "prefetch": PREFETCH,
                "max_batch_size": PREFETCH,
            }
            (tmp_path / "cache").mkdir()
            files = (str(tmp_path / "notes"), str(tmp_path / "cache"))
            host = await hosts.start(Order(str(k8saudit_aks_library), config, *files, 0.05))
            async with asyncio.timeout(60):
                while not host.finished:  # noqa: ASYNC110 - a process tells nobody
                    await asyncio.sleep(0.05)
                at_first = resident(host.pid)
                most = 0
                while len(host.finished) < 80:
                    most = max(most, resident(host.pid))
                    await asyncio.sleep(0.05)
            finished = [int(event_id.partition(":")[2]) for event_id in host.finished]
            host.kill()
            await host.ended.wait()
            assert finished == list(range(len(finished)))
            sent = len(emulator.witness.delivered("audit", "0"))
            assert (sent - len(finished)) * PADDING < ON_THE_WAY + SOCKETS
            assert BODIES * PADDING > 3 * ON_THE_WAY
            # Half as much again for copies in the making, and what an allocator cannot use.
            assert most - at_first < 1.5 * ON_THE_WAY
            print(
                f"\n{BODIES * PADDING >> 20} MB published, {sent * PADDING >> 20} MB sent, memory "
                f"grew by {(most - at_first) / 2**20:.0f} of {ON_THE_WAY >> 20} MB"
            )

    asyncio.run(run())
