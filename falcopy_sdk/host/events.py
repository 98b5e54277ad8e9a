"""Events as they lie in memory, the host's view of them, and how to encode own ones."""

from __future__ import annotations

import struct
from typing import Any

from falcopy_sdk.abi import ASYNC_EVENT_CODE, PAYLOAD_OFFSET, PLUGIN_EVENT_CODE, UINT64_MAX, ffi
from falcopy_sdk.exceptions import ContractError, RequestError

__all__ = [
    "Batch",
    "HostEvent",
    "check_event",
    "encode_async_event",
    "encode_plugin_event",
    "foreign_event",
]

#: ts, tid, len, type, nparams (plugin_types.h, packed, native byte order).
_HEADER = struct.Struct("=QQIHI")
_PLUGIN = struct.Struct("=QQIHIIII")  # and the two lengths and the plugin id
_ASYNC = struct.Struct("=QQIHIIIII")


class Batch:
    """Marks how long the events of one ``next_batch`` call may be touched."""

    __slots__ = ("alive",)

    def __init__(self) -> None:
        self.alive = True


class HostEvent:
    """An event in the hands of the host.

    The memory of an event from a source belongs to the plugin until the next event is asked for;
    :meth:`copy` gives one that stays.

    Attributes:
        num: number of the event since the source was opened, from 1; 0: not numbered.
        source: name of the event source, "" when unknown.
    """

    __slots__ = ("_batch", "_owned", "_pointer", "num", "source")

    def __init__(self, pointer: Any, num: int, source: str, batch: Batch | None, owned: Any = None):
        self._pointer = pointer
        self._batch = batch
        self._owned = owned
        self.num = num
        self.source = source

    @property
    def pointer(self) -> Any:
        """The ``ss_plugin_event *``.

        Raises:
            RequestError: the plugin may have reused the memory by now.
        """
        if self._batch is not None and not self._batch.alive:
            raise RequestError(
                f"event {self.num} is gone: its memory belongs to the plugin until the next batch "
                "is fetched; keep event.copy() instead"
            )
        return self._pointer

    @property
    def ts(self) -> int:
        """Nanoseconds since the epoch."""
        return int(self.pointer.ts)

    @property
    def type(self) -> int:
        """The event's type: 322 for a plugin's own, 402 for an asynchronous one."""
        return int(self.pointer.type)

    @property
    def raw(self) -> bytes:
        """The whole event, header included."""
        pointer = self.pointer
        return bytes(ffi.buffer(ffi.cast("char *", pointer), pointer.len))

    @property
    def plugin_id(self) -> int:
        """Id of the plugin that made the event; 0 for events of other types."""
        offset = {PLUGIN_EVENT_CODE: 34, ASYNC_EVENT_CODE: 38}.get(self.type)
        return 0 if offset is None else int(struct.unpack_from("=I", self.raw, offset)[0])

    @property
    def name(self) -> str:
        """Name of an asynchronous event, "" for others."""
        if self.type != ASYNC_EVENT_CODE:
            return ""
        return self.raw[42:].split(b"\0", 1)[0].decode(errors="replace")

    @property
    def data(self) -> bytes:
        """The payload; for events of other types all that follows the header."""
        raw = self.raw
        if self.type == PLUGIN_EVENT_CODE:
            return raw[PAYLOAD_OFFSET:]
        if self.type == ASYNC_EVENT_CODE:
            (name_size,) = struct.unpack_from("=I", raw, 30)
            return raw[42 + name_size :]
        return raw[_HEADER.size :]

    def copy(self) -> HostEvent:
        """The same event in memory of the host, as a capture file would give it."""
        return foreign_event(self.raw, num=self.num, source=self.source)

    def __repr__(self) -> str:
        return f"<HostEvent {self.num} of {self.source or '?'}>"


def encode_plugin_event(data: bytes, *, plugin_id: int = 0, ts: int = UINT64_MAX) -> bytes:
    """Encodes a PLUGINEVENT.

    Args:
        data: the payload.
        plugin_id: 0 lets the host fill it in.
        ts: nanoseconds since the epoch; the default lets the host fill it in.
    """
    size = PAYLOAD_OFFSET + len(data)
    head = _PLUGIN.pack(ts, UINT64_MAX, size, PLUGIN_EVENT_CODE, 2, 4, len(data), plugin_id)
    return head + data


def encode_async_event(
    name: str, data: bytes, *, plugin_id: int = 0, ts: int = UINT64_MAX
) -> bytes:
    """Encodes an ASYNCEVENT.

    Args:
        name: one of the plugin's ``get_async_events``.
        data: the payload.
        plugin_id: 0 lets the host fill it in.
        ts: nanoseconds since the epoch; the default lets the host fill it in.
    """
    label = name.encode() + b"\0"
    size = _ASYNC.size + len(label) + len(data)
    head = _ASYNC.pack(
        ts, UINT64_MAX, size, ASYNC_EVENT_CODE, 3, 4, len(label), len(data), plugin_id
    )
    return head + label + data


def foreign_event(raw: bytes, *, num: int = 1, source: str = "") -> HostEvent:
    """An event in memory of the host, for what comes from a capture file or another plugin.

    Args:
        raw: header, lengths and parameters.
        num: the event's number; 0: not numbered.
        source: name of its source.

    Raises:
        ContractError: the bytes are no event.
    """
    if len(raw) < _HEADER.size:
        raise ContractError(f"an event of {len(raw)} bytes is shorter than its header")
    owned = ffi.new("char[]", raw)
    pointer = ffi.cast("ss_plugin_event *", owned)
    if pointer.len != len(raw):
        raise ContractError(f"an event's header says {pointer.len} bytes, it has {len(raw)}")
    check_event(pointer)
    return HostEvent(pointer, num, source, None, owned)


def check_event(pointer: Any) -> None:
    """Checks that the parameters' lengths of an event fit its own length.

    Args:
        pointer: ``const ss_plugin_event *``; as many bytes as it says are readable.

    Raises:
        ContractError: they do not. Events of types other than a plugin's are not looked into.
    """
    size, kind, count = pointer.len, pointer.type, pointer.nparams
    if size < _HEADER.size:
        raise ContractError(f"its header says {size} bytes, less than the header itself")
    if kind not in (PLUGIN_EVENT_CODE, ASYNC_EVENT_CODE):
        return
    expected = 2 if kind == PLUGIN_EVENT_CODE else 3
    if count != expected:
        raise ContractError(f"type {kind} has {expected} parameters, not {count}")
    start = _HEADER.size + 4 * count
    if size < start:
        raise ContractError(f"its {size} bytes end within the table of lengths")
    base = ffi.cast("const char *", pointer)
    lengths = list(ffi.cast("const uint32_t *", base + _HEADER.size)[0:count])
    if lengths[0] != 4 or start + sum(lengths) != size:
        raise ContractError(f"the parameters' lengths {lengths} do not make up its {size} bytes")
    if kind == ASYNC_EVENT_CODE and b"\0" not in ffi.buffer(base + start + 4, lengths[1])[:]:
        raise ContractError("the name of the asynchronous event is not NUL-terminated")
