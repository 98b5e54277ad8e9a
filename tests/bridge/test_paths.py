"""Declarative fields that go through lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from falcopy_sdk import DeclarationError, Event, extract, plugin, source

ABOUT = {"version": "0.1.0", "description": "For tests", "contact": "https://example.org"}


@plugin(name="paths", id=999, event_source="paths", **ABOUT)
class Paths:
    @source
    def events(self, params: str) -> Iterator[Event]:
        yield Event(params)

    names = extract.path("p.names", "a", "b", "n", type=list[str], each=True, null="null", desc="N")
    strict = extract.path("p.strict", "a", "b", "n", type=list[str], each=True, desc="N")
    numbers = extract.path("p.numbers", "a", "n", type=list[int], each=True, desc="N")


@pytest.mark.parametrize(
    ("event", "field", "expected"),
    [
        ('{"a":{"b":[{"n":"x"},{"n":"y"}]}}', "p.names", ["x", "y"]),
        ('{"a":{"b":[{"n":"x"},{},{"n":"z"}]}}', "p.names", ["x", "z"]),
        ('{"a":{"b":[{"n":"x"},{"n":null},5]}}', "p.names", ["x", "null"]),
        ('{"a":{"b":[{"n":"x"},{"n":null}]}}', "p.strict", ["x"]),
        ('{"a":{"b":{"n":"x"}}}', "p.names", ["x"]),
        ('{"a":[{"b":{"n":"x"}},{"b":[{"n":"y"}]}]}', "p.names", ["x", "y"]),
        ('{"a":{"b":[[{"n":"x"}],[[{"n":"y"}]]]}}', "p.names", ["x", "y"]),
        ('{"a":{"b":[{"n":["x",1]}]}}', "p.names", ['["x",1]']),
        ('{"a":{"b":[{"n":1},{"n":true},{"n":1.5}]}}', "p.names", ["1", "true", "1.5"]),
        ('{"a":{"b":[]}}', "p.names", None),
        ('{"a":{}}', "p.names", None),
        ('{"a":{"b":[{"n":"x"},{"n":"y"}]}}', "p.names[1]", ["y"]),
        ('{"a":{"b":[{"n":"x"},{"n":"y"}]}}', "p.names[2]", None),
        ('{"a":{"b":[{},{"n":"y"}]}}', "p.names[0]", None),
        ('{"a":{"b":{"n":"x"}}}', "p.names[7]", ["x"]),
        ('{"a":{"b":[[{"n":"x"}]]}}', "p.names[0]", None),
        ('{"a":{"b":[{"n":"x"}]}}', f"p.names[{2**63}]", None),
        ('{"a":{"b":[{"n":"x"}]}}', f"p.names[{2**64 - 2}]", None),
        ('{"a":[{"n":1},{"n":"2"},{"n":-1}]}', "p.numbers", [1, 2]),
    ],
)
def test_lists_on_the_way_are_followed(opened: Any, event: str, field: str, expected: Any) -> None:
    plugin_, instance = opened(Paths, params=event)
    (found,) = instance.events(limit=1)
    assert plugin_.extract(found, field) == expected


def test_a_path_through_lists_needs_a_list_type() -> None:
    with pytest.raises(DeclarationError, match=r"each=True gives several values.*list\[\.\.\.\]"):

        @plugin(name="wrong", **ABOUT)
        class Wrong:
            one = extract.path("w.one", "a", "b", each=True, desc="One")
