"""Audit payloads to events.

A payload is what one delivery carries: a line of a file, the body of an audit webhook's POST, the
``log`` of an Azure diagnostic record. It is an ``Event`` or an ``EventList`` of the
``audit.k8s.io`` group (https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/), or an
array of these. Any version of the group will do.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from falcopy_sdk import Event

from .repair import SPELLED, repaired
from .rfc3339 import nanoseconds
from .values import to_json

__all__ = ["DEFAULT_MAX_EVENT_SIZE", "Extra", "OnRejected", "Rejected", "guarded", "records"]

_log = logging.getLogger(__name__)

#: Bytes of compact JSON, as in the Go plugins' ``maxEventSize``.
DEFAULT_MAX_EVENT_SIZE = 262_144
_HOST_CLOCK = 2**64 - 1


class Rejected(enum.Enum):
    """Why a payload or a part of it is no event."""

    NOT_JSON = "not valid JSON"
    NOT_AUDIT = "not recognized as a Kubernetes audit event"
    NO_ITEMS = "an EventList without items"
    NO_TIMESTAMP = "no stageTimestamp"
    BAD_TIMESTAMP = "stageTimestamp is not an RFC 3339 time"
    TOO_LARGE = "larger than maxEventSize"
    TOO_DEEP = "nested too deeply"


#: Called with the reason and a detail for a log line, once for every part that is dropped.
OnRejected = Callable[[Rejected, str], None]


class Extra(NamedTuple):
    """One more top-level member for every event of a payload: what its source knows of it."""

    name: str
    value: Mapping[str, Any]
    #: What takes the place of an event's closing brace.
    end: bytes

    @classmethod
    def of(cls, name: str, value: Mapping[str, Any]) -> Extra:
        """The member ``name`` with ``value``, which is shared by all events that get it."""
        return cls(name, value, b"," + to_json({name: value})[1:])


def _log_rejected(reason: Rejected, detail: str) -> None:
    _log.warning("dropped a part of an audit payload: %s: %s", reason.value, detail)


def guarded(decoded: object) -> dict[str, Any] | None:
    """The decoded event if its fields have values at all: an object with an ``auditID``."""
    return decoded if type(decoded) is dict and "auditID" in decoded else None


def records(
    payload: object,
    max_event_size: int = DEFAULT_MAX_EVENT_SIZE,
    on_rejected: OnRejected = _log_rejected,
    extra: Extra | None = None,
    on_repaired: Callable[[], None] | None = None,
) -> Iterator[Event]:
    """The events of one audit payload, in order.

    An event's data is its JSON in compact form, its time the ``stageTimestamp``: when the API
    server finished the stage. What is no event is reported and passed over; it does not take
    the rest of its payload with it. Text that a client can make an API server write is read
    (:func:`~.repair.repaired`) even if it is not strict JSON; the event's data always is.

    Args:
        payload: JSON text (bytes or str), or what a JSON decoder made of it.
        max_event_size: The most bytes an event's data may have, ``extra`` not counted.
        on_rejected: Told what was dropped; logs it by default.
        extra: Goes to the end of each event, in place of a member of that name.
        on_repaired: Told when the payload is read, but is not strict JSON.
    """
    if isinstance(payload, bytes | bytearray | memoryview | str):
        text = payload
        try:
            payload = orjson.loads(text)
        except orjson.JSONDecodeError:
            try:
                payload = repaired(text, SPELLED)
            except orjson.JSONDecodeError as error:
                on_rejected(Rejected.NOT_JSON, str(error))
                return
            if on_repaired is not None:
                on_repaired()
    single = type(payload) is dict and payload.get("kind") == "Event"
    for candidate in (payload,) if single else _candidates(payload, on_rejected):
        event = _event(candidate, max_event_size, on_rejected, extra)
        if event is not None:
            yield event


def _candidates(payload: object, on_rejected: OnRejected) -> Iterator[object]:
    """What may be an event; arrays may hold arrays and lists, so this keeps its own stack."""
    pending = [iter((payload,))]
    while pending:
        for element in pending[-1]:
            if type(element) is list:
                pending.append(iter(element))
                break
            yield from _recognized(element, on_rejected)
        else:
            pending.pop()


def _recognized(element: object, on_rejected: OnRejected) -> Iterable[object]:
    kind = element.get("kind") if type(element) is dict else None
    if kind == "Event":
        return (element,)
    if type(element) is not dict or kind != "EventList":
        on_rejected(Rejected.NOT_AUDIT, f"kind is {_shown(kind)}")
        return ()
    items = element.get("items")
    if type(items) is not list or not items:
        on_rejected(Rejected.NO_ITEMS, "nothing to read in it")
        return ()
    return items


def _event(
    candidate: object, max_event_size: int, on_rejected: OnRejected, extra: Extra | None
) -> Event | None:
    if type(candidate) is not dict or "stageTimestamp" not in candidate:
        on_rejected(Rejected.NO_TIMESTAMP, _named(candidate))
        return None
    timestamp = candidate["stageTimestamp"]
    time = nanoseconds(timestamp) if type(timestamp) is str else None
    if time is None:
        on_rejected(Rejected.BAD_TIMESTAMP, f"{_shown(timestamp)} in {_named(candidate)}")
        return None
    if extra is not None and extra.name in candidate:
        candidate = {name: value for name, value in candidate.items() if name != extra.name}
    try:
        data = to_json(candidate)
    except RecursionError:
        on_rejected(Rejected.TOO_DEEP, _named(candidate))
        return None
    if len(data) > max_event_size:
        on_rejected(Rejected.TOO_LARGE, f"size={len(data)} in {_named(candidate)}")
        return None
    if extra is not None:
        # Joined as text: a second round through the encoder would cost a tenth of all reading.
        data = data[:-1] + extra.end
        candidate = {**candidate, extra.name: extra.value}
    # The plugin API keeps the largest number for "the host's clock".
    return Event(data, None if time == _HOST_CLOCK else time, json=guarded(candidate))


def _named(candidate: object) -> str:
    if type(candidate) is not dict:
        return f"a list item that is {_shown(candidate)}"
    return f"the event with auditID {_shown(candidate.get('auditID'))}"


def _shown(value: object) -> str:
    """A value for a log line: quoted if it is text, short in any case."""
    if value is None or isinstance(value, str | bool | int | float):
        text = repr(value)
        return text if len(text) <= 80 else f"{text[:77]}..."
    return "an object" if isinstance(value, dict) else "an array"
