"""AMQP 1.0 octets to Python values (types 1.2 to 1.6).

Whatever the octets are, decoding ends with a value or a `DecodeError`: lengths are checked against
what is there, nesting and the elements of no width are limited.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any
from uuid import UUID

from .conditions import DecodeError
from .types import (
    Array,
    Byte,
    Char,
    Decimal,
    Described,
    Float,
    Int,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Reader = Callable[[memoryview, int, int], tuple[Any, int]]

MAX_DEPTH = 32
"""How deep values may nest; Event Hubs messages need 4."""
MAX_EMPTY_ELEMENTS = 1024
"""How many elements without a width (null, true, list0, ...) an array may announce."""


def decode(buffer: bytes | memoryview, at: int = 0) -> tuple[Any, int]:
    """Decode the value that starts at an index.

    Args:
        buffer: The octets.
        at: Where the value's constructor stands.

    Returns:
        The value, and the index after it.

    Raises:
        DecodeError: When the octets there are not a whole, well-formed value.
    """
    try:
        return _read(memoryview(buffer), at, 0)
    except (struct.error, IndexError):
        raise DecodeError(f"a value ends after {len(buffer)} octets, before its end") from None
    except UnicodeError as error:
        raise DecodeError(f"text in a wrong encoding: {error}") from None


def _read(buffer: memoryview, at: int, depth: int) -> tuple[Any, int]:
    return _reader(buffer[at])(buffer, at + 1, depth)


def _reader(code: int) -> Reader:
    try:
        return _READERS[code]
    except KeyError:
        raise DecodeError(f"no AMQP type has the constructor 0x{code:02x}") from None


def _deeper(depth: int) -> int:
    if depth >= MAX_DEPTH:
        raise DecodeError(f"values nested deeper than {MAX_DEPTH} levels")
    return depth + 1


def _constant(make: Callable[[], object]) -> Reader:
    return lambda _buffer, at, _depth: (make(), at)


def _fixed(layout: str, kind: Callable[[Any], object]) -> Reader:
    unpacker = struct.Struct(">" + layout)
    width, unpack = unpacker.size, unpacker.unpack_from
    return lambda buffer, at, _depth: (kind(unpack(buffer, at)[0]), at + width)


def _raw(width: int, kind: Callable[[bytes], object]) -> Reader:
    def read(buffer: memoryview, at: int, _depth: int) -> tuple[Any, int]:
        return kind(bytes(_slice(buffer, at, width))), at + width

    return read


def _slice(buffer: memoryview, at: int, size: int) -> memoryview:
    if at + size > len(buffer):
        raise DecodeError(f"{size} octets announced, {max(0, len(buffer) - at)} there")
    return buffer[at : at + size]


def _variable(layout: str, kind: Callable[[memoryview], object]) -> Reader:
    unpacker = struct.Struct(">" + layout)

    def read(buffer: memoryview, at: int, _depth: int) -> tuple[Any, int]:
        (size,) = unpacker.unpack_from(buffer, at)
        start = at + unpacker.size
        return kind(_slice(buffer, start, size)), start + size

    return read


def _compound(layout: str, finish: Callable[[memoryview, int, int], object]) -> Reader:
    """Read size and count, then hand the octets that the size covers to `finish`."""
    unpacker = struct.Struct(">" + layout)

    def read(buffer: memoryview, at: int, depth: int) -> tuple[Any, int]:
        (size,) = unpacker.unpack_from(buffer, at)
        content = _slice(buffer, at + unpacker.size, size)
        (count,) = unpacker.unpack_from(content, 0)
        value = finish(content[unpacker.size :], count, _deeper(depth))
        return value, at + unpacker.size + size

    return read


def _items(content: memoryview, count: int, depth: int) -> list[Any]:
    if count > len(content):
        raise DecodeError(f"{count} elements announced in {len(content)} octets")
    items = []
    at = 0
    for _ in range(count):
        item, at = _read(content, at, depth)
        items.append(item)
    if at != len(content):
        raise DecodeError(f"{len(content) - at} octets left after the last of {count} elements")
    return items


def _map(content: memoryview, count: int, depth: int) -> dict[Any, Any]:
    if count % 2:
        raise DecodeError(f"a map of {count} elements has a key without a value")
    items = _items(content, count, depth)
    try:
        return dict(zip(items[::2], items[1::2], strict=True))
    except TypeError:
        raise DecodeError("a list, map or array as the key of a map is not supported") from None


def _array(content: memoryview, count: int, depth: int) -> Array:
    code, at, descriptor = content[0], 1, None
    if code == 0:
        descriptor, at = _read(content, at, depth)
        if descriptor is None:
            raise DecodeError("an array's elements have null as their descriptor")
        code, at = content[at], at + 1
    read = _reader(code)
    if code == 0:
        raise DecodeError("an array's elements are described twice")
    # The upper half of a constructor tells the width of the data (types 1.2); 0x4 is none.
    limit = MAX_EMPTY_ELEMENTS if code >> 4 == 0x4 else len(content)
    if count > limit:
        raise DecodeError(f"an array announces {count} elements in {len(content)} octets")
    items = []
    for _ in range(count):
        item, at = read(content, at, depth)
        items.append(item)
    if at != len(content):
        raise DecodeError(f"{len(content) - at} octets left after the last element of an array")
    return Array(_ELEMENT_TYPES[code], tuple(items), descriptor)


def _described(buffer: memoryview, at: int, depth: int) -> tuple[Described, int]:
    depth = _deeper(depth)
    descriptor, at = _read(buffer, at, depth)
    value, at = _read(buffer, at, depth)
    return Described(descriptor, value), at


def _boolean(buffer: memoryview, at: int, _depth: int) -> tuple[bool, int]:
    if buffer[at] > 1:
        raise DecodeError(f"a boolean is 0 or 1, not {buffer[at]}")
    return buffer[at] == 1, at + 1


def _text(octets: memoryview) -> str:
    return str(octets, "utf-8")


def _symbol(octets: memoryview) -> Symbol:
    return Symbol(str(octets, "ascii"))


def _char(octets: bytes) -> Char:
    return Char(octets.decode("utf-32-be"))


_TABLE: list[tuple[int, type, Reader]] = [
    (0x00, Described, _described),
    (0x40, type(None), _constant(lambda: None)),
    (0x41, bool, _constant(lambda: True)),
    (0x42, bool, _constant(lambda: False)),
    (0x43, UInt, _constant(lambda: UInt(0))),
    (0x44, ULong, _constant(lambda: ULong(0))),
    (0x45, list, _constant(list)),
    (0x50, UByte, _fixed("B", UByte)),
    (0x51, Byte, _fixed("b", Byte)),
    (0x52, UInt, _fixed("B", UInt)),
    (0x53, ULong, _fixed("B", ULong)),
    (0x54, Int, _fixed("b", Int)),
    (0x55, int, _fixed("b", int)),
    (0x56, bool, _boolean),
    (0x60, UShort, _fixed("H", UShort)),
    (0x61, Short, _fixed("h", Short)),
    (0x70, UInt, _fixed("I", UInt)),
    (0x71, Int, _fixed("i", Int)),
    (0x72, Float, _fixed("f", Float)),
    (0x73, Char, _raw(4, _char)),
    (0x74, Decimal, _raw(4, Decimal)),
    (0x80, ULong, _fixed("Q", ULong)),
    (0x81, int, _fixed("q", int)),
    (0x82, float, _fixed("d", float)),
    (0x83, Timestamp, _fixed("q", Timestamp)),
    (0x84, Decimal, _raw(8, Decimal)),
    (0x94, Decimal, _raw(16, Decimal)),
    (0x98, UUID, _raw(16, lambda octets: UUID(bytes=octets))),
    (0xA0, bytes, _variable("B", bytes)),
    (0xA1, str, _variable("B", _text)),
    (0xA3, Symbol, _variable("B", _symbol)),
    (0xB0, bytes, _variable("I", bytes)),
    (0xB1, str, _variable("I", _text)),
    (0xB3, Symbol, _variable("I", _symbol)),
    (0xC0, list, _compound("B", _items)),
    (0xC1, dict, _compound("B", _map)),
    (0xD0, list, _compound("I", _items)),
    (0xD1, dict, _compound("I", _map)),
    (0xE0, Array, _compound("B", _array)),
    (0xF0, Array, _compound("I", _array)),
]
_READERS: dict[int, Reader] = {code: reader for code, _, reader in _TABLE}
_ELEMENT_TYPES: dict[int, type] = {code: kind for code, kind, _ in _TABLE}
