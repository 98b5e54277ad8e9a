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

from k8saudit_aks import trouble
from k8saudit_aks.progress import HubEvent, Partition, Position
from k8saudit_aks.trouble import Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from azure.eventhub import EventData
    from azure.eventhub.aio import PartitionContext

    from k8saudit_aks.client import HubClient, StartingPositions
    from k8saudit_aks.log import ClientLog
    from k8saudit_aks.settings import HubSettings
    from k8saudit_aks.stats import Stats
    from k8saudit_aks.store import Store
    from k8saudit_aks.timing import Timing

__all__ = ["Receiver"]


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
    ) -> None:
        """``take`` is awaited with each batch; it may wait as long as the host is behind."""
        self._hub, self._client, self._timing, self._store = hub, client, timing, store
        self._partitions, self._take = partitions, take
        self._client_log, self._stats = client_log, stats
        self._trouble: Unavailable | None = None

    async def run(
        self,
        positions: StartingPositions,
        say: Callable[[str], None],
        receiving: Callable[[], None],
        before_close: Callable[[], Awaitable[None]],
    ) -> None:
        """Receive until something is wrong that a new client may cure.

        Args:
            positions: Where partitions without a checkpoint start.
            say: Called with a sentence for each step of the start.
            receiving: Called whenever every partition of ours shows signs of life.
            before_close: Awaited after the last callback and before the client is closed.

        Raises:
            Unavailable: always, in the end; with a sentence for the user.
        """
        self._client_log.last = ""
        consumer = self._client.consumer(
            self._store,
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
                starting_position=self._resume_at(positions),
                on_error=self._on_error,
                on_partition_initialize=self._on_initialize,
                on_partition_close=self._on_close,
            ),
            name="k8saudit_aks receive",
        )
        say("created eventhub processor")
        try:
            await self._watch(receive, positions, receiving)
        finally:
            await before_close()
            # close() waits for the partitions; the task itself would sleep on to its next round.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._timing.close):
                    await consumer.close()
            receive.cancel()
            await asyncio.wait({receive}, timeout=self._timing.close)
            for partition in self._partitions.values():
                partition.owned = False

    def _resume_at(self, positions: StartingPositions) -> dict[str, Any]:
        """Where the client starts without a checkpoint: after what an earlier client gave us."""
        resume: dict[str, Any] = dict(positions)
        for partition in self._partitions.values():
            if partition.taken and partition.id in resume:
                resume[partition.id] = partition.taken.position.offset
        return resume

    async def _watch(
        self,
        receive: asyncio.Task[None],
        positions: StartingPositions,
        receiving: Callable[[], None],
    ) -> None:
        while True:
            await asyncio.wait({receive}, timeout=min(1.0, self._timing.silent / 8))
            if self._trouble:
                raise self._trouble
            if receive.done():
                error = receive.exception()
                raise Unavailable(
                    await trouble.diagnose(error or EventHubError("the client ended"), self._hub)
                )
            ours = [partition for partition in self._partitions.values() if partition.owned]
            now = time.monotonic()
            silent = sorted(
                partition.id
                for partition in ours
                if not partition.waiting and now - partition.beat > self._timing.silent
            )
            if silent:
                # Raises the cause if the hub does not answer either.
                await self._client.look_up(positions, self._timing.look_up)
                raise Unavailable(trouble.silence(silent, self._hub, self._client_log.last))
            if ours and all(partition.has_beaten for partition in ours):
                receiving()

    async def _on_initialize(self, context: PartitionContext) -> None:
        partition = self._partitions.setdefault(
            context.partition_id, Partition(context.partition_id)
        )
        partition.started(self._store.positions.get(partition.id) if self._store else None)

    async def _on_close(self, context: PartitionContext, reason: CloseReason) -> None:
        if reason is CloseReason.OWNERSHIP_LOST:
            # Another reader may have it by now: its checkpoint is no longer ours to move.
            self._partitions[context.partition_id].owned = False

    async def _on_batch(self, context: PartitionContext, events: list[EventData]) -> None:
        partition = self._partitions[context.partition_id]
        partition.alive()
        if not events:
            return
        fresh = [event for event in map(_cut, events) if not partition.is_repeat(event)]
        self._stats.repeats += len(events) - len(fresh)
        if fresh:
            partition.waiting = True
            try:
                # Cancelled while it waits, it has taken nothing: the events come again.
                await self._take(partition, fresh)
            finally:
                partition.waiting = False
            partition.taken = fresh[-1]
            partition.alive()
        if self._store is None:
            # The client's own memory: where it reopens a link after an error.
            await context.update_checkpoint(events[-1])

    async def _on_error(self, context: PartitionContext | None, error: Exception) -> None:
        if context is not None:
            partition = self._partitions.setdefault(
                context.partition_id, Partition(context.partition_id)
            )
            partition.health.down(
                f"partition {partition.id}: {trouble.explain_link(error, self._hub)}; trying again"
            )
        elif isinstance(error, EventHubError) or self._store is None:
            self._trouble = Unavailable(await trouble.diagnose(error, self._hub))
        else:
            self._store.health.down(
                f"{self._store.explain(error)}. Partitions that are being read are read on"
            )


def _cut(event: EventData) -> HubEvent:
    body = None
    # Value and sequence sections are nothing that Azure Monitor sends.
    if event.body_type is AmqpMessageBodyType.DATA:
        body = b"".join(cast("Iterable[bytes]", event.body))
    position = Position(event.sequence_number or 0, event.offset or "")
    return HubEvent(body, position, event.enqueued_time)
