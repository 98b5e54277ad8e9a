"""The event that sources give and extraction receives, and a batch of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import orjson

from falcopy_sdk.exceptions import EventDecodeError

__all__ = ["UNSET", "Batch", "Event"]

Decoder: TypeAlias = Callable[[bytes], Any]
Delivered: TypeAlias = Callable[[], Awaitable[None] | None]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
#: UINT64_MAX in a host's event means "the host's clock" (plugin_api.h, next_batch).
_NO_TIMESTAMP: Final = 2**64 - 1


class _NotDecoded:
    """Stands in ``Event._json`` for an object that is not there: not yet, or never."""

    __slots__ = ("error",)

    def __init__(self, error: str = "") -> None:
        self.error = error

    def __repr__(self) -> str:
        return "UNSET"


#: "No decoded object given".
UNSET: Final = _NotDecoded()


class Event:
    """One event: a payload and its time.

    A source yields events with ``data``, ``ts`` and perhaps ``json``; extraction, parsing and
    ``event_to_string`` receive them with ``num`` and ``source`` set as well.

    Args:
        data: The payload. ``str`` is encoded as UTF-8; a mapping or list is written as JSON.
        ts: Nanoseconds since 1970-01-01 UTC, or an aware ``datetime``; None: the host's clock.
        json: The decoded payload, if the source has it already; spares decoding it again. Not
            copied: do not change it afterwards.

    Attributes:
        data: The payload as bytes.
        ts: Nanoseconds since 1970-01-01 UTC, or None.
        num: The host's number of the event, from 1; 0: not numbered.
        source: Name of the event source, ``""`` if unknown.

    Raises:
        TypeError: ``data`` or ``ts`` is of another type, or ``data`` does not fit into JSON.
        ValueError: ``ts`` is naive or outside what 64 bits hold; ``data`` has lone surrogates.
    """

    # Built once an event on the hot path: slots, and no work that can wait.
    __slots__ = ("_decode", "_json", "data", "num", "source", "ts")

    data: bytes
    ts: int | None
    num: int
    source: str

    def __init__(
        self,
        data: bytes | str | Mapping[str, Any] | list[Any],
        ts: int | datetime | None = None,
        json: object = UNSET,
    ) -> None:
        self.data = data if data.__class__ is bytes else _encode(data)
        if ts is not None and (ts.__class__ is not int or not 0 <= ts < _NO_TIMESTAMP):
            ts = _nanoseconds(ts)
        self.ts = ts
        self._json = json
        self._decode: Decoder = orjson.loads
        self.num = 0
        self.source = ""

    @classmethod
    def received(cls, data: bytes, ts: int | None, num: int, source: str, decode: Decoder) -> Event:
        """Make the event that a host handed over, unchecked.

        Args:
            data: The payload.
            ts: Nanoseconds since 1970-01-01 UTC.
            num: The host's number of the event.
            source: Name of its event source.
            decode: What turns ``data`` into ``json`` when somebody asks.
        """
        event = cls.__new__(cls)
        event.data = data
        event.ts = ts
        event.num = num
        event.source = source
        event._json = UNSET
        event._decode = decode
        return event

    @property
    def json(self) -> Any:
        """The decoded payload, decoded at most once.

        Raises:
            EventDecodeError: The payload cannot be decoded; every time, but tried only once.
        """
        value = self._json
        if value.__class__ is _NotDecoded:
            return self._decode_now(value)
        return value

    def _decode_now(self, state: _NotDecoded) -> Any:
        if state.error:
            raise EventDecodeError(state.error)
        try:
            value = self._json = self._decode(self.data)
        except Exception as error:
            # Only the text is kept: the exception's traceback would hold this event in a cycle.
            text = f"the event's payload is not decodable: {type(error).__name__}: {error}"
            self._json = _NotDecoded(text)
            raise EventDecodeError(text) from error
        return value

    def __repr__(self) -> str:
        return f"Event({len(self.data)} bytes, ts={self.ts}, num={self.num}, {self.source!r})"


class Batch:
    """Events that belong together, and what to do once the host is through with all of them.

    Args:
        events: Events, or payloads (``bytes``, ``str``) of events on the host's clock; may be
            empty, then only ``delivered`` counts.
        delivered: Called without arguments once the host has consumed every event of the batch;
            may be a coroutine function in an asynchronous source. A source that must not lose
            events acknowledges them here.

    Raises:
        TypeError: ``events`` is one event instead of several, or ``delivered`` is not callable.
    """

    __slots__ = ("delivered", "events")

    def __init__(
        self, events: Iterable[Event | bytes | str], delivered: Delivered | None = None
    ) -> None:
        if isinstance(events, (bytes, str, Event)):
            raise TypeError(f"Batch takes a list of events, not one {type(events).__name__}")
        if delivered is not None and not callable(delivered):
            raise TypeError(f"Batch(delivered=...) is not callable: {type(delivered).__name__}")
        self.events: list[Event | bytes | str] = (
            events if isinstance(events, list) else list(events)
        )
        self.delivered = delivered

    def __repr__(self) -> str:
        return f"Batch({len(self.events)} events, delivered={self.delivered!r})"


def _encode(data: object) -> bytes:
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    if isinstance(data, (dict, list)):
        return orjson.dumps(data)
    if isinstance(data, Mapping):
        return orjson.dumps(dict(data))
    raise TypeError(f"Event data is bytes, str, a mapping or a list, not {type(data).__name__}")


def _nanoseconds(ts: object) -> int:
    if isinstance(ts, datetime):
        if ts.tzinfo is None or ts.utcoffset() is None:
            raise ValueError(
                "Event ts is a naive datetime, so its time zone is unknown; "
                "use an aware one, such as datetime.now(UTC)"
            )
        ts = (ts - _EPOCH) // _MICROSECOND * 1000
    elif isinstance(ts, bool) or not isinstance(ts, int):
        raise TypeError(f"Event ts is int (nanoseconds) or datetime, not {type(ts).__name__}")
    if not 0 <= ts < _NO_TIMESTAMP:
        raise ValueError(f"Event ts {ts} is outside 0 to 2**64-2 nanoseconds since 1970")
    return int(ts)
