"""Kills hosts, one after the other, at chosen moments, and judges what they had finished with."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from k8saudit_aks import stream

from .hostprocess import Order

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Awaitable, Callable

    from falcopy_sdk.testing.eventhubs import Emulator

    from .hostprocess import HostProcess, Hosts
    from .tripwire import Tripwire

PARTITIONS = ("0", "1")
CHECKPOINT_EVENTS = 200
#: Events for each partition, every so many seconds, while there are not too many already.
FEED, FEED_EVERY, BACKLOG = 10, 0.05, 4000
#: Seconds for what a host should do, on a machine that has much else to do.
PATIENCE = 150.0

_QUEUE_H = Path(__file__).parents[3] / "loader_c/bridge/queue.h"
#: The sizes of the queue between the plugin's two threads.
QUEUE = {
    name: int(number)
    for name, number in re.findall(r"(\w+) = (\d+),", _QUEUE_H.read_text(encoding="utf-8"))
}

#: What a killed host may see again of a partition. The stream hands nothing on while twice
#: ``checkpoint_events`` are finished with and not saved; what was on its way at that moment may be
#: finished with as well: the batches in the queue, the one with the host, and the one that the
#: stream cuts from the bodies, which ends after the body (of one event here) that fills it.
BOUND = (
    2 * CHECKPOINT_EVENTS
    + (QUEUE["QUEUE_BATCHES"] + 1) * QUEUE["BATCH_EVENTS"]
    + stream._BATCH_EVENTS
)


def body(event_id: str, padding: int = 0) -> bytes:
    """An Event Hubs body with one audit event."""
    log = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": event_id,
        "stage": "ResponseComplete",
        "stageTimestamp": "2026-02-03T04:05:06.000001Z",
        "verb": "create",
        "user": {"username": "alice@contoso.example"},
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "web"},
        "annotations": {"padding": "x" * padding},
    }
    record = {"category": "kube-audit", "properties": {"log": json.dumps(log)}}
    return json.dumps({"records": [record]}).encode()


@dataclass
class Store:
    """A checkpoint store as a lane uses it."""

    config: dict[str, Any]
    #: Calls back in the middle of the n-th claim or checkpoint from now.
    at_claim: Callable[[Lane], Awaitable[None]]
    at_checkpoint: Callable[[Lane], Awaitable[None]]


@dataclass
class Lane:
    """One hub with its load, and its hosts one after the other."""

    emulator: Emulator
    hosts: Hosts
    hub: str
    library: Path
    folder: Path
    cache: Path
    store: Store
    rng: random.Random
    feeding: bool = True
    host: HostProcess = field(init=False)
    kills: Counter[str] = field(default_factory=Counter)
    #: By partition: up to where events were finished with, and the most that came again.
    highest: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTITIONS, -1))
    repeated: list[int] = field(default_factory=list)
    _lives: Any = field(default_factory=itertools.count)

    async def start(self) -> None:
        """Start the next host."""
        config = {
            "event_hub_namespace_connection_string": self.emulator.connection_string(),
            "event_hub_name": self.hub,
            "starting_position": "earliest",
            "checkpoint_interval": 0.2,
            "checkpoint_events": CHECKPOINT_EVENTS,
            "load_balancing_interval": 0.3,
            "partition_ownership_expiration_interval": 1.0,
            **self.store.config,
        }
        notes = self.folder / f"{self.hub}-{next(self._lives)}"
        self.host = await self.hosts.start(
            Order(str(self.library), config, str(notes), str(self.cache))
        )

    @asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        """Publish events all the time."""
        task = asyncio.create_task(self._feed())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _feed(self) -> None:
        while True:
            for partition in PARTITIONS:
                at = self.published(partition)
                if self.feeding and at - self.highest[partition] < BACKLOG:
                    bodies = (body(f"{partition}:{at + more}") for more in range(FEED))
                    self.emulator.append(self.hub, *bodies, partition=partition)
            await asyncio.sleep(FEED_EVERY)

    def published(self, partition: str) -> int:
        """How many events of a partition the emulator has."""
        return self.emulator.partition(self.hub, partition).next_sequence_number

    async def until(
        self, condition: Callable[[], bool], what: str, within: float = PATIENCE
    ) -> None:
        """Wait for something that the host does."""
        try:
            async with asyncio.timeout(within):
                while not condition():
                    assert self.host.alive, f"{what}: the host has died\n{self.host.log}"
                    await asyncio.sleep(0.005)
        except TimeoutError:
            published = {partition: self.published(partition) for partition in PARTITIONS}
            raise AssertionError(
                f"{self.hub}: no {what}; {published} published, up to {self.highest} finished with "
                f"before, now {self.host.finished[-3:]}, readers "
                f"{self.emulator.witness.owners(self.hub)}\n{self.host.log}"
            ) from None

    async def kill(self, moment: str) -> None:
        """Start a host, kill it at a moment, and judge what it leaves."""
        await self.start()
        await MOMENTS[moment](self)
        self.host.kill()
        await self.host.ended.wait()
        assert self.host.status == -9, self.host.log
        self.feeding = True
        self.kills[moment] += 1
        self.judge()

    async def drain(self) -> None:
        """Let a host go on until it has finished with all that was published, and kill it."""
        await self.start()
        await all_finished(self)
        self.host.kill()
        await self.host.ended.wait()
        self.judge()

    def judge(self) -> None:
        """Nothing lost, order kept, in one life nothing twice, and not too much in the next."""
        finished: dict[str, list[int]] = {partition: [] for partition in PARTITIONS}
        for event_id in self.host.finished:
            partition, _, number = event_id.partition(":")
            finished[partition].append(int(number))
        for partition, numbers in finished.items():
            if not numbers:
                continue
            where = f"{self.hub}, partition {partition}, {self.host.order.notes}"
            first = numbers[0]
            assert numbers == list(range(first, first + len(numbers))), f"{where}: order"
            assert first <= self.highest[partition] + 1, f"{where}: lost events before {first}"
            self.repeated.append(self.highest[partition] + 1 - first)
            assert self.repeated[-1] <= BOUND, f"{where}: {self.repeated[-1]} came again"
            self.highest[partition] = max(self.highest[partition], numbers[-1])

    def finished_all(self) -> bool:
        """Whether the hosts have finished with all that was published."""
        last = {}
        for event_id in self.host.finished:
            partition, _, number = event_id.partition(":")
            last[partition] = int(number)
        return all(
            max(last.get(partition, -1), self.highest[partition]) == self.published(partition) - 1
            for partition in PARTITIONS
        )


async def while_it_starts(lane: Lane) -> None:
    """Unpacking, the interpreter's start, imports, init."""
    await asyncio.sleep(lane.rng.uniform(0, 0.7))


