"""Values of a decoded audit event: their text, and the walk through arrays.

An event is decoded by orjson, so every container is exactly a ``dict`` or a ``list``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HOLE", "get", "render", "to_json", "walk"]


class _Hole:
    """The type of :data:`HOLE`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "HOLE"


#: Stands for a value that is not there; a JSON null is a value (None).
HOLE: Final = _Hole()


def to_json(value: object) -> bytes:
    """The compact JSON text of a decoded value, key order kept, UTF-8.

    Raises:
        RecursionError: It is nested deeper than the interpreter's recursion limit.
    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        # orjson writes 254 levels but reads 1024. The API server's own reader, and with it the
        # Go plugins, go to 300 at most.
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def render(value: object) -> str:
    """The text of a JSON value: a string as it is, anything else as compact JSON.

    A null is therefore the text ``null``.
    """
    if type(value) is str:
        return value
    return to_json(value).decode()


def get(value: Any, *keys: str) -> Any:
    """The member of nested objects that ``keys`` name, or :data:`HOLE`.

    Anything but an object on the way, an array too, means that there is no such member.
    """
    for key in keys:
        if type(value) is not dict:
            return HOLE
        value = value.get(key, HOLE)
    return value


def walk(value: Any, keys: tuple[str, ...], index: int | None = None) -> list[Any] | None:
    """Follow ``keys`` through objects and arrays.

    Before each key, an array without an index is mapped: the rest of the path is applied to each
    element and the results are joined, with one :data:`HOLE` for an element in which the rest is
    missing. Arrays directly in arrays count as one. With an index only that element is followed.
    An array at the end of the path is one value. The key ``""`` stands for the value itself.

    Args:
        value: Where to start.
        keys: The path.
        index: Of the element to follow in each array crossed.

    Returns:
        The values found and the holes, in document order; None if the path is missing: a member
        that does not exist and no array before it, or an index beyond the array.
    """
    for position, key in enumerate(keys):
        if type(value) is list:
            if index is None:
                return _map(value, keys, position)
            if not 0 <= index < len(value):
                return None
            value = value[index]
        if key:
            if type(value) is not dict:
                return None
            value = value.get(key, HOLE)
            if value is HOLE:
                return None
    return [value]


def _map(array: list[Any], keys: tuple[str, ...], position: int) -> list[Any]:
    rest = keys[position:]
    found: list[Any] = []
    for element in array:
        value = element
        # A container or volume with objects all the way down, nearly always.
        for key in rest:
            if type(value) is not dict or not key:
                break
            value = value.get(key, HOLE)
        else:
            found.append(value)
            continue
        if value is HOLE:
            found.append(HOLE)
        else:
            _map_odd(element, rest, found)
    return found


def _map_odd(element: Any, keys: tuple[str, ...], found: list[Any]) -> None:
    """Add what an element of any shape has under ``keys``."""
    for each in _elements(element) if type(element) is list else (element,):
        values = walk(each, keys)
        if values is None:
            found.append(HOLE)
        else:
            found += values


def _elements(array: list[Any]) -> Iterator[Any]:
    """The elements of an array and of arrays directly in it; not recursive, whatever the depth."""
    pending = [iter(array)]
    while pending:
        for element in pending[-1]:
            if type(element) is list:
                pending.append(iter(element))
                break
            yield element
        else:
            pending.pop()
