"""Well-declared fields: types, arguments, descriptions, groups."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Annotated, NewType, Optional

import pytest

from falcopy_sdk import (
    Event,
    FieldType,
    extract,
    plugin,
    plugin_spec,
)
from falcopy_sdk.declare.spec import ArgumentKind

if TYPE_CHECKING:
    pass  # used in an annotation that must not be evaluated

IDENTITY = {"name": "acme", "version": "0.1.0", "description": "Acme", "contact": "acme@example"}
SOURCE = {**IDENTITY, "id": 999, "event_source": "acme"}

UserName = NewType("UserName", str)


@pytest.mark.parametrize(
    ("annotation", "type_", "is_list"),
    [
        (str, FieldType.STRING, False),
        (int, FieldType.UINT64, False),
        (bool, FieldType.BOOL, False),
        (datetime, FieldType.ABSTIME, False),
        (timedelta, FieldType.RELTIME, False),
        (IPv4Address, FieldType.IPADDR, False),
        (IPv4Address | IPv6Address, FieldType.IPADDR, False),
        (IPv4Address | IPv6Address | None, FieldType.IPADDR, False),
        (IPv4Network | IPv6Network, FieldType.IPNET, False),
        (IPv6Network | None, FieldType.IPNET, False),
        (str | None, FieldType.STRING, False),
        (Optional[int], FieldType.UINT64, False),  # noqa: UP045 - the old spelling
        (list[str], FieldType.STRING, True),
        (list[int] | None, FieldType.UINT64, True),
        (list[IPv4Address | IPv6Address], FieldType.IPADDR, True),
        (tuple[str, ...], FieldType.STRING, True),
        (Sequence[bool], FieldType.BOOL, True),
        (UserName, FieldType.STRING, False),
        (Annotated[str | None, "a note"], FieldType.STRING, False),
        (list[Annotated[UserName, "a note"]], FieldType.STRING, True),
        ("Sequence[UserName] | None", FieldType.STRING, True),
    ],
)
def test_annotations_give_types(annotation, type_, is_list):
    def get(self, event):
        """What it is."""

    get.__annotations__["return"] = annotation
    cls = type("Acme", (), {"get": extract("acme.x")(get), "__module__": __name__})
    (field,) = plugin_spec(plugin(**IDENTITY)(cls)).fields
    assert (field.type, field.is_list) == (type_, is_list)
    with_path = type("Acme", (), {"x": extract.path("acme.x", "x", desc="x", type=annotation)})
    if not isinstance(annotation, str):
        (field,) = plugin_spec(plugin(**IDENTITY)(with_path)).fields
        assert (field.type, field.is_list) == (type_, is_list)


def test_the_parameter_after_the_event_gives_the_kind_of_argument():
    @plugin(**IDENTITY)
    class Acme:
        @extract("acme.plain")
        def plain(self, event) -> str: ...

        @extract("acme.key")
        def key(self, event, key: str) -> str: ...

        @extract("acme.optkey")
        def optional_key(self, event, name: str | None = None) -> str: ...

        @extract("acme.index")
        def index(self, event, /, index: int) -> str: ...

        @extract("acme.optindex")
        def optional_index(self, event, index: Optional[int] = None) -> str: ...  # noqa: UP045

    assert [field.argument for field in plugin_spec(Acme).fields] == [
        ArgumentKind(),
        ArgumentKind(is_required=True, is_key=True),
        ArgumentKind(is_key=True),
        ArgumentKind(is_required=True, is_index=True),
        ArgumentKind(is_index=True),
    ]


def test_a_path_through_lists_takes_an_optional_index():
    @plugin(**IDENTITY)
    class Acme:
        image = extract.path(
            "acme.image", "containers", "image", desc="I", type=list[str], each=True
        )

    (field,) = plugin_spec(Acme).fields
    assert (field.each, field.is_list) == (True, True)
    assert field.argument == ArgumentKind(is_index=True)


def test_a_field_is_described_by_its_docstring_unless_told_otherwise():
    @plugin(**IDENTITY)
    class Acme:
        @extract("acme.a")
        def a(self, event) -> str:
            """First line.

            More.
            """

        @extract("acme.b", desc="Told")
        def b(self, event) -> str:
            """First line."""

    assert [field.desc for field in plugin_spec(Acme).fields] == ["First line.", "Told"]


def test_options_of_fields_are_kept():
    @plugin(**IDENTITY)
    class Acme:
        a = extract.path(
            "acme.a",
            "x",
            desc="A",
            null="<NA>",
            display="The A",
            add_output=True,
            properties=("hidden", "info"),
            cache=False,
        )

    (field,) = plugin_spec(Acme).fields
    assert (field.null, field.display, field.properties) == ("<NA>", "The A", ("hidden", "info"))
    assert (field.add_output, field.cache) == (True, False)


def count_of(event: Event, key: str, *, what: str = "") -> int | None:
    """How many there are."""


def test_plain_functions_are_fields_with_annotations_or_a_given_type():
    class Callable:
        def __call__(self, event, index: int | None = None) -> list[str]: ...

    @plugin(**IDENTITY)
    class Acme:
        a = extract.function("acme.a", count_of)
        b = extract.function("acme.b", functools.partial(count_of, what="b"), desc="B")
        c = extract.function("acme.c", lambda event: None, desc="C", type=list[bool])
        d = extract.function("acme.d", lambda event, key=None: None, desc="D", type=str)
        e = extract.function("acme.e", lambda event, index: None, desc="E", type=str)
        f = extract.function("acme.f", Callable(), desc="F")

    rows = [
        (
            f.type.value,
            f.is_list,
            f.desc,
            f.argument.is_key,
            f.argument.is_index,
            f.argument.is_required,
        )
        for f in plugin_spec(Acme).fields
    ]
    assert rows == [
        ("uint64", False, "How many there are.", True, False, True),
        ("uint64", False, "B", True, False, True),
        ("bool", True, "C", False, False, False),
        ("string", False, "D", True, False, False),
        ("string", False, "E", False, True, True),
        ("string", True, "F", False, True, False),
    ]
    assert plugin_spec(Acme).fields[0].function is count_of
    assert plugin_spec(Acme).fields[0].method is None


def test_a_group_is_expanded_where_it_stands():
    names = ["x", "y"]

    @plugin(**IDENTITY)
    class Acme:
        first = extract.path("acme.first", "f", desc="F")
        generated = extract.group(
            *(extract.path(f"acme.{name}", name, desc=name) for name in names),
            extract.group(extract.function("acme.count", count_of)),
        )
        last = extract.path("acme.last", "l", desc="L")

    assert [field.name for field in plugin_spec(Acme).fields] == [
        "acme.first",
        "acme.x",
        "acme.y",
        "acme.count",
        "acme.last",
    ]
