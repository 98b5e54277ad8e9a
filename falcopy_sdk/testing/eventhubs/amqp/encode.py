"""Python values to AMQP 1.0 octets (types 1.2 to 1.6)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any
from uuid import UUID

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
    from collections.abc import Callable, Iterable

    Writer = Callable[[Any], bytes]

_DECIMAL_CODES = {4: b"\x74", 8: b"\x84", 16: b"\x94"}


def encode(value: object) -> bytes:
    """Encode one value with its constructor, in the shortest form there is.

    Args:
        value: A value of one of the types that `amqp.types` lists.

    Raises:
        TypeError: When no AMQP type stands for the value's class.
        ValueError: When the value does not fit its type.
    """
    try:
        writer = _WRITERS[type(value)]
    except KeyError:
        raise TypeError(f"no AMQP type stands for {type(value).__name__}") from None
    return writer(value)


def _packed(code: int, layout: str) -> Writer:
    pack = struct.Struct(">B" + layout).pack

    def write(value: Any) -> bytes:
        try:
            return pack(code, value)
        except (struct.error, OverflowError) as error:
            raise ValueError(f"{value!r} does not fit AMQP type 0x{code:02x}: {error}") from None

    return write


def _short_or_packed(small: Callable[[int], bytes | None], packed: Writer) -> Writer:
    def write(value: int) -> bytes:
        return small(value) or packed(value)

    return write


def _small_unsigned(zero: bytes, code: bytes) -> Callable[[int], bytes | None]:
    def small(value: int) -> bytes | None:
        if value == 0:
            return zero
        return code + value.to_bytes(1, "big") if value < 256 else None

    return small


def _small_signed(code: bytes) -> Callable[[int], bytes | None]:
    def small(value: int) -> bytes | None:
        return code + value.to_bytes(1, "big", signed=True) if -128 <= value < 128 else None

    return small


def _sized(small: int, large: int, content: bytes) -> bytes:
    if len(content) < 256:
        return struct.pack(">BB", small, len(content)) + content
    return struct.pack(">BI", large, len(content)) + content


def _compound(small: int, large: int, items: Iterable[object], count: int) -> bytes:
    content = b"".join(map(encode, items))
    if count < 256 and len(content) < 255:
        return struct.pack(">BBB", small, len(content) + 1, count) + content
    return struct.pack(">BII", large, len(content) + 4, count) + content


def _write_list(value: list[object] | tuple[object, ...]) -> bytes:
    return _compound(0xC0, 0xD0, value, len(value)) if value else b"\x45"


def _write_map(value: dict[object, object]) -> bytes:
    items = [part for pair in value.items() for part in pair]
    return _compound(0xC1, 0xD1, items, len(items))


def _write_described(value: Described) -> bytes:
    return b"\x00" + encode(value.descriptor) + encode(value.value)


def _write_decimal(value: Decimal) -> bytes:
    if len(value) not in _DECIMAL_CODES:
        raise ValueError(f"a decimal has 4, 8 or 16 octets, not {len(value)}")
    return _DECIMAL_CODES[len(value)] + value


def _write_array(value: Array) -> bytes:
    code, write = _element(value.element, value.items)
    constructor = bytes((code,))
    if value.descriptor is not None:
        constructor = b"\x00" + encode(value.descriptor) + constructor
    content = constructor + b"".join(map(write, value.items))
    if len(value.items) < 256 and len(content) < 255:
        return struct.pack(">BBB", 0xE0, len(content) + 1, len(value.items)) + content
    return struct.pack(">BII", 0xF0, len(content) + 4, len(value.items)) + content


def _element(element: type, items: tuple[object, ...]) -> tuple[int, Writer]:
    """Return the constructor code that fits every value of a type, and the writer of its data."""
    for item in items:
        if type(item) is not element:
            raise TypeError(
                f"an array of {element.__name__} cannot hold a {type(item).__name__}: {item!r}"
            )
    if element is Decimal:
        widths = {len(item) for item in items if isinstance(item, Decimal)} or {16}
        if len(widths) > 1:
            raise ValueError("the decimals of an array must all have one width")
        return _DECIMAL_CODES[widths.pop()][0], bytes
    try:
        return _ELEMENTS[element]
    except KeyError:
        raise TypeError(f"no AMQP type stands for {element.__name__} in an array") from None


def _without_code(write: Writer) -> Writer:
    return lambda value: write(value)[1:]


def _counted(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def _large_compound(items: Iterable[object], count: int) -> bytes:
    return _counted(count.to_bytes(4, "big") + b"".join(map(encode, items)))


def _large_array(value: Array) -> bytes:
    code, write = _element(value.element, value.items)
    constructor = bytes((code,))
    if value.descriptor is not None:
        constructor = b"\x00" + encode(value.descriptor) + constructor
    content = constructor + b"".join(map(write, value.items))
    return _counted(len(value.items).to_bytes(4, "big") + content)


_UINT = _packed(0x70, "I")
_ULONG = _packed(0x80, "Q")
_INT = _packed(0x71, "i")
_LONG = _packed(0x81, "q")
_UUID: Writer = lambda value: b"\x98" + value.bytes  # noqa: E731 - one of a row of writers
_CHAR: Writer = lambda value: b"\x73" + value.encode("utf-32-be")  # noqa: E731

# Type, constructor code that fits every value, writer of one value with its constructor.
_FIXED: list[tuple[type, int, Writer]] = [
    (UByte, 0x50, _packed(0x50, "B")),
    (UShort, 0x60, _packed(0x60, "H")),
    (UInt, 0x70, _UINT),
    (ULong, 0x80, _ULONG),
    (Byte, 0x51, _packed(0x51, "b")),
    (Short, 0x61, _packed(0x61, "h")),
    (Int, 0x71, _INT),
    (int, 0x81, _LONG),
    (Float, 0x72, _packed(0x72, "f")),
    (float, 0x82, _packed(0x82, "d")),
    (bool, 0x56, _packed(0x56, "?")),
    (Timestamp, 0x83, _packed(0x83, "q")),
    (UUID, 0x98, _UUID),
    (Char, 0x73, _CHAR),
]

_WRITERS: dict[type, Writer] = {kind: write for kind, _, write in _FIXED} | {
    type(None): lambda _: b"\x40",
    bool: lambda value: b"\x41" if value else b"\x42",
    UInt: _short_or_packed(_small_unsigned(b"\x43", b"\x52"), _UINT),
    ULong: _short_or_packed(_small_unsigned(b"\x44", b"\x53"), _ULONG),
    Int: _short_or_packed(_small_signed(b"\x54"), _INT),
    int: _short_or_packed(_small_signed(b"\x55"), _LONG),
    str: lambda value: _sized(0xA1, 0xB1, value.encode()),
    Symbol: lambda value: _sized(0xA3, 0xB3, value.encode("ascii")),
    bytes: lambda value: _sized(0xA0, 0xB0, value),
    Decimal: _write_decimal,
    list: _write_list,
    tuple: _write_list,
    dict: _write_map,
    Described: _write_described,
    Array: _write_array,
}

_ELEMENTS: dict[type, tuple[int, Writer]] = {
    kind: (code, _without_code(write)) for kind, code, write in _FIXED
} | {
    type(None): (0x40, lambda _: b""),
    str: (0xB1, lambda value: _counted(value.encode())),
    Symbol: (0xB3, lambda value: _counted(value.encode("ascii"))),
    bytes: (0xB0, _counted),
    list: (0xD0, lambda value: _large_compound(value, len(value))),
    dict: (
        0xD1,
        lambda value: _large_compound([p for pair in value.items() for p in pair], 2 * len(value)),
    ),
    Array: (0xF0, _large_array),
}