async def right_after_open(lane: Lane) -> None:
    """The first requests."""
    await lane.until(lambda: lane.host.is_open, "open")
    await asyncio.sleep(lane.rng.uniform(0, 0.1))


async def while_it_claims(lane: Lane) -> None:
    """A claim is written, or about to be."""
    await lane.store.at_claim(lane)


async def between_delivery_and_checkpoint(lane: Lane) -> None:
    """The host has just finished with an event."""
    await lane.until(lambda: lane.host.is_open, "open")
    lines = lane.host.size + lane.rng.randrange(10_000)
    await lane.until(lambda: lane.host.size > lines, "events")


async def while_a_checkpoint_is_written(lane: Lane) -> None:
    """Before or after it took effect, and before the host knows."""
    await lane.store.at_checkpoint(lane)


async def at_idle(lane: Lane) -> None:
    """All is finished with; the checkpoint may be there or not."""
    await all_finished(lane)
    await asyncio.sleep(lane.rng.uniform(0, 0.5))


async def any_time(lane: Lane) -> None:
    """No matter what it does."""
    await asyncio.sleep(lane.rng.uniform(0, 4))


async def all_finished(lane: Lane) -> None:
    """Publish no more, and wait until the host has finished with all there is."""
    lane.feeding = False
    await lane.until(lambda: lane.host.is_open, "open")
    size = -1

    def done() -> bool:
        nonlocal size
        if lane.host.size == size:
            return False
        size = lane.host.size
        return lane.finished_all()

    if not lane.finished_all():
        await lane.until(done, "end of the backlog")


MOMENTS: dict[str, Callable[[Lane], Awaitable[None]]] = {
    moment.__name__: moment
    for moment in (
        while_it_starts,
        right_after_open,
        while_it_claims,
        between_delivery_and_checkpoint,
        while_a_checkpoint_is_written,
        at_idle,
        any_time,
    )
}


def file_store(path: Path) -> Store:
    """The SQLite file. A claim writes nothing there; a transaction makes its journal grow."""
    journal = path.with_name(path.name + "-journal")

    async def at_claim(lane: Lane) -> None:
        await lane.until(lambda: lane.host.is_open, "open")
        await asyncio.sleep(lane.rng.uniform(0.3, 1.2))

    async def at_checkpoint(lane: Lane) -> None:
        await lane.until(lambda: lane.host.size > len("opened\n"), "events")
        before = journal.stat().st_mtime_ns
        await lane.until(lambda: journal.stat().st_mtime_ns != before, "checkpoint")

    config = {"checkpoint_store": "file", "checkpoint_file": str(path)}
    return Store(config, at_claim, at_checkpoint)


def blob_store(config: dict[str, Any], wire: Tripwire) -> Store:
    """Azurite behind a proxy that kills in the middle of a request."""

    async def at(lane: Lane, what: str) -> None:
        left, when = lane.rng.randrange(4), lane.rng.choice(("before", "after"))
        done = asyncio.Event()

        async def watch(line: str) -> None:
            nonlocal left
            if line.startswith("PUT ") and what in line:
                left -= 1
                if left < 0:
                    lane.host.kill()
                    done.set()

        async def ignore(line: str) -> None:
            pass

        setattr(wire, when, watch)
        try:
            async with asyncio.timeout(PATIENCE):
                await done.wait()
        except TimeoutError:
            raise AssertionError(f"{lane.hub}: no {what}\n{lane.host.log}") from None
        finally:
            setattr(wire, when, ignore)

    async def at_claim(lane: Lane) -> None:
        await at(lane, "/ownership/")

    async def at_checkpoint(lane: Lane) -> None:
        await at(lane, "/checkpoint/")

    return Store(config, at_claim, at_checkpoint)
