"""Bodies of Event Hubs events to audit events.

Azure Monitor sends ``{"records": [{"category": ..., "properties": {"log": ...}}, ...]}``; ``log``
is the text of one line of a control plane component, for the audit categories one audit event
(https://learn.microsoft.com/azure/aks/monitor-aks-reference, resource logs).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson
from k8saudit import ingest
from k8saudit.repair import REPLACED, repaired
from k8saudit.values import to_json

from k8saudit_aks.azure import Knowledge
from k8saudit_aks.rejects import REASONS, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from k8saudit.ingest import Extra

    from falcopy_sdk import Event
    from k8saudit_aks.rejects import Place, Rejects
    from k8saudit_aks.stats import Stats

__all__ = ["AUDIT_CATEGORIES", "RecordReader"]

#: All audit events, and all but reads; a diagnostic setting should enable one of them.
AUDIT_CATEGORIES = ("kube-audit", "kube-audit-admin")
#: Categories are counted one by one up to here; a control plane has about ten.
_COUNTED_CATEGORIES = 32
_UNREADABLE: Final = object()


class RecordReader:
    """Reads bodies; whatever is wrong with one is counted, sampled in the log and passed over."""

    def __init__(
        self,
        max_event_size: int,
        stats: Stats,
        rejects: Rejects,
        categories: Collection[str] = AUDIT_CATEGORIES,
    ) -> None:
        """``categories``, in any letter case, are read; a record without category is, too."""
        self._max_event_size = max_event_size
        self._stats, self._rejects = stats, rejects
        self._categories = frozenset(category.lower() for category in categories)

    def read(self, body: bytes | None, place: Place) -> Iterator[Event]:
        """The audit events of one body, in order.

        Args:
            body: Of an Event Hubs event; None if it has none that is bytes.
            place: Where it is from.
        """
        self._stats.bodies += 1
        self._stats.body_bytes += len(body or b"")
        if body is None:
            self._bad_body(Reason.BODY_NO_DATA, place, "an AMQP value or sequence", b"")
            return
        try:
            decoded = orjson.loads(body)
        except orjson.JSONDecodeError:
            decoded = self._repaired(body, place)
            if decoded is _UNREADABLE:
                return
        records = _records(decoded)
        if records is None:
            detail = "neither a list nor an object with records"
            self._bad_body(Reason.BODY_NO_RECORDS, place, detail, body)
            return
        yield from self._from_records(records, place, body)

    def read_line(self, line: bytes, place: Place) -> Iterator[Event]:
        """The audit events of one line of a file: a body, or audit events as they are."""
        self._stats.bodies += 1
        self._stats.body_bytes += len(line)
        payload: object
        try:
            payload = decoded = orjson.loads(line)
        except orjson.JSONDecodeError:
            decoded = self._repaired(line, place)
            if decoded is _UNREADABLE:
                return
            payload = line  # audit events are repaired by rules of their own
        sample = decoded[0] if isinstance(decoded, list) and decoded else decoded
        records = None if _member(sample, "kind") is not None else _records(decoded)
        if records is None:
            yield from self._from_audit(payload, place, lambda: line)
        else:
            yield from self._from_records(records, place, line)

    def too_long(self, place: Place, detail: str) -> None:
        """Note a line that was not even read."""
        self._bad_body(Reason.BODY_TOO_LONG, place, detail, b"")

    def _repaired(self, body: bytes, place: Place) -> object:
        """What is in a body that is not strict JSON; it is bad if it is not JSON at all.

        A body that is cut off is bad as a whole: nothing in it shows where a record would end.
        """
        try:
            decoded = repaired(body, REPLACED)
        except orjson.JSONDecodeError as error:
            self._bad_body(Reason.BODY_NOT_JSON, place, str(error), body)
            return _UNREADABLE
        self._stats.bodies_repaired += 1
        return decoded

    def _from_records(self, records: list[Any], place: Place, body: bytes) -> Iterator[Event]:
        knowledge = Knowledge(place)
        for record in records:

            def data(record: object = record) -> bytes:
                return _as_json(record, body)

            text = self._log(record, place, data)
            if text is not None:
                extra = knowledge.member(_member(record, "resourceId"), _member(record, "category"))
                yield from self._from_audit(text, place, data, extra)

    def _from_audit(
        self, payload: object, place: Place, data: Callable[[], bytes], extra: Extra | None = None
    ) -> Iterator[Event]:
        def rejected(reason: ingest.Rejected, detail: str) -> None:
            self._rejects.pass_over(REASONS[reason], place, detail, data)

        for event in ingest.records(
            payload, self._max_event_size, rejected, extra, self._record_repaired
        ):
            self._stats.events += 1
            self._stats.event_bytes += len(event.data)
            yield event

    def _log(self, record: object, place: Place, data: Callable[[], bytes]) -> str | None:
        """The ``log`` of a record if it is to be read as audit events."""
        category = _member(record, "category")
        if isinstance(category, str) and category.lower() not in self._categories:
            self._skipped(category)
            return None
        text = _member(_member(record, "properties"), "log")
        if not isinstance(text, str):
            self._rejects.pass_over(Reason.RECORD_NO_LOG, place, "missing or not a string", data)
            return None
        return text

    def _record_repaired(self) -> None:
        self._stats.records_repaired += 1

    def _skipped(self, category: str) -> None:
        self._stats.records_skipped += 1
        counts = self._stats.skipped
        name = re.sub("[^a-z0-9]+", "_", category.lower())
        if name not in counts and len(counts) >= _COUNTED_CATEGORIES:
            name = "other"
        counts[name] = counts.get(name, 0) + 1

    def _bad_body(self, reason: Reason, place: Place, detail: str, body: bytes) -> None:
        self._rejects.pass_over(reason, place, detail, lambda: body)


def _as_json(record: object, body: bytes) -> bytes:
    try:
        return to_json(record)
    except RecursionError:
        return body


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
    lowered = name.lower()
    for key, member in value.items():
        if key.lower() == lowered:
            return member
    return None
