"""JSON documents with one place changed, as hypothesis chooses it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

_GONE = object()
#: Stands for arrays in arrays, deeper than any reader goes.
_DEEP = "deeper than any reader goes"
_VALUES = [
    *(_GONE, None, True, -1, 0, 2**70, 1.5, float("nan")),
    *("", "x", "\ud800", "\x1b[2J", "é" * 3000, "sha256:" + "0" * 64, "application/x"),
    *([], {}, [[]], [None], ["x"], [{}], {"a": None}, {"sha256": []}, _DEEP),
]


def _places(document: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    if isinstance(document, dict):
        for key, value in document.items():
            yield from _places(value, (*place, key))
    elif isinstance(document, list):
        for number, value in enumerate(document[:4]):
            yield from _places(value, (*place, number))


def changed(data: st.DataObject, document: Any) -> Any:
    """A copy with a value replaced or taken out."""
    # The document itself, then by depth: what is near the top decides more.
    places = sorted(_places(document), key=lambda place: (len(place), str(place)))
    place = data.draw(st.sampled_from(places), label="place")
    value = data.draw(st.sampled_from(_VALUES), label="value")
    if not place:
        return None if value is _GONE else value
    made = copy.deepcopy(document)
    holder = made
    for step in place[:-1]:
        holder = holder[step]
    if value is _GONE:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    return made


def written(document: Any) -> bytes:
    text = json.dumps(document)
    deep = 50_000
    return text.replace(json.dumps(_DEEP), "[" * deep + "]" * deep).encode()
