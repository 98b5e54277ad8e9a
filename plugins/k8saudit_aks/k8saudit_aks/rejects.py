"""What is no audit event: why, where it was found, and who is told.

A sink for such input implements :class:`DeadLetter`; :class:`~.records.RecordReader` calls it.
"""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from k8saudit.ingest import Rejected

from k8saudit_aks.log import log

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from k8saudit_aks.stats import Stats

__all__ = [
    "REASONS",
    "Complaints",
    "DeadLetter",
    "HubPlace",
    "LinePlace",
    "Place",
    "Reason",
    "Rejects",
]


class Reason(enum.Enum):
    """Why input is passed over: what it is, what is wrong with it, and the metric for it."""

    BODY_NO_DATA = "a body", "no data section", "bad_bodies_no_data"
    BODY_NOT_JSON = "a body", "not valid JSON", "bad_bodies_not_json"
    BODY_NO_RECORDS = "a body", "no records", "bad_bodies_no_records"
    BODY_TOO_LONG = "a body", "too long", "bad_bodies_too_long"
    RECORD_NO_LOG = "a record", "no properties.log", "bad_records_no_log"
    RECORD_NOT_JSON = "a record", Rejected.NOT_JSON.value, "bad_records_not_json"
    RECORD_NOT_AUDIT = "a record", Rejected.NOT_AUDIT.value, "bad_records_not_audit"
    RECORD_NO_ITEMS = "a record", Rejected.NO_ITEMS.value, "bad_records_no_items"
    RECORD_NO_TIMESTAMP = "a record", Rejected.NO_TIMESTAMP.value, "bad_records_no_timestamp"
    RECORD_BAD_TIMESTAMP = "a record", Rejected.BAD_TIMESTAMP.value, "bad_records_bad_timestamp"
    RECORD_TOO_DEEP = "a record", Rejected.TOO_DEEP.value, "bad_records_too_deep"
    EVENT_TOO_LARGE = "an event", Rejected.TOO_LARGE.value, "events_oversize"

    @property
    def what(self) -> str:
        """What was passed over, with its article."""
        return self.value[0]

    @property
    def text(self) -> str:
        """What is wrong with it."""
        return self.value[1]

    @property
    def counter(self) -> str:
        """Name of the metric."""
        return self.value[2]


#: By what the reader of audit payloads says.
REASONS = {
    rejected: reason
    for rejected in Rejected
    for reason in Reason
    if reason.what != "a body" and reason.text == rejected.value
}


class HubPlace(NamedTuple):
    """The place of an Event Hubs event; a tuple, since every event has one made."""

    partition: str
    #: Opaque; sequence numbers count by one.
    offset: str
    sequence_number: int
    enqueued: datetime | None = None

    def __str__(self) -> str:
        return f"partition {self.partition}, offset {self.offset}"


@dataclass(frozen=True, slots=True)
class LinePlace:
    """A line of a file, the first is 1."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path} line {self.line}"


Place = HubPlace | LinePlace


class DeadLetter(Protocol):
    """Keeps what was passed over."""

    def __call__(self, data: bytes, place: Place, reason: Reason) -> None:
        """Keep ``data``.

        Called on the source's thread, within its event loop if it has one, while bodies are
        read: it neither waits nor raises, and deals with its own troubles.

        Args:
            data: The body as it came, if all of it is bad; else the one bad record as JSON, which
                ``file:///`` replays. Empty for a body that is no bytes.
            place: Where it was found.
            reason: What is wrong with it.
        """


class Complaints:
    """Log lines about bad input: the first of a kind, then one a minute with a count."""

    def __init__(self, every: float = 60.0) -> None:
        self._every = every
        self._kinds: dict[Reason, tuple[float, int]] = {}

    def note(self, reason: Reason, place: Place, detail: str) -> None:
        """Complain, unless the same was done for the same reason just now."""
        now = time.monotonic()
        last, more = self._kinds.get(reason, (-self._every, 0))
        if now - last < self._every:
            self._kinds[reason] = last, more + 1
            return
        self._kinds[reason] = now, 0
        since = f"; {more} more since the last such line" if more else ""
        log.warning(
            "passed over %s at %s: %s (%s)%s", reason.what, place, reason.text, detail, since
        )


class Rejects:
    """Counts what is passed over, samples it in the log and hands it to the dead-letter sink."""

    def __init__(
        self, stats: Stats, complaints: Complaints, dead_letter: DeadLetter | None = None
    ) -> None:
        self._stats, self._complaints, self._dead_letter = stats, complaints, dead_letter

    def pass_over(
        self, reason: Reason, place: Place, detail: str, data: Callable[[], bytes]
    ) -> None:
        """Deal with one piece of bad input.

        Args:
            reason: What is wrong.
            place: Where it was found.
            detail: For the log line; quotes no more of the input than its name.
            data: Makes what the sink is to keep; called only if there is one.
        """
        self._stats.rejected[reason.counter] += 1
        if reason.what == "a body":
            self._stats.bad_bodies += 1
        elif reason.what == "a record":
            self._stats.bad_records += 1
        self._complaints.note(reason, place, detail)
        if self._dead_letter is not None:
            self._dead_letter(data(), place, reason)
