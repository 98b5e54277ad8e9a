"""Kill -9 of the host at any moment under load: nothing is lost, little comes again, in order.

The built plugin runs in real processes. ``FALCOPY_KILLS`` says how many of them are killed for each
checkpoint store; ``make soak`` takes 200.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from falcopy_sdk.testing.eventhubs import Emulator

from .hostprocess import Hosts
from .killing import BOUND, MOMENTS, PARTITIONS, Lane, blob_store, file_store
from .tripwire import Tripwire

if TYPE_CHECKING:
    from pathlib import Path

    from .killing import Store

KILLS = int(os.environ.get("FALCOPY_KILLS", "28"))
#: Hubs whose hosts are killed side by side: most of a host's life here is waiting.
LANES = 8 if KILLS > 100 else 4


@pytest.mark.slow
@pytest.mark.timeout(300 + 4 * KILLS)
@pytest.mark.parametrize("kind", ["blob", "file"])
def test_a_host_killed_at_any_moment_loses_nothing_and_repeats_little(
    kind: str, request: pytest.FixtureRequest, k8saudit_aks_library: Path, tmp_path: Path
) -> None:
    container = request.getfixturevalue("container") if kind == "blob" else None
    seed = random.randrange(2**32)
    cache = tmp_path / "cache"
    cache.mkdir()

    async def store(number: int, stack: AsyncExitStack) -> Store:
        if container is None:
            return file_store(tmp_path / f"checkpoints{number}.sqlite")
        wire = await stack.enter_async_context(Tripwire(container.azurite.port).listening())
        connection = container.azurite.connection_string().replace(
            f":{container.azurite.port}/", f":{wire.port}/"
        )
        return blob_store(
            {
                "blob_storage_connection_string": connection,
                "blob_storage_container_name": container.name,
            },
            wire,
        )

    async def run_lane(lane: Lane, moments: list[str]) -> None:
        async with lane.load():
            for moment in moments:
                await lane.kill(moment)
            await lane.drain()

    async def run() -> list[Lane]:
        rng = random.Random(seed)
        moments = [moment for _ in range(KILLS) for moment in MOMENTS][:KILLS]
        rng.shuffle(moments)
        hubs = {f"audit{number}": len(PARTITIONS) for number in range(LANES)}
        async with AsyncExitStack() as stack:
            emulator = await stack.enter_async_context(Emulator(hubs))
            hosts = await stack.enter_async_context(Hosts.serving())
            lanes = [
                Lane(
                    emulator,
                    hosts,
                    hub,
                    k8saudit_aks_library,
                    tmp_path,
                    cache,
                    await store(number, stack),
                    random.Random(rng.random()),
                )
                for number, hub in enumerate(hubs)
            ]
            work = (run_lane(lane, moments[i::LANES]) for i, lane in enumerate(lanes))
            async with asyncio.TaskGroup() as group:
                for one in work:
                    group.create_task(one)
            for lane in lanes:
                judge(emulator, lane)
            assert emulator.witness.internal_errors == []
        return lanes

    def judge(emulator: Emulator, lane: Lane) -> None:
        for partition in PARTITIONS:
            published = lane.published(partition)
            assert published > 0
            assert lane.highest[partition] == published - 1
            # What the hosts noted is what the emulator gave away, no more.
            sent: Any = {number for _, number in emulator.witness.delivered(lane.hub, partition)}
            assert sent == set(range(published))

    began = time.monotonic()
    try:
        lanes = asyncio.run(run())
    except BaseException:
        print(f"seed {seed}")
        raise
    kills = sum((lane.kills for lane in lanes), Counter[str]())
    assert sum(kills.values()) == KILLS
    repeated = sorted(number for lane in lanes for number in lane.repeated)
    events = sum(lane.highest[partition] + 1 for lane in lanes for partition in PARTITIONS)
    print(
        f"\n{kind}: {KILLS} kills in {time.monotonic() - began:.0f} s ({dict(kills)}), "
        f"{events} events, 0 lost; came again at most {repeated[-1]} of {BOUND}, median "
        f"{repeated[len(repeated) // 2]}"
    )
