"""What a namespace holds: hubs, their consumer groups, and one log of events for each partition."""

from __future__ import annotations

import itertools
import time
import zlib
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .amqp import message
from .amqp.types import Symbol, Timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

DEFAULT_GROUP = "$Default"
_TRIM_AT = 1024


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event of a partition.

    Attributes:
        sequence_number: Counts the partition's events from 0.
        offset: Where the event starts in the partition's log, in octets.
        enqueued_time: Milliseconds since the epoch.
        partition_key: The key it was published with, if any.
        annotations: The encoded message annotations, those of the service included.
        bare: The encoded rest of the message, as the producer wrote it.
    """

    sequence_number: int
    offset: int
    enqueued_time: int
    partition_key: str | None
    annotations: bytes
    bare: bytes

    @property
    def body(self) -> bytes:
        """The event's body."""
        return message.parse(self.bare).body

    @property
    def application_properties(self) -> dict[str, object]:
        """The event's application properties."""
        return message.parse(self.bare).application_properties


class Partition:
    """A log of events, appended at the end, forgotten at the start.

    Attributes:
        id: The partition's id, a decimal number as text.
        next_sequence_number: That of the next event.
        next_offset: That of the next event.
        subscribers: Called after each append, once for all events of it.
    """

    def __init__(self, partition_id: str, retention_events: int | None) -> None:
        self.id = partition_id
        self.next_sequence_number = 0
        self.next_offset = 0
        self.subscribers: list[Callable[[], None]] = []
        self._retention = retention_events
        self._events: list[StoredEvent] = []
        self._start = 0  # index of the first event still kept

    @property
    def events(self) -> Sequence[StoredEvent]:
        """The events kept, oldest first."""
        return self._events[self._start :]

    @property
    def first_sequence_number(self) -> int:
        """The number of the oldest event kept, or of the next one when none is."""
        return self.next_sequence_number - len(self._events) + self._start

    @property
    def last(self) -> StoredEvent | None:
        """The newest event, None while nothing is kept."""
        return self._events[-1] if len(self._events) > self._start else None

    def get(self, sequence_number: int) -> StoredEvent | None:
        """Return the event of that number, or the oldest kept when it is forgotten, or None."""
        index = sequence_number - self.next_sequence_number + len(self._events)
        return self._events[max(index, self._start)] if index < len(self._events) else None

    def append(self, messages: Iterable[message.Message], enqueued_time: int) -> list[StoredEvent]:
        """Append messages and tell the subscribers.

        Args:
            messages: What to append, in order.
            enqueued_time: Milliseconds since the epoch.
        """
        appended = [self._store(item, enqueued_time) for item in messages]
        if self._retention is not None:
            self._start = max(self._start, len(self._events) - self._retention)
            if self._start >= max(_TRIM_AT, self._retention):
                del self._events[: self._start]
                self._start = 0
        for subscriber in tuple(self.subscribers):
            subscriber()
        return appended

    def _store(self, item: message.Message, enqueued_time: int) -> StoredEvent:
        key = item.annotations.get(Symbol("x-opt-partition-key"))
        annotations = message.encode_annotations(
            message.MESSAGE_ANNOTATIONS,
            {
                **item.annotations,
                "x-opt-sequence-number": self.next_sequence_number,
                "x-opt-offset": str(self.next_offset),
                "x-opt-enqueued-time": Timestamp(enqueued_time),
            }.items(),
        )
        event = StoredEvent(
            *(self.next_sequence_number, self.next_offset, enqueued_time),
            *(None if key is None else str(key), annotations, item.bare),
        )
        self._events.append(event)
        self.next_sequence_number += 1
        self.next_offset += len(annotations) + len(item.bare)
        return event

    def position(self, field: str, value: int, *, inclusive: bool) -> int:
        """Return the sequence number of the first event past a position.

        Args:
            field: The `StoredEvent` attribute that `value` is one of; it grows along the log.
            value: The position.
            inclusive: Whether an event at the position counts as past it.
        """
        bisect = bisect_left if inclusive else bisect_right
        index = bisect(
            self._events, value, lo=self._start, key=lambda event: int(getattr(event, field))
        )
        return self.next_sequence_number - len(self._events) + index


class Hub:
    """An event hub.

    Attributes:
        name: Its name.
        created_at: Milliseconds since the epoch.
        consumer_groups: The groups' names.
        partitions: By id.
    """

    def __init__(
        self, name: str, partitions: int, groups: Iterable[str], retention_events: int | None
    ) -> None:
        if partitions < 1:
            raise ValueError(f"hub {name!r}: at least one partition is needed, not {partitions}")
        self.name = name
        self.created_at = int(time.time() * 1000)
        self.consumer_groups = list(dict.fromkeys((DEFAULT_GROUP, *groups)))
        self.partitions: dict[str, Partition] = {}
        self._retention = retention_events
        self.grow(partitions)

    def grow(self, partitions: int) -> None:
        """Have so many partitions from now on, as the Premium and Dedicated tiers allow.

        Raises:
            ValueError: When it has more.
        """
        if partitions < len(self.partitions):
            raise ValueError(f"hub {self.name!r} has {len(self.partitions)} partitions already")
        for id_ in map(str, range(len(self.partitions), partitions)):
            self.partitions[id_] = Partition(id_, self._retention)
        self._round_robin = itertools.cycle(self.partitions.values())

    def group(self, name: str) -> str | None:
        """Return a consumer group's name as it was given, or None; case does not matter."""
        return next((g for g in self.consumer_groups if g.lower() == name.lower()), None)

    def choose(self, key: str | None) -> Partition:
        """Return the partition for an event: by its key, else the next in turn.

        The service's own hash of keys is not public; here it is CRC-32.
        """
        if key is None:
            return next(self._round_robin)
        return self.partitions[str(zlib.crc32(key.encode()) % len(self.partitions))]


class Namespace:
    """The hubs of a namespace, by name; case does not matter.

    Raises:
        ValueError: When there is no hub, or a hub without partitions.
    """

    def __init__(
        self,
        hubs: Mapping[str, int],
        groups: Iterable[str] = (),
        retention_events: int | None = None,
    ) -> None:
        if not hubs:
            raise ValueError('no hub: give at least one, for example {"audit": 4}')
        self._hubs: dict[str, Hub] = {}
        self._groups = tuple(groups)
        self._retention_events = retention_events
        for name, count in hubs.items():
            self.add(name, count)

    def add(self, name: str, partitions: int) -> Hub:
        """Add a hub; one of the same name is replaced."""
        hub = Hub(name, partitions, self._groups, self._retention_events)
        self._hubs[name.lower()] = hub
        return hub

    @property
    def hubs(self) -> list[Hub]:
        """All hubs."""
        return list(self._hubs.values())

    def find(self, name: str) -> Hub | None:
        """Return the hub of that name, or None."""
        return self._hubs.get(name.lower())
