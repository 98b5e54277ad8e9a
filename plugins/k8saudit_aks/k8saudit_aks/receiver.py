"""One life of the Azure consumer client: from its start until it, or we, give up on it.

The client is silent when opening a receive link fails, be it for an outage, a missing consumer
group or a refused token. While a link is open it calls back every few seconds even without
events; a partition that misses several of these calls is in trouble.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, cast

from azure.eventhub import CloseReason
from azure.eventhub.amqp import AmqpMessageBodyType
from azure.eventhub.exceptions import EventHubError

from k8saudit_aks import cancellation, delivery_tags, trouble
from k8saudit_aks.census import Census
from k8saudit_aks.fault import Fault, Trouble
from k8saudit_aks.log import log
from k8saudit_aks.ownership import Ownership
from k8saudit_aks.probe import Probe
from k8saudit_aks.progress import HubEvent, Partition, Position
from k8saudit_aks.store import WAITING
from k8saudit_aks.trouble import Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from azure.eventhub import EventData
    from azure.eventhub.aio import EventHubConsumerClient, PartitionContext

    from k8saudit_aks.client import HubClient, StartingPositions
    from k8saudit_aks.log import ClientLog
    from k8saudit_aks.ownership import Claims
    from k8saudit_aks.settings import HubSettings
    from k8saudit_aks.stats import Stats
    from k8saudit_aks.store import Store
    from k8saudit_aks.timing import Timing

__all__ = ["Receiver"]

#: Bodies that are handed on at once.
_PART_BYTES = 1 << 20


class Receiver:
    """Runs the client over all partitions that fall to this process."""

    def __init__(
        self,
        hub: HubSettings,
        client: HubClient,
        timing: Timing,
        store: Store | None,
        partitions: dict[str, Partition],
        take: Callable[[Partition, list[HubEvent]], Awaitable[None]],
        client_log: ClientLog,
        stats: Stats,
        claims: Claims,
        flush: Callable[[], Awaitable[None]],
    ) -> None:
        """For one life of the client.

        Args:
            hub: What to read.
            client: Makes the client.
            timing: Intervals.
            store: Keeps checkpoints, if there is one.
            partitions: What is known of each; grows.
            take: Awaited with each batch; it may wait as long as the host is behind.
            client_log: What the client says.
            stats: Counters.
            claims: What is known of our claims; outlives the client.
            flush: Writes the checkpoints that are due.
        """
        self._hub, self._client, self._timing, self._store = hub, client, timing, store
        self._partitions, self._take = partitions, take
        self._client_log, self._stats = client_log, stats
        self._trouble: Unavailable | None = None
        self._positions: StartingPositions = {}
        self._flush = flush
        self._ownership = (
            Ownership(store, claims, partitions, self._on_store_away) if store else None
        )
        self._probe = Probe(hub, client, timing, partitions)

    async def run(
        self,
        positions: StartingPositions,
        say: Callable[[str], None],
        receiving: Callable[[], None],
    ) -> None:
        """Receive until something is wrong that a new client may cure, or partitions were added.

        Args:
            positions: Where partitions without a checkpoint start.
            say: Called with a sentence for each step of the start.
            receiving: Called whenever every partition of ours shows signs of life.

        Raises:
            Unavailable: something is wrong; with a sentence for the user.
        """
        self._positions = positions
        self._client_log.last = ""
        self._client_log.refused = 0
        consumer = self._client.consumer(
            self._ownership,
            load_balancing_interval=self._timing.balancing,
            partition_ownership_expiration_interval=self._timing.ownership,
        )
        say("opened consumer client")
        receive = asyncio.create_task(
            consumer.receive_batch(
                self._on_batch,
                max_wait_time=self._timing.beat,
                max_batch_size=self._hub.max_batch_size,
                prefetch=self._hub.prefetch,
                starting_position=self._resume_at(),
                track_last_enqueued_event_properties=True,
                on_error=self._on_error,
                on_partition_initialize=self._on_initialize,
                on_partition_close=self._on_close,
            ),
            name="k8saudit_aks receive",
        )
        say("created eventhub processor")
        try:
            await self._watch(consumer, receive, receiving)
        finally:
            await self._flush()
            # close() waits for the partitions; the task itself would sleep on to its next round.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._timing.close):
                    await consumer.close()
            receive.cancel()
            await asyncio.wait({receive}, timeout=self._timing.close)
            if self._ownership:
                with contextlib.suppress(TimeoutError, *self._ownership.errors):
                    async with asyncio.timeout(self._timing.close):
                        await self._ownership.release()
            for partition in self._partitions.values():
                partition.owned = False

    def _resume_at(self) -> dict[str, Any]:
        """Where the client starts without a checkpoint: after what an earlier client gave us."""
        resume = dict(self._positions)
        for partition in self._partitions.values():
            if partition.taken and partition.id in resume:
                resume[partition.id] = partition.taken.position
        return {
            partition_id: at.offset if isinstance(at, Position) else at
            for partition_id, at in resume.items()
        }

    async def _watch(
        self,
        consumer: EventHubConsumerClient,
        receive: asyncio.Task[None],
        receiving: Callable[[], None],
    ) -> None:
        census = Census(self._client, self._timing, self._positions)
        while True:
            await asyncio.wait({receive}, timeout=min(1.0, self._timing.silent / 8))
            cancellation.heed()
            delivery_tags.forget(consumer)
            if self._trouble:
                raise self._trouble
            if receive.done():
                error = receive.exception()
                raise Unavailable(
                    await trouble.diagnose(error or EventHubError("the client ended"), self._hub)
                )
            ours = [partition for partition in self._partitions.values() if partition.owned]
            mute = sorted(partition.id for partition in ours if not partition.has_beaten)
            if mute and self._client_log.refused:
                raise Unavailable(trouble.refusal(mute, self._hub))
            now = time.monotonic()
            silent = sorted(
                partition.id
                for partition in ours
                if not partition.waiting and now - partition.beat > self._timing.silent
            )
            if silent:
                # Raises the cause if the hub does not answer either.
                await self._client.look_up(self._positions, self._timing.look_up)
                raise Unavailable(trouble.silence(silent, self._hub, self._client_log.last))
            await self._probe.look(ours)
            if ours and not mute:
                receiving()
                # Those of a partition that comes later are not yet known to be refused.
                self._client_log.refused = 0
            if census.due(len(ours)):
                if added := await census.added(len(ours)):
                    log.info("%s", trouble.grown(added, self._hub))
                    return
                if not ours:
                    receiving()

    async def _on_initialize(self, context: PartitionContext) -> None:
        partition = self._partition(context)
        stored = self._store.positions.get(partition.id) if self._store else None
        partition.started(stored, self._positions.get(partition.id))
        if self._hub.start == "@latest":
            partition.pin()
            await self._flush()

    async def _on_close(self, context: PartitionContext, reason: CloseReason) -> None:
        if reason is not CloseReason.OWNERSHIP_LOST:
            return
        partition = self._partitions[context.partition_id]
        if self._ownership and self._ownership.holds(partition.id):
            # Its link failed, and the client is about to release it: whoever reads it next
            # begins at its checkpoint.
            await self._flush()
        elif self._ownership and not partition.health.trouble:
            self._note(partition, trouble.moved(partition.id, self._hub))
        # Another reader may have it by now: its checkpoint is no longer ours to move.
        partition.owned = False
        partition.due_since = None

    def _partition(self, context: PartitionContext) -> Partition:
        known = self._partitions.get(context.partition_id)
        if known is None:
            known = Partition(context.partition_id, self._timing.settle)
            self._partitions[known.id] = known
        return known

    def _note(self, partition: Partition, found: Trouble) -> None:
        self._stats.faults[found.fault.value] += 1
        partition.fault = None if found.fault is Fault.MOVED else found.fault
        partition.health.down(found.text)

    async def _on_batch(self, context: PartitionContext, events: list[EventData]) -> None:
        partition = self._partitions[context.partition_id]
        partition.alive()
        if not events:
            return
        newest = context.last_enqueued_event_properties or {}
        partition.knows_newest(newest.get("sequence_number"), newest.get("enqueued_time"))
        cut = [_cut(event) for event in events]
        async with partition.taking:
            fresh = partition.fresh(cut)
            self._stats.repeats += len(cut) - len(fresh)
            for part in _parts(fresh):
                # Cancelled while it waits, it has taken none of these: they come again.
                await self._take(partition, part)
                partition.took(part)
        partition.alive()
        if self._store is None:
            # The client's own memory: where it reopens a link after an error.
            await context.update_checkpoint(events[-1])

    async def _on_error(self, context: PartitionContext | None, error: Exception) -> None:
        if context is not None:
            partition = self._partition(context)
            found = trouble.explain_link(error, self._hub)
            if found.fault is Fault.STOLEN and self._ownership:
                self._ownership.lost(partition.id)
            text = f"partition {partition.id}: {found.text}; trying again"
            self._note(partition, Trouble(found.fault, text))
        elif isinstance(error, EventHubError) or self._store is None:
            self._trouble = Unavailable(await trouble.diagnose(error, self._hub))
        else:
            self._on_store_away(error)

    def _on_store_away(self, error: Exception) -> None:
        assert self._store is not None
        self._stats.faults[Fault.STORE.value] += 1
        self._store.doubtful = True
        self._store.health.down(f"{self._store.explain(error)}. {WAITING}")


def _parts(events: list[HubEvent]) -> Iterator[list[HubEvent]]:
    """``events`` in lists of at most ``_PART_BYTES``, or of one: a body may have 1 MB."""
    part: list[HubEvent] = []
    size = 0
    for event in events:
        if part and size + event.size > _PART_BYTES:
            yield part
            part, size = [], 0
        part.append(event)
        size += event.size
    if part:
        yield part


def _cut(event: EventData) -> HubEvent:
    body = None
    # Value and sequence sections are nothing that Azure Monitor sends.
    if event.body_type is AmqpMessageBodyType.DATA:
        body = b"".join(cast("Iterable[bytes]", event.body))
    position = Position(event.sequence_number or 0, event.offset or "")
    return HubEvent(body, position, event.enqueued_time)
