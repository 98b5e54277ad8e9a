"""Checkpoints, written only for what the host has finished with."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from k8saudit_aks.store import WAITING, checkpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from k8saudit_aks.progress import Partition, Position
    from k8saudit_aks.stats import Stats
    from k8saudit_aks.store import Group, Store
    from k8saudit_aks.timing import Timing

__all__ = ["Checkpointer"]

#: Seconds between two looks at whether a partition has had its ``checkpoint_events``.
_POLL = 0.05
#: Seconds that events wait for a checkpoint which is late.
_LATE = 5.0


class Checkpointer:
    """Writes the delivered positions every so often, and once more at the end."""

    def __init__(
        self,
        store: Store,
        group: Group,
        partitions: Mapping[str, Partition],
        stats: Stats,
        timing: Timing,
    ) -> None:
        self._store, self._group = store, group
        self._partitions, self._stats, self._timing = partitions, stats, timing
        self._writing = asyncio.Lock()
        #: Whether the last write was done, and in good time.
        self._answers = True

    async def run(self) -> None:
        """Write for ever: each partition after so many events or seconds as the timing says."""
        interval, every = self._timing.checkpoint, self._timing.checkpoint_events
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(min(interval, _POLL))
            # What went to another reader is not ours to save, and a store that fails is left in
            # peace for an interval.
            full = self._answers and any(
                partition.due and partition.unsaved >= every
                for partition in self._partitions.values()
            )
            if full or loop.time() - last >= interval:
                last = loop.time()
                self._doubt()
                await self.flush()

    def _doubt(self) -> None:
        """Have all positions written again to a store that is back: it may be a new one."""
        if self._store.doubtful and not self._store.health.trouble:
            self._store.doubtful = False
            for partition in self._partitions.values():
                partition.save_again()

    async def keep_up(self, partition: Partition) -> None:
        """Wait while checkpoints of ``partition`` are late, which bounds what a kill repeats.

        A store that does not answer delays events once, and then not before it answers again:
        that Falco sees them matters more than that it sees them once.
        """
        limit = 2 * self._timing.checkpoint_events
        while partition.unsaved >= limit and partition.due and self._answers:
            try:
                async with asyncio.timeout(_LATE):
                    await self.flush()
            except TimeoutError:
                self._answers = False

    async def flush(self, within: float | None = None) -> None:
        """Write every partition whose delivered position is not yet in the store.

        Failures are logged and counted; the position stays due.

        Args:
            within: Seconds after which to give up; None: no limit.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within), self._writing:
                due = [
                    (partition, position, partition.finished)
                    for partition in self._partitions.values()
                    if (position := partition.due) is not None
                ]
                await asyncio.gather(*(self._write(*item) for item in due))

    async def _write(self, partition: Partition, position: Position, finished: int) -> None:
        try:
            await self._store.update_checkpoint(checkpoint(self._group, partition.id, position))
        except self._store.errors as error:
            self._answers = False
            self._store.doubtful = True
            self._stats.checkpoint_errors += 1
            self._store.health.down(f"{self._store.explain(error)}. {WAITING}")
        else:
            self._answers = True
            partition.was_saved(position, finished)
            self._stats.checkpoints += 1
            self._store.health.up()
