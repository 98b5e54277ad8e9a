"""The live stream: from the client's callbacks to batches for the host, through every outage."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING, Any

from falcopy_sdk import Batch
from falcopy_sdk.exceptions import SourceFatal
from k8saudit_aks import cancellation, tls
from k8saudit_aks.checkpoints import Checkpointer
from k8saudit_aks.client import HubClient
from k8saudit_aks.deadletters import open_sinks
from k8saudit_aks.intake import Intake
from k8saudit_aks.log import ClientLog, StateLog, log
from k8saudit_aks.ownership import Claims
from k8saudit_aks.receiver import Receiver
from k8saudit_aks.rejects import HubPlace
from k8saudit_aks.store import Group, open_store
from k8saudit_aks.trouble import Unavailable, reopened, untrusting

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator

    from azure.core.credentials_async import AsyncTokenCredential

    from falcopy_sdk import Event
    from k8saudit_aks.client import StartingPositions
    from k8saudit_aks.deadletters import DeadLetters
    from k8saudit_aks.progress import HubEvent, Partition
    from k8saudit_aks.ratelimit import RateLimit
    from k8saudit_aks.records import RecordReader
    from k8saudit_aks.settings import HubSettings
    from k8saudit_aks.stats import Stats
    from k8saudit_aks.store import Store
    from k8saudit_aks.timing import Timing

__all__ = ["LiveStream"]

#: A batch for the host ends after the hub event that fills one of these.
_BATCH_EVENTS = 256
_BATCH_BYTES = 1 << 20
#: Bodies that wait between the client's callbacks and the host.
_INTAKE_BYTES = 8 << 20


class LiveStream:
    """Streams one event hub; at least once, in order within a partition.

    Beside :meth:`batches`, which the host's pace drives, one task keeps a client running and
    another writes checkpoints.
    """

    def __init__(
        self,
        hub: HubSettings,
        timing: Timing,
        reader: RecordReader,
        stats: Stats,
        rate_limit: RateLimit | None,
        dead_letters: DeadLetters | None = None,
    ) -> None:
        self._hub, self._timing, self._reader, self._stats = hub, timing, reader, stats
        self._rate_limit, self._dead_letters = rate_limit, dead_letters
        self._batch_events = min(_BATCH_EVENTS, rate_limit.burst) if rate_limit else _BATCH_EVENTS
        self._intake: Intake[tuple[Partition, list[HubEvent], int]] = Intake(_INTAKE_BYTES)
        self._group = Group(hub.namespace, hub.hub, hub.consumer_group)
        self._partitions: dict[str, Partition] = {}
        self._positions: StartingPositions = {}
        self._checkpointer: Checkpointer | None = None
        self._receiving = False
        self._health = StateLog(
            f"Event Hubs {hub.namespace}: receiving from {hub.hub} again", timing.settle
        )
        self._said: set[str] = set()
        self._store: Store | None = None
        self._queued = self._queued_bytes = 0

    @property
    def receiving(self) -> bool:
        """Whether every partition that is ours shows signs of life."""
        return self._receiving and not any(partition.fault for partition in self.partitions)

    @property
    def partitions(self) -> list[Partition]:
        """What is known of each partition, ours or not."""
        return list(self._partitions.values())

    @property
    def queued(self) -> int:
        """Event Hubs events that wait for the host."""
        return self._queued

    @property
    def queued_bytes(self) -> int:
        """Their bytes."""
        return self._queued_bytes

    @property
    def store_works(self) -> bool | None:
        """Whether the checkpoint store does; None without one."""
        return not self._store.health.trouble if self._store else None

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """Batches for the host, for ever.

        Raises:
            SourceFatal: the checkpoint container does not exist.
        """
        keeper = asyncio.create_task(self._keep_receiving(), name="k8saudit_aks keeper")
        try:
            while True:
                source, arrived, size = await self._next_arrival(keeper)
                for events, partition, last in self._assemble(source, arrived):
                    if self._rate_limit and events:
                        await self._rate_limit.take(len(events))
                    if self._checkpointer:
                        await self._checkpointer.keep_up(partition)
                    yield Batch(events, delivered=partition.handed(last.position, len(events)))
                self._count(-len(arrived), -size)
        finally:
            keeper.cancel()
            # The task ends after its last checkpoints; its failure has been raised above.
            await asyncio.wait({keeper})

    async def _next_arrival(
        self, keeper: asyncio.Task[None]
    ) -> tuple[Partition, list[HubEvent], int]:
        getting = asyncio.ensure_future(self._intake.get())
        try:
            await asyncio.wait({getting, keeper}, return_when=asyncio.FIRST_COMPLETED)
            if not getting.done():
                await keeper  # it runs for ever: being done, it raises
            return getting.result()
        finally:
            getting.cancel()

    def _assemble(
        self, partition: Partition, arrived: list[HubEvent]
    ) -> Iterator[tuple[list[Event], Partition, HubEvent]]:
        """Cut what one callback brought into batches that end between two hub events."""
        events: list[Event] = []
        size = 0
        for event in arrived:
            place = HubPlace(
                partition.id, event.position.offset, event.position.sequence_number, event.enqueued
            )
            events.extend(self._reader.read(event.body, place))
            size += event.size
            if len(events) >= self._batch_events or size >= _BATCH_BYTES or event is arrived[-1]:
                yield events, partition, event
                events, size = [], 0

    async def _take(self, partition: Partition, events: list[HubEvent]) -> None:
        size = sum(event.size for event in events)
        await self._intake.put((partition, events, size), size)
        self._count(len(events), size)

    def _count(self, events: int, size: int) -> None:
        """Keep the gauges: events wait from their arrival until they are handed over."""
        self._queued += events
        self._queued_bytes += size

    async def _keep_receiving(self) -> None:
        """Run clients one after the other; ends only by being cancelled or by SourceFatal."""
        with ClientLog.attached(self._on_reopened) as client_log:
            async with contextlib.AsyncExitStack() as stack:
                self._check_authorities()
                credential = await self._open_credential(stack)
                if self._dead_letters:
                    sinks = open_sinks(self._hub, credential)
                    await stack.enter_async_context(
                        self._dead_letters.deliver(sinks, self._timing.close)
                    )
                store = self._store = open_store(self._hub, credential)
                if store:
                    await stack.enter_async_context(store)
                    await self._reach_store(store)
                    self._checkpointer = Checkpointer(
                        store, self._group, self._partitions, self._stats, self._timing
                    )
                    await stack.enter_async_context(_beside(self._checkpointer.run()))
                else:
                    log.warning(
                        "no checkpoint store: after a restart the stream begins at "
                        "starting_position; set blob_storage_container_name and its account, or "
                        "checkpoint_file, to resume where it ended"
                    )
                client = HubClient(self._hub, credential)
                await self._run_clients(client, store, client_log)

    def _check_authorities(self) -> None:
        try:
            tls.context(self._hub.network.ca_file)
        except OSError as error:
            raise SourceFatal(untrusting(error, self._hub).text) from None

    async def _open_credential(
        self, stack: contextlib.AsyncExitStack
    ) -> AsyncTokenCredential | None:
        if self._hub.credential is None:
            return None
        from k8saudit_aks.credentials import open_credential

        try:
            credential = open_credential(self._hub.credential, self._hub.network)
        except ValueError as error:
            raise SourceFatal(f"init_config: {self._hub.credential}: {error}") from None
        return await stack.enter_async_context(credential)

    async def _reach_store(self, store: Store) -> None:
        """Wait until positions can be read and written.

        Raises:
            SourceFatal: they never can with this configuration.
        """
        pause = self._timing.first_pause
        while True:
            try:
                await store.reach(self._group)
            except store.errors as error:
                store.health.down(f"{store.explain(error)}. Trying again")
            else:
                store.health.up()
                for sentence in store.opened:
                    self._say(sentence)
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._timing.last_pause)

    async def _run_clients(
        self,
        client: HubClient,
        store: Store | None,
        client_log: ClientLog,
    ) -> None:
        pause = self._timing.first_pause

        def receiving() -> None:
            nonlocal pause
            pause = self._timing.first_pause
            self._receiving = True
            self._health.up()

        async def flush() -> None:
            if self._checkpointer:
                await self._checkpointer.flush(self._timing.close)

        claims = Claims()
        while True:
            try:
                self._positions = await client.look_up(self._positions, self._timing.look_up)
                receiver = Receiver(
                    self._hub,
                    client,
                    self._timing,
                    store,
                    self._partitions,
                    self._take,
                    client_log,
                    self._stats,
                    claims,
                    flush,
                )
                await receiver.run(self._positions, self._say, receiving)
            except Unavailable as trouble:
                self._health.down(f"{trouble}. Trying again")
                self._stats.faults[trouble.fault.value] += 1
                self._stats.reconnects += 1
            finally:
                self._receiving = False
            cancellation.heed()
            # Readers that lost the service at one moment should not come back at one.
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
            pause = min(2 * pause, self._timing.last_pause)

    def _on_reopened(self, partition_id: str) -> None:
        self._stats.client_reconnects += 1
        if partition := self._partitions.get(partition_id):
            partition.health.down(reopened(partition_id, self._hub))

    def _say(self, sentence: str) -> None:
        """Log a step of the start, at the first start only."""
        if sentence not in self._said:
            self._said.add(sentence)
            log.info("%s", sentence)


@contextlib.asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run ``work`` beside the block; should it fail, the block is cancelled and raises that."""
    block = asyncio.current_task()
    assert block
    task = asyncio.create_task(work)

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            block.cancel()

    task.add_done_callback(ended)
    try:
        yield
    except asyncio.CancelledError:
        if task.done() and not task.cancelled() and (error := task.exception()):
            raise error from None
        raise
    finally:
        task.cancel()
