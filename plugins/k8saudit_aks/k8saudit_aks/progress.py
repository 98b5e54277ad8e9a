"""How far the host has got in each partition: the only thing a checkpoint may be made of."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from k8saudit_aks.log import StateLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from k8saudit_aks.fault import Fault

__all__ = ["BEGINNING", "HubEvent", "Partition", "Position"]


class Position(NamedTuple):
    """A place in a partition. Offsets are opaque strings; sequence numbers count by one."""

    sequence_number: int
    offset: str


#: Before the first event; Event Hubs takes this offset for whatever is the oldest it keeps.
BEGINNING = Position(-1, "-1")


class HubEvent(NamedTuple):
    """One Event Hubs event, cut down to what is needed of it."""

    body: bytes | None
    position: Position
    enqueued: datetime | None

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return len(self.body or b"")


class _Handed:
    __slots__ = ("count", "done", "position")

    def __init__(self, position: Position, count: int) -> None:
        self.position, self.count, self.done = position, count, False


class Partition:
    """What one host process knows about one partition."""

    def __init__(self, partition_id: str, settle: float = 60.0) -> None:
        """``settle``: see :class:`~k8saudit_aks.log.StateLog`."""
        self.id = partition_id
        #: Whether this process owns the partition now, and whether it ever did.
        self.owned = False
        self.begun = False
        #: Monotonic time of the last sign of life of its receive link, and whether the client in
        #: use now has given one.
        self.beat = 0.0
        self.has_beaten = False
        #: Monotonic time of the last event that came, or at first of the start.
        self.arrived = 0.0
        #: Held while events are handed on. A link that breaks while its callback waits for the
        #: host leaves that callback behind, beside the one of the next link.
        self.taking = asyncio.Lock()
        #: The last event taken from the client.
        self.taken: HubEvent | None = None
        #: The last position that the host has finished with, and what the store holds.
        self.delivered: Position | None = None
        #: Where it begins without a checkpoint.
        self.begins: Position | datetime | None = None
        self.saved: Position | None = None
        #: Audit events delivered, and those of them that the last checkpoint is past.
        self.finished = 0
        self._finished_and_saved = 0
        #: Monotonic time since when a delivered position waits to be saved.
        self.due_since: float | None = None
        #: The newest event in Event Hubs as far as is known, and when it was enqueued.
        self.newest: int | None = None
        self.newest_at: datetime | None = None
        self.health = StateLog(f"partition {partition_id}: receiving again", settle)
        #: What keeps us from reading it; None after a sign of life, or once it is another's.
        self.fault: Fault | None = None
        self._handed: deque[_Handed] = deque()
        #: Sequence number before the first event taken.
        self._before: int | None = None
        #: Of what was taken and is not yet delivered: last sequence number, first enqueued time.
        self._under_way: deque[tuple[int, datetime | None]] = deque()

    def started(self, stored: Position | None, begins: Position | datetime | None = None) -> None:
        """Note that the partition is ours.

        Args:
            stored: What the checkpoint store holds for it.
            begins: Where it begins without that.
        """
        self.begins = begins
        self.owned = self.begun = True
        self.beat, self.has_beaten = time.monotonic(), False
        self.arrived = self.beat
        if stored:
            self.saved = stored

    def pin(self) -> None:
        """Have the beginning written as the first checkpoint.

        For what moves with the time, as "latest" does: whoever reads the partition next, be it
        that this process was killed before its first event, begins at the same place.
        """
        if isinstance(self.begins, Position) and not (self.saved or self.delivered or self._handed):
            self.delivered = self.begins

    def alive(self) -> None:
        """Note a sign of life of the receive link."""
        self.beat, self.has_beaten = time.monotonic(), True
        self.fault = None
        self.health.up()

    @property
    def waiting(self) -> bool:
        """Whether a callback of the client waits for the host: then silence is our own doing."""
        return self.taking.locked()

    @property
    def reached(self) -> Position | None:
        """Where to go on: after what was taken, delivered or stored last, or at the beginning."""
        taken = self.taken.position if self.taken else None
        known = [position for position in (taken, self.delivered, self.saved) if position]
        if not known and isinstance(self.begins, Position):
            return self.begins
        return max(known, default=None)

    def lacks(self, sequence_number: int, enqueued: datetime) -> bool:
        """Whether an event that Event Hubs has is one that should have come, or is to come."""
        at = self.reached
        if at is not None:
            return at.sequence_number < sequence_number
        return isinstance(self.begins, datetime) and enqueued > self.begins

    def took(self, events: list[HubEvent]) -> None:
        """Note that ``events`` are on their way to the host."""
        if self._before is None:
            self._before = events[0].position.sequence_number - 1
        self.taken = events[-1]
        self.arrived = time.monotonic()
        self._under_way.append((events[-1].position.sequence_number, events[0].enqueued))

    def knows_newest(self, sequence_number: int | None, enqueued: datetime | None) -> None:
        """Note the newest event that Event Hubs has of this partition."""
        if sequence_number is not None:
            self.newest, self.newest_at = sequence_number, enqueued

    @property
    def lag(self) -> tuple[int, float]:
        """How many events, and seconds, the host is behind.

        The seconds are the age of the oldest event that the host has not finished with; if that
        one has not even come, of the newest, which is a lower bound.
        """
        known = [at.sequence_number for at in (self.delivered, self.saved) if at]
        done = max(known) if known else self._before
        if self.newest is None or done is None or done >= self.newest:
            return 0, 0.0
        since = self.newest_at
        # The source thread takes from it meanwhile.
        with contextlib.suppress(IndexError):
            since = self._under_way[0][1]
        seconds = (datetime.now(UTC) - since).total_seconds() if since else 0.0
        return self.newest - done, max(0.0, seconds)

    def fresh(self, events: Iterable[HubEvent]) -> list[HubEvent]:
        """Those of ``events`` that this process has not taken before.

        A link that is reopened starts at the last checkpoint, which is behind what was taken. An
        event hub that was deleted and made anew counts from zero again: then the enqueued time
        is newer, and the event is no repeat.
        """
        last, found = self.taken, []
        for event in events:
            if last is None or not _repeats(event, last):
                found.append(event)
                last = event
        return found

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
                if self.delivered and first.position < self.delivered:
                    # The hub was made anew: what is saved is no place in it.
                    self.saved = None
                self.delivered = first.position
                self.finished += first.count
                while self._under_way and self._under_way[0][0] <= first.position.sequence_number:
                    self._under_way.popleft()
            if self.due_since is None and self.due:
                self.due_since = time.monotonic()

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
        if self.delivered and position > self.delivered:
            return  # written while the hub was made anew
        self.saved = position
        self._finished_and_saved = finished
        self.due_since = time.monotonic() if self.due else None

    def save_again(self) -> None:
        """Have the position written once more: the store may have lost it."""
        self.delivered = self.delivered or self.saved
        self.saved = None


def _repeats(event: HubEvent, last: HubEvent) -> bool:
    if event.position.sequence_number > last.position.sequence_number:
        return False
    return event.enqueued is None or last.enqueued is None or event.enqueued <= last.enqueued
