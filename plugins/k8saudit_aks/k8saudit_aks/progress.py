"""How far the host has got in each partition: the only thing a checkpoint may be made of."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from k8saudit_aks.log import StateLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

__all__ = ["HubEvent", "Partition", "Position"]


class Position(NamedTuple):
    """A place in a partition. Offsets are opaque strings; sequence numbers count by one."""

    sequence_number: int
    offset: str


class HubEvent(NamedTuple):
    """One Event Hubs event, cut down to what is needed of it."""

    body: bytes | None
    position: Position
    enqueued: datetime | None


class _Handed:
    __slots__ = ("count", "done", "position")

    def __init__(self, position: Position, count: int) -> None:
        self.position, self.count, self.done = position, count, False


class Partition:
    """What one host process knows about one partition."""

    def __init__(self, partition_id: str) -> None:
        self.id = partition_id
        #: Whether this process owns the partition now.
        self.owned = False
        #: Monotonic time of the last sign of life of its receive link, and whether the client in
        #: use now has given one.
        self.beat = 0.0
        self.has_beaten = False
        #: Whether a callback of the client is waiting for room: then silence is our own doing.
        self.waiting = False
        #: The last event taken from the client.
        self.taken: HubEvent | None = None
        #: The last position that the host has finished with, and what the store holds.
        self.delivered: Position | None = None
        self.saved: Position | None = None
        #: Audit events delivered, and those of them that the last checkpoint is past.
        self.finished = 0
        self._finished_and_saved = 0
        self.health = StateLog(f"partition {partition_id}: receiving again")
        self._handed: deque[_Handed] = deque()

    def started(self, stored: Position | None) -> None:
        """Note that the partition is ours, with what the checkpoint store holds for it."""
        self.owned = True
        self.beat, self.has_beaten = time.monotonic(), False
        if stored:
            self.saved = stored

    def alive(self) -> None:
        """Note a sign of life of the receive link."""
        self.beat, self.has_beaten = time.monotonic(), True
        self.health.up()

    def is_repeat(self, event: HubEvent) -> bool:
        """Whether this process has taken the event before.

        A link that is reopened starts at the last checkpoint, which is behind what was taken. An
        event hub that was deleted and made anew counts from zero again: then the enqueued time
        is newer, and the event is no repeat.
        """
        last = self.taken
        if last is None or event.position.sequence_number > last.position.sequence_number:
            return False
        return event.enqueued is None or last.enqueued is None or event.enqueued <= last.enqueued

    def handed(self, position: Position, count: int) -> Callable[[], None]:
        """Note that events up to ``position`` are on their way to the host.

        Args:
            position: Of the last Event Hubs event of a batch.
            count: How many audit events the batch has.

        Returns:
            To be called once the host has finished with them. The delivered position moves only
            when all earlier batches are finished as well.
        """
        entry = _Handed(position, count)
        self._handed.append(entry)

        def delivered() -> None:
            entry.done = True
            while self._handed and self._handed[0].done:
                first = self._handed.popleft()
                self.delivered = first.position
                self.finished += first.count

        return delivered

    @property
    def due(self) -> Position | None:
        """The position to write to the checkpoint store; None: nothing new, or not ours."""
        if not self.owned or self.delivered is None:
            return None
        if self.saved and self.delivered.sequence_number <= self.saved.sequence_number:
            return None
        return self.delivered

    @property
    def unsaved(self) -> int:
        """Audit events delivered since the last checkpoint: a killed host gets them again."""
        return self.finished - self._finished_and_saved

    def was_saved(self, position: Position, finished: int) -> None:
        """Note what the checkpoint store holds.

        Args:
            position: The position written.
            finished: What :attr:`finished` was when the position was the delivered one.
        """
        self.saved = position
        self._finished_and_saved = finished
