"""Composite types: described lists whose fields have names, types and an order (types 1.4).

Lists are written in full length: the Azure client reads fields by position and fails on the
shorter lists that the standard allows. Lists of any length are read.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from .conditions import DecodeError
from .encode import encode
from .types import Array, Described, SizedInt, Symbol, ULong

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Slot:
    """How one field of a composite type is read and written.

    Attributes:
        read: From the decoded value, never None; raises DecodeError when its type is wrong.
        write: To a value that can be encoded, never None.
        required: Whether null is an error (``mandatory="true"`` in the standard).
    """

    read: Callable[[Any], object]
    write: Callable[[Any], object]
    required: bool = False

    def must(self) -> Slot:
        """Return this slot as a mandatory one."""
        return dataclasses.replace(self, required=True)


def primitive(kind: type) -> Slot:
    """Return the slot of a primitive type."""
    write = kind if issubclass(kind, SizedInt | Symbol) else _unchanged

    def read(value: object) -> object:
        # bool is an int for Python, and a Symbol a str, but not on the wire.
        if type(value) is kind or (kind is str and isinstance(value, str)):
            return value
        raise DecodeError(f"a {kind.__name__} was expected, not {type(value).__name__}")

    return Slot(read, write)


def _unchanged(value: Any) -> Any:
    return value


def _read_symbols(value: object) -> tuple[str, ...]:
    items = value.items if isinstance(value, Array) else (value,)
    if not all(isinstance(item, Symbol) for item in items):
        raise DecodeError("a symbol or an array of symbols was expected")
    return tuple(str(item) for item in items)


def _write_symbols(value: tuple[str, ...]) -> Array | None:
    # An empty array is not sent: the Azure client misreads it.
    return Array(Symbol, tuple(map(Symbol, value))) if value else None


ANYTHING = Slot(_unchanged, _unchanged)
SYMBOLS = Slot(_read_symbols, _write_symbols)
"""A field with ``multiple="true"`` of type symbol (types 1.4)."""


class Composite:
    """Base of the composite types; each is a dataclass with its fields in the standard's order."""

    code: ClassVar[int]
    """The low half of the descriptor; the high half, the domain, is 0 (types 1.2)."""
    symbol: ClassVar[str]
    """The symbolic descriptor."""
    layout: ClassVar[tuple[Slot, ...]]
    """One slot for each field of the dataclass."""

    def described(self) -> Described:
        """Return the value to encode, with every field in its place."""
        values = []
        for name, slot in zip(field_names(type(self)), self.layout, strict=True):
            value = getattr(self, name)
            values.append(None if value is None else slot.write(value))
        return Described(ULong(self.code), values)

    def encoded(self) -> bytes:
        """Return the octets."""
        return encode(self.described())

    @classmethod
    def from_fields(cls, fields: object) -> Self:
        """Build the object from the list that followed the descriptor.

        Raises:
            DecodeError: When the list has too many fields, a wrong one, or lacks a mandatory one.
        """
        if not isinstance(fields, list):
            raise DecodeError(f"{cls.symbol}: a list was expected, not {type(fields).__name__}")
        if len(fields) > len(cls.layout):
            raise DecodeError(f"{cls.symbol}: {len(fields)} fields, {len(cls.layout)} are known")
        fields += [None] * (len(cls.layout) - len(fields))
        values: dict[str, object] = {}
        for name, slot, value in zip(field_names(cls), cls.layout, fields, strict=True):
            if value is not None:
                try:
                    values[name] = slot.read(value)
                except DecodeError as error:
                    raise DecodeError(f"{cls.symbol}, {name}: {error.description}") from None
            elif slot.required:
                raise DecodeError(f"{cls.symbol}: the mandatory field {name} is null")
        return cls(**values)


_FIELD_NAMES: dict[type[Composite], tuple[str, ...]] = {}


def field_names(cls: type[Composite]) -> tuple[str, ...]:
    """Return the names of a composite type's fields, in order."""
    if cls not in _FIELD_NAMES:
        # A Composite is abstract; what reaches this point is always a dataclass.
        _FIELD_NAMES[cls] = tuple(f.name for f in dataclasses.fields(cls))  # type: ignore[arg-type]
    return _FIELD_NAMES[cls]


C = TypeVar("C", bound=Composite)


def read_one_of(value: object, kinds: tuple[type[C], ...]) -> C:
    """Read a described list as the one of some composite types that its descriptor names.

    Raises:
        DecodeError: When it is none of them.
    """
    if isinstance(value, Described):
        for kind in kinds:
            if value.descriptor in (kind.code, kind.symbol):
                return kind.from_fields(value.value)
        raise DecodeError(f"unexpected descriptor {value.descriptor!r}")
    raise DecodeError(f"a described list was expected, not {type(value).__name__}")


def slots(*of: Slot) -> tuple[Slot, ...]:
    """Return the layout of a composite type: one slot a field, in the standard's order."""
    return of


def composite(*kinds: type[Composite]) -> Slot:
    """Return the slot of a field that holds one of some composite types."""
    return Slot(lambda value: read_one_of(value, kinds), lambda value: value.described())
