"""Several hosts share a hub, and a slow one leaves the events where they are."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from falcopy_sdk.testing.eventhubs import Emulator

from .hostprocess import Hosts, Order
from .killing import body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from .hostprocess import HostProcess

PARTITIONS = [str(number) for number in range(8)]
BALANCING, EXPIRATION = 1.0, 5.0


@pytest.fixture
def order(
    k8saudit_aks_library: Path, container: Any, tmp_path: Path
) -> Callable[[Emulator, str], Order]:
    """Orders to hosts that share a hub and a container of Azurite."""

    def make(emulator: Emulator, name: str) -> Order:
        config = {
            "event_hub_namespace_connection_string": emulator.connection_string(),
            "event_hub_name": "audit",
            "starting_position": "earliest",
            "checkpoint_interval": 0.5,
            "load_balancing_interval": BALANCING,
            "partition_ownership_expiration_interval": EXPIRATION,
            "blob_storage_connection_string": container.azurite.connection_string(),
            "blob_storage_container_name": container.name,
        }
        (tmp_path / "cache").mkdir(exist_ok=True)
        return Order(
            str(k8saudit_aks_library), config, str(tmp_path / name), str(tmp_path / "cache")
        )

    return make


class Shared:
    """A hub that several hosts read, with a load on every partition."""

    def __init__(self, emulator: Emulator, container: Any) -> None:
        self.emulator, self.container = emulator, container
        self.hosts: list[HostProcess] = []

    @asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        """Publish five events a partition, ten times a second."""

        async def feed() -> None:
            while True:
                for partition in PARTITIONS:
                    at = self.published(partition)
                    bodies = (body(f"{partition}:{at + more}") for more in range(5))
                    self.emulator.append("audit", *bodies, partition=partition)
                await asyncio.sleep(0.1)

        task = asyncio.create_task(feed())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    def published(self, partition: str) -> int:
        return self.emulator.partition("audit", partition).next_sequence_number

    def shares(self) -> list[int]:
        """How many partitions each owner has by the checkpoint store."""
        blobs = self.container.service.get_container_client(self.container.name).list_blobs(
            include=["metadata"]
        )
        owners = [blob.metadata["ownerid"] for blob in blobs if "/ownership/" in blob.name]
        return sorted(Counter(owners).values())

    def finished(self) -> list[dict[str, list[int]]]:
        """By host and partition, the numbers of what it has finished with."""
        found = []
        for host in self.hosts:
            numbers: dict[str, list[int]] = {}
            for event_id in host.finished:
                partition, _, number = event_id.partition(":")
                numbers.setdefault(partition, []).append(int(number))
            found.append(numbers)
        return found

    async def shared_out(self, within: float) -> float:
        """Wait until 8 partitions have one reader each, and three hosts a fair share of them.

        Returns:
            Seconds that it took.
        """
        began = time.monotonic()
        sizes: list[int] = []
        try:
            async with asyncio.timeout(within):
                while True:
                    await asyncio.sleep(0.25)
                    owners = self.emulator.witness.owners("audit")
                    if sorted(owners) != PARTITIONS or any(len(o) != 1 for o in owners.values()):
                        continue
                    sizes = await asyncio.to_thread(self.shares)
                    # The client's balancing is content with 8 // 3 for the least of three.
                    if len(sizes) == 3 and min(sizes) >= 2:
                        return time.monotonic() - began
        except TimeoutError:
            links = self.emulator.witness.owners("audit")
            logs = "\n\n".join(host.log for host in self.hosts)
            raise AssertionError(f"not shared out: {links}, {sizes}\n{logs}") from None

    async def caught_up(self, within: float) -> None:
        """Wait until some host has finished with the last event of every partition."""

        def done() -> bool:
            last = dict.fromkeys(PARTITIONS, -1)
            for numbers in self.finished():
                for partition, found in numbers.items():
                    last[partition] = max(last[partition], *found)
            return all(last[p] == self.published(p) - 1 for p in PARTITIONS)

        async with asyncio.timeout(within):
            while not await asyncio.to_thread(done):  # noqa: ASYNC110 - processes tell nobody
                await asyncio.sleep(0.2)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_three_hosts_share_eight_partitions_and_one_that_is_killed_is_replaced(
    order: Callable[[Emulator, str], Order], container: Any
) -> None:
    async def run() -> None:
        async with Emulator({"audit": len(PARTITIONS)}) as emulator, Hosts.serving() as hosts:
            shared = Shared(emulator, container)
            async with shared.load():
                for number in range(3):
                    shared.hosts.append(await hosts.start(order(emulator, f"host{number}")))
                first = await shared.shared_out(30)
                shared.hosts[1].kill()
                await shared.hosts[1].ended.wait()
                shared.hosts.append(await hosts.start(order(emulator, "host3")))
                # Not yet true just because the dead one's claims are still there.
                await emulator.wait_until(lambda: len(emulator.witness.owners("audit")) < 8, 5)
                again = await shared.shared_out(30)
                # Each reads on: events published from here on reach the present owners.
                owned = dict.fromkeys(PARTITIONS, 0)
                for partition in PARTITIONS:
                    owned[partition] = shared.published(partition)
                await asyncio.sleep(1.0)
            await shared.caught_up(20)
            finished = shared.finished()
            for partition in PARTITIONS:
                seen = [numbers[partition] for numbers in finished if partition in numbers]
                assert {number for one in seen for number in one} == set(
                    range(shared.published(partition))
                ), f"partition {partition}: events were lost"
                for numbers in seen:
                    assert in_order(numbers), f"partition {partition}: order"
                # After it was shared out again, one host alone has each partition.
                late = [one for one in seen if one[-1] >= owned[partition]]
                assert len(late) == 1, f"partition {partition} has {len(late)} readers"
            assert all(host.alive for n, host in enumerate(shared.hosts) if n != 1)
            assert emulator.witness.internal_errors == []
            print(f"\nshared out after {first:.1f} s, again after {again:.1f} s")

    asyncio.run(run())


def in_order(numbers: list[int]) -> bool:
    """Whether numbers grow, also where a partition went to another host and came back."""
    return all(before < after for before, after in itertools.pairwise(numbers))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_host_that_is_told_to_end_hands_its_partitions_over_at_once(
    order: Callable[[Emulator, str], Order], container: Any
) -> None:
    async def run() -> None:
        async with Emulator({"audit": len(PARTITIONS)}) as emulator, Hosts.serving() as hosts:
            shared = Shared(emulator, container)
            async with shared.load():
                shared.hosts.append(await hosts.start(order(emulator, "host0")))
                await emulator.wait_until(lambda: len(emulator.witness.owners("audit")) == 8, 20)
                shared.hosts[0].kill(15)
                await asyncio.wait_for(shared.hosts[0].ended.wait(), 20)
                assert shared.hosts[0].status == 0, shared.hosts[0].log
                shared.hosts.append(await hosts.start(order(emulator, "host1")))
                began = time.monotonic()
                await emulator.wait_until(lambda: len(emulator.witness.owners("audit")) == 8, 20)
                assert time.monotonic() - began < EXPIRATION
            await shared.caught_up(20)
            # Closing wrote the last positions: nothing comes twice.
            first, second = shared.finished()
            for partition in PARTITIONS:
                numbers = first.get(partition, []) + second.get(partition, [])
                assert numbers == list(range(shared.published(partition)))

    asyncio.run(run())
