"""A look at what Event Hubs has of partitions from which nothing comes.

A peer that froze, or a link that the service forgot, looks well to the client for as long as TCP
does. Whether a quiet partition is quiet only Event Hubs itself can tell.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

from k8saudit_aks import trouble
from k8saudit_aks.trouble import REQUEST_ERRORS, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from k8saudit_aks.client import HubClient
    from k8saudit_aks.progress import Partition
    from k8saudit_aks.settings import HubSettings
    from k8saudit_aks.timing import Timing

__all__ = ["Probe"]

#: Partitions asked for at a time; each answer is a connection of its own, and a namespace answers
#: at most 50 a second ("Event Hubs quotas", Microsoft Learn).
_AT_ONCE = 8


class Probe:
    """Compares partitions without events with what Event Hubs has of them."""

    def __init__(
        self,
        hub: HubSettings,
        client: HubClient,
        timing: Timing,
        partitions: Mapping[str, Partition],
    ) -> None:
        self._hub, self._client, self._timing = hub, client, timing
        self._partitions = partitions
        #: By partition, when it was asked for last.
        self._asked: dict[str, float] = {}
        #: By partition, what must have come soon: sequence number, enqueued time, and when that
        #: was found.
        self._expected: dict[str, tuple[int, datetime, float]] = {}
        #: When the last question found no answer; None after one that did.
        self._unanswered: float | None = None

    async def look(self, ours: list[Partition]) -> None:
        """Ask for those that have been quiet for long.

        Raises:
            Unavailable: Event Hubs does not answer twice in a row, or once while all of ours are
                quiet; or it has had events for a while that did not come.
        """
        now = time.monotonic()
        for partition in ours:
            if partition.id not in self._expected:
                continue
            number, enqueued, found = self._expected[partition.id]
            if partition.waiting or not partition.lacks(number, enqueued):
                del self._expected[partition.id]
            elif now - found > 2 * self._timing.beat:
                raise Unavailable(trouble.standstill(partition.id, self._hub))
        quiet = sorted(
            (self._since(partition), partition.id)
            for partition in ours
            if not partition.waiting and now - self._since(partition) > self._timing.idle
        )
        if quiet and now - (self._unanswered or -math.inf) > self._timing.silent:
            alone = len(quiet) == len(ours)
            try:
                await self._ask([partition_id for _, partition_id in quiet[:_AT_ONCE]])
            except Unavailable:
                # Links that bring events are not torn down for one question, which is refused
                # where the namespace is busy with others.
                if alone or self._unanswered is not None:
                    raise
                self._unanswered = time.monotonic()
            else:
                self._unanswered = None

    def _since(self, partition: Partition) -> float:
        return max(partition.arrived, self._asked.get(partition.id, 0.0))

    async def _ask(self, ids: list[str]) -> None:
        client = self._client.consumer(retry_total=0)
        try:
            async with asyncio.timeout(self._timing.look_up):
                answers = await asyncio.gather(*(client.get_partition_properties(i) for i in ids))
        except REQUEST_ERRORS as error:
            raise Unavailable(await trouble.diagnose(error, self._hub)) from error
        finally:
            await self._client.close(client)
        now = time.monotonic()
        for answer in answers:
            partition = self._partitions[answer["id"]]
            self._asked[partition.id] = now
            if answer["is_empty"]:
                continue
            newest: int = answer["last_enqueued_sequence_number"]
            enqueued: datetime = answer["last_enqueued_time_utc"]
            partition.knows_newest(newest, enqueued)
            if partition.lacks(newest, enqueued):
                self._expected[partition.id] = newest, enqueued, now
