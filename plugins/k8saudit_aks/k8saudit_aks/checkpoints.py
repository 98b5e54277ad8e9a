"""Checkpoints, written only for what the host has finished with."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from k8saudit_aks.store import checkpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from k8saudit_aks.progress import Partition, Position
    from k8saudit_aks.stats import Stats
    from k8saudit_aks.store import Group, Store

__all__ = ["Checkpointer"]


class Checkpointer:
    """Writes the delivered positions every so often, and once more at the end."""

    def __init__(
        self, store: Store, group: Group, partitions: Mapping[str, Partition], stats: Stats
    ) -> None:
        self._store, self._group = store, group
        self._partitions, self._stats = partitions, stats
        self._writing = asyncio.Lock()

    async def run(self, interval: float, every: int) -> None:
        """Write for ever: each partition after ``every`` events or ``interval`` seconds."""
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(min(interval, 0.25))
            full = any(partition.unsaved >= every for partition in self._partitions.values())
            if full or loop.time() - last >= interval:
                last = loop.time()
                await self.flush()

    async def flush(self, within: float | None = None) -> None:
        """Write every partition whose delivered position is not yet in the store.

        Failures are logged and counted; the position stays due.

        Args:
            within: Seconds after which to give up; None: no limit.
        """
        async with self._writing:
            due = [
                (partition, position)
                for partition in self._partitions.values()
                if (position := partition.due) is not None
            ]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await asyncio.gather(*(self._write(*item) for item in due))

    async def _write(self, partition: Partition, position: Position) -> None:
        try:
            await self._store.update_checkpoint(checkpoint(self._group, partition.id, position))
        except self._store.errors as error:
            self._stats.checkpoint_errors += 1
            self._store.health.down(
                f"{self._store.explain(error)}. Events flow on; checkpoints wait"
            )
        else:
            partition.was_saved(position)
            self._stats.checkpoints += 1
            self._store.health.up()
