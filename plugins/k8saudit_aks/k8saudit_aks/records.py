"""Bodies of Event Hubs events to audit events.

Azure Monitor sends ``{"records": [{"category": ..., "properties": {"log": ...}}, ...]}``; ``log``
is the text of one line of a control plane component, for the audit categories one audit event
(https://learn.microsoft.com/azure/aks/monitor-aks-reference, resource logs).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson
from k8saudit import ingest

from k8saudit_aks.log import log

if TYPE_CHECKING:
    from collections.abc import Iterator

    from falcopy_sdk import Event
    from k8saudit_aks.stats import Stats

__all__ = ["AUDIT_CATEGORIES", "Complaints", "RecordReader"]

#: All audit events, and all but reads; a diagnostic setting should enable one of them.
AUDIT_CATEGORIES = frozenset({"kube-audit", "kube-audit-admin"})


class Complaints:
    """Log lines about bad input: the first of a kind, then one a minute with a count."""

    def __init__(self, every: float = 60.0) -> None:
        self._every = every
        self._kinds: dict[tuple[str, str], tuple[float, int]] = {}

    def note(self, what: str, where: str, reason: str, detail: str) -> None:
        """Complain about ``what``, unless the same was done for the same reason just now."""
        now = time.monotonic()
        last, more = self._kinds.get((what, reason), (-self._every, 0))
        if now - last < self._every:
            self._kinds[what, reason] = last, more + 1
            return
        self._kinds[what, reason] = now, 0
        since = f"; {more} more since the last such line" if more else ""
        log.warning("passed over %s at %s: %s (%s)%s", what, where, reason, detail, since)


class RecordReader:
    """Reads bodies; whatever is wrong with one is counted, sampled in the log and passed over."""

    def __init__(self, max_event_size: int, stats: Stats, complaints: Complaints) -> None:
        self._max_event_size = max_event_size
        self._stats, self._complaints = stats, complaints

    def read(self, body: bytes | None, where: str) -> Iterator[Event]:
        """The audit events of one body, in order.

        Args:
            body: Of an Event Hubs event; None if it has none that is bytes.
            where: For log lines, such as ``partition 3, offset 4711``.
        """
        self._stats.bodies += 1
        self._stats.body_bytes += len(body or b"")
        if body is None:
            self._bad_body(where, "no data section", "an AMQP value or sequence")
            return
        try:
            decoded = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            self._bad_body(where, "not valid JSON", str(error))
            return
        records = _records(decoded)
        if records is None:
            self._bad_body(where, "no records", "neither a list nor an object with records")
            return
        yield from self._from_records(records, where)

    def read_line(self, line: bytes, where: str) -> Iterator[Event]:
        """The audit events of one line of a file: a body, or audit events as they are."""
        self._stats.bodies += 1
        self._stats.body_bytes += len(line)
        try:
            decoded = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            self._bad_body(where, "not valid JSON", str(error))
            return
        sample = decoded[0] if isinstance(decoded, list) and decoded else decoded
        records = None if _member(sample, "kind") is not None else _records(decoded)
        if records is None:
            yield from self._from_audit(decoded, where)
        else:
            yield from self._from_records(records, where)

    def too_long(self, where: str, detail: str) -> None:
        """Note a line that was not even read."""
        self._bad_body(where, "too long", detail)

    def _from_records(self, records: list[Any], where: str) -> Iterator[Event]:
        for record in records:
            text = self._log(record, where)
            if text is not None:
                yield from self._from_audit(text, where)

    def _from_audit(self, payload: object, where: str) -> Iterator[Event]:
        for event in ingest.records(payload, self._max_event_size, self._on_rejected(where)):
            self._stats.events += 1
            self._stats.event_bytes += len(event.data)
            yield event

    def _log(self, record: object, where: str) -> str | None:
        """The ``log`` of a record if it is to be read as audit events."""
        category = _member(record, "category")
        if isinstance(category, str) and category.lower() not in AUDIT_CATEGORIES:
            self._stats.records_skipped += 1
            return None
        text = _member(_member(record, "properties"), "log")
        if not isinstance(text, str):
            self._bad_record(where, "no properties.log", "missing or not a string")
            return None
        return text

    def _on_rejected(self, where: str) -> ingest.OnRejected:
        def rejected(reason: ingest.Rejected, detail: str) -> None:
            if reason is ingest.Rejected.TOO_LARGE:
                self._stats.events_oversize += 1
                self._complaints.note("an event", where, reason.value, detail)
            else:
                self._bad_record(where, reason.value, detail)

        return rejected

    def _bad_body(self, where: str, reason: str, detail: str) -> None:
        self._stats.bad_bodies += 1
        self._complaints.note("a body", where, reason, detail)

    def _bad_record(self, where: str, reason: str, detail: str) -> None:
        self._stats.bad_records += 1
        self._complaints.note("a record", where, reason, detail)


def _records(decoded: object) -> list[Any] | None:
    """The records of a body: also a bare list of records, or one record, is taken."""
    if isinstance(decoded, list):
        return decoded
    records = _member(decoded, "records")
    if isinstance(records, list):
        return records
    return [decoded] if _member(decoded, "properties") is not None else None


def _member(value: object, name: str) -> object:
    """Member ``name`` of an object, in any letter case: Azure's services are not of one mind."""
    if not isinstance(value, dict):
        return None
    if name in value:
        return value[name]
    for key, member in value.items():
        if key.lower() == name:
            return member
    return None
