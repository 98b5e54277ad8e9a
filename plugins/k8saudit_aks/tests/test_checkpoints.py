"""When checkpoints are written: often enough, and no oftener."""

from __future__ import annotations

import asyncio
from pathlib import Path

from k8saudit_aks.checkpoints import Checkpointer
from k8saudit_aks.progress import Partition, Position
from k8saudit_aks.stats import Stats
from k8saudit_aks.store import Group
from k8saudit_aks.store_file import FileStore
from k8saudit_aks.timing import Timing

GROUP = Group("ns.servicebus.windows.net", "audit", "$Default")
#: No checkpoint is due for the time that has passed.
RARE = Timing(checkpoint=3600.0, checkpoint_events=10)
#: Many times as long as the writer's pauses.
WHILE = 1.0


def owned(partition_id: str, delivered: int, events: int) -> Partition:
    partition = Partition(partition_id)
    partition.started(None)
    partition.handed(Position(delivered, str(delivered)), events)()
    return partition


async def written(path: Path, *partitions: Partition) -> Stats:
    """What happens in a while."""
    stats = Stats()
    async with FileStore(path) as store:
        known = {partition.id: partition for partition in partitions}
        checkpointer = Checkpointer(store, GROUP, known, stats, RARE)
        running = asyncio.create_task(checkpointer.run())
        await asyncio.sleep(WHILE)
        running.cancel()
        await asyncio.wait({running})
    return stats


def test_a_partition_with_many_events_is_written_at_once_and_once(tmp_path: Path) -> None:
    full, other = owned("0", 7, 10), owned("1", 3, 1)
    assert asyncio.run(written(tmp_path / "positions", full, other)).checkpoints == 2
    assert (full.due, other.due) == (None, None)


def test_a_partition_that_went_to_another_reader_has_nothing_written(tmp_path: Path) -> None:
    gone, ours = owned("0", 7, 10), owned("1", 3, 1)
    gone.owned = False
    assert asyncio.run(written(tmp_path / "positions", gone, ours)).checkpoints == 0


def test_a_store_that_fails_is_left_in_peace_for_an_interval(tmp_path: Path) -> None:
    stats = asyncio.run(written(tmp_path / "no such folder" / "positions", owned("0", 7, 10)))
    assert (stats.checkpoints, stats.checkpoint_errors) == (0, 1)
