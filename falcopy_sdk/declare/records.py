"""The shape of a configuration dataclass; see :mod:`falcopy_sdk.declare.shapes`."""
# ruff: noqa: D102 - the methods are documented once, in Shape

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from falcopy_sdk.declare.secret import Secret
from falcopy_sdk.declare.shapes import Nullable, Path, Problem, Shape, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["REQUIRED", "Entry", "Record", "RefusedError"]

#: "No default".
REQUIRED: Final = object()


class Entry(NamedTuple):
    """One key of a record.

    Attributes:
        shape: The kind of its value.
        description: From ``Annotated``.
        default: As JSON, for documentation; None: there is one that JSON cannot show;
            ``REQUIRED``: there is none.
    """

    shape: Shape
    description: str
    default: Any

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the value, with its description and default."""
        schema = self.shape.schema()
        if self.description:
            schema["description"] = self.description
        if self.default is not None and self.default is not REQUIRED:
            schema["default"] = self.default
        return schema

    def is_absent(self, value: Any) -> bool:
        """Tell whether a value stands for "not given"."""
        if value == "":
            # What an environment variable that is not set expands to, ${TOKEN}, is no secret.
            shape = self.shape.inner if isinstance(self.shape, Nullable) else self.shape
            return isinstance(shape, Text) and shape.cls is Secret
        return value is None and not (self.default is REQUIRED and isinstance(self.shape, Nullable))


@dataclass(frozen=True, slots=True)
class Record(Shape):
    """A dataclass: a fixed set of keys, each of its own kind."""

    cls: Callable[..., Any]
    entries: Mapping[str, Entry]
    #: Keys beyond these are passed over instead of being an error.
    open: bool
    description: str = ""

    def schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "object"}
        if self.description:
            schema["description"] = self.description
        schema["properties"] = {key: entry.schema() for key, entry in self.entries.items()}
        required = [key for key, entry in self.entries.items() if entry.default is REQUIRED]
        if required:
            schema["required"] = required
        return {**schema, "additionalProperties": self.open}

    def restore(self, value: Any, path: Path, problems: list[Problem]) -> Any:
        if not isinstance(value, dict):
            return value
        restored = {}
        for key, item in value.items():
            entry = self.entries.get(key)
            if entry is None:
                restored[key] = item
            elif not entry.is_absent(item):
                restored[key] = entry.shape.restore(item, (*path, key), problems)
        return restored

    def build(self, value: Any, path: Path) -> Any:
        given = {
            key: self.entries[key].shape.build(item, (*path, key))
            for key, item in value.items()
            if key in self.entries
        }
        try:
            return self.cls(**given)
        except (TypeError, ValueError) as error:
            # __post_init__ refused the values.
            raise RefusedError(path, str(error) or type(error).__name__) from error

    def dump(self, value: Any) -> Any:
        if not isinstance(self.cls, type) or not isinstance(value, self.cls):
            raise TypeError
        return {key: entry.shape.dump(getattr(value, key)) for key, entry in self.entries.items()}


class RefusedError(Exception):
    """A dataclass of the configuration refused its values."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason
