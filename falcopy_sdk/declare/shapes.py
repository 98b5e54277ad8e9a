"""The kinds of configuration values: each knows its JSON Schema and its Python type.

A value takes two steps. ``restore`` undoes what hosts did to it on the way from YAML to JSON; the
result is checked against ``schema()``. ``build`` then makes the Python value, and needs no checks.
"""
# ruff: noqa: D102 - the methods are documented once, in Shape

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from falcopy_sdk.declare.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Boolean",
    "Choice",
    "ListOf",
    "MapOf",
    "Nullable",
    "Number",
    "Path",
    "Problem",
    "Shape",
    "Text",
    "WholeNumber",
]

Path: TypeAlias = tuple[str | int, ...]
#: Where, and what is wrong there.
Problem: TypeAlias = tuple[Path, str]

# Falco turns every YAML scalar of a map, quoted or not, into the first that fits of an int of 32
# bits, a double, a boolean and a text (userspace/engine/yaml_helper.h).
_INT32: Final = 2**31
_EXACT: Final = 2**53
_LOST_DIGITS: Final = (
    "arrived as a number with too many digits to be exact; "
    "write init_config as a JSON text to keep them"
)


class Shape(ABC):
    """One kind of value."""

    __slots__ = ()

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """Return its JSON Schema (draft 7)."""

    @abstractmethod
    def dump(self, value: Any) -> Any:
        """Return a Python value, a default, as JSON; raise TypeError if it is of another type."""

    def restore(self, value: Any, path: Path, problems: list[Problem]) -> Any:
        """Undo the host's coercion; what does not fit anyway is returned as it is."""
        return value

    def build(self, value: Any, path: Path) -> Any:
        """Make the Python value from one that the schema allows."""
        return value


def _whole(value: Any, path: Path, problems: list[Problem]) -> Any:
    """Return a whole double as the integer it was."""
    if not isinstance(value, float) or not value.is_integer():
        return value
    if abs(value) >= _EXACT:
        problems.append((path, _LOST_DIGITS))
    return int(value)


def _text(value: Any, path: Path, problems: list[Problem]) -> Any:
    """Return the text that a host made a number or boolean of."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and abs(value) >= _INT32:
        value = _whole(value, path, problems)
    return repr(value) if isinstance(value, (int, float)) else value


@dataclass(frozen=True, slots=True)
class Text(Shape):
    """A text, as ``str``, ``pathlib.Path`` or ``Secret``."""

    cls: type[Any] = str
    keywords: Mapping[str, Any] = field(default_factory=dict)

    def schema(self) -> dict[str, Any]:
        if self.cls is Secret:
            return {"type": "string", "writeOnly": True, "minLength": 1, **self.keywords}
        return {"type": "string", **self.keywords}

    def restore(self, value: Any, path: Path, problems: list[Problem]) -> Any:
        return _text(value, path, problems)

    def build(self, value: Any, path: Path) -> Any:
        return self.cls(value)

    def dump(self, value: Any) -> Any:
        if not isinstance(value, self.cls):
            raise TypeError
        return str(value)


@dataclass(frozen=True, slots=True)
class Scalar(Shape):
    """A value that JSON has as such."""

    types: ClassVar[tuple[type, ...]]
    name: ClassVar[str]
    keywords: Mapping[str, Any] = field(default_factory=dict)

    def schema(self) -> dict[str, Any]:
        return {"type": self.name, **self.keywords}

    def dump(self, value: Any) -> Any:
        if type(value) not in self.types:
            raise TypeError
        return value


class Boolean(Scalar):
    """A ``bool``."""

    __slots__ = ()
    types = (bool,)
    name = "boolean"


class WholeNumber(Scalar):
    """An ``int``."""

    __slots__ = ()
    types = (int,)
    name = "integer"

    def restore(self, value: Any, path: Path, problems: list[Problem]) -> Any:
        return _whole(value, path, problems)


class Number(Scalar):
    """A ``float``; whole numbers as well."""

    __slots__ = ()
    types = (int, float)
    name = "number"

    def build(self, value: Any, path: Path) -> Any:
        return float(value)


@dataclass(frozen=True, slots=True)
class Choice(Shape):
    """One of a few values: of a ``Literal``, or members of an enumeration by their values."""

    members: tuple[tuple[str | int | bool, Any], ...]

    def schema(self) -> dict[str, Any]:
        return {"enum": [plain for plain, _ in self.members]}

    def restore(self, value: Any, path: Path, problems: list[Problem]) -> Any:
        if all(isinstance(plain, str) for plain, _ in self.members):
            return _text(value, path, problems)
        return _whole(value, path, problems)

    def build(self, value: Any, path: Path) -> Any:
        # By type as well, since 1 == True.
        return next(m for plain, m in self.members if (type(plain), plain) == (type(value), value))

    def dump(self, value: Any) -> Any:
        for plain, member in self.members:
            if type(member) is type(value) and member == value:
                return plain
        raise TypeError


@dataclass(frozen=True, slots=True)
class ListOf(Shape):
    """A ``list`` or ``tuple`` of one kind."""

    element: Shape
    cls: type[list[Any]] | type[tuple[Any, ...]] = list
    keywords: Mapping[str, Any] = field(default_factory=dict)

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.element.schema(), **self.keywords}

    def restore(self, value: Any, path: Path, problems: list[Problem]) -> Any:
        if not isinstance(value, list):
            return value
        return [self.element.restore(v, (*path, i), problems) for i, v in enumerate(value)]

    def build(self, value: Any, path: Path) -> Any:
        return self.cls(self.element.build(v, (*path, i)) for i, v in enumerate(value))

    def dump(self, value: Any) -> Any:
        if not isinstance(value, self.cls):
            raise TypeError
        return [self.element.dump(item) for item in value]


@dataclass(frozen=True, slots=True)
class MapOf(Shape):
    """A ``dict`` from text to one kind."""

    element: Shape
    keywords: Mapping[str, Any] = field(default_factory=dict)

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "additionalProperties": self.element.schema(),
            **self.keywords,
        }

    def restore(self, value: Any, path: Path, problems: list[Problem]) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: self.element.restore(v, (*path, k), problems) for k, v in value.items()}

    def build(self, value: Any, path: Path) -> Any:
        return {k: self.element.build(v, (*path, k)) for k, v in value.items()}

    def dump(self, value: Any) -> Any:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise TypeError
        return {key: self.element.dump(item) for key, item in value.items()}


@dataclass(frozen=True, slots=True)
class Nullable(Shape):
    """Another kind, or None."""

    inner: Shape

    def schema(self) -> dict[str, Any]:
        schema = self.inner.schema()
        if "enum" in schema:
            return {**schema, "enum": [*schema["enum"], None]}
        return {**schema, "type": [schema["type"], "null"]}

    def restore(self, value: Any, path: Path, problems: list[Problem]) -> Any:
        return None if value is None else self.inner.restore(value, path, problems)

    def build(self, value: Any, path: Path) -> Any:
        return None if value is None else self.inner.build(value, path)

    def dump(self, value: Any) -> Any:
        return None if value is None else self.inner.dump(value)
