"""Python stand-ins for the AMQP 1.0 primitive types (types 1.6).

Python's own types carry the types they match: ``None`` null, ``bool`` boolean, ``int`` long,
``float`` double, ``str`` string, ``bytes`` binary, ``uuid.UUID`` uuid, ``list`` list, ``dict``
map. The classes here carry the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self


class SizedInt(int):
    """An integer of a fixed width.

    Raises:
        ValueError: When the value does not fit.
    """

    low: ClassVar[int]
    high: ClassVar[int]

    def __new__(cls, value: int) -> Self:
        """Check the value."""
        if not cls.low <= value <= cls.high:
            raise ValueError(f"{value} does not fit {cls.__name__} ({cls.low} to {cls.high})")
        return super().__new__(cls, value)


class UByte(SizedInt):
    """An unsigned integer of 8 bits (types 1.6.3)."""

    low, high = 0, 2**8 - 1


class UShort(SizedInt):
    """An unsigned integer of 16 bits (types 1.6.4)."""

    low, high = 0, 2**16 - 1


class UInt(SizedInt):
    """An unsigned integer of 32 bits (types 1.6.5)."""

    low, high = 0, 2**32 - 1


class ULong(SizedInt):
    """An unsigned integer of 64 bits (types 1.6.6)."""

    low, high = 0, 2**64 - 1


class Byte(SizedInt):
    """A signed integer of 8 bits (types 1.6.7)."""

    low, high = -(2**7), 2**7 - 1


class Short(SizedInt):
    """A signed integer of 16 bits (types 1.6.8)."""

    low, high = -(2**15), 2**15 - 1


class Int(SizedInt):
    """A signed integer of 32 bits (types 1.6.9)."""

    low, high = -(2**31), 2**31 - 1


class Timestamp(SizedInt):
    """Milliseconds since the Unix epoch, signed, 64 bits (types 1.6.17)."""

    low, high = -(2**63), 2**63 - 1


class Float(float):
    """A binary floating point number of 32 bits (types 1.6.11)."""


class Char(str):
    """One Unicode character (types 1.6.16)."""

    __slots__ = ()


class Symbol(str):
    """A symbolic value from a constrained domain, ASCII (types 1.6.21)."""

    __slots__ = ()


class Decimal(bytes):
    """The raw octets of a decimal32, decimal64 or decimal128 (types 1.6.13 to 1.6.15)."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Described:
    """A value with its descriptor (types 1.3)."""

    descriptor: object
    value: object


@dataclass(frozen=True, slots=True)
class Array:
    """Values of one type (types 1.6.24).

    Attributes:
        element: The Python class that stands for the elements' type.
        items: The elements, each an instance of it.
        descriptor: The descriptor all elements share, if they are of a described type.
    """

    element: type
    items: tuple[object, ...]
    descriptor: object = None
