"""Wrong declarations of tables fail when the class is declared, and say what to write."""

from __future__ import annotations

from typing import Annotated, Any

import pytest

from falcopy_sdk import (
    DeclarationError,
    Event,
    Int32,
    Int64,
    TableEntry,
    UInt64,
    extract,
    parse,
    plugin,
    plugin_spec,
    source,
    table,
)
from falcopy_sdk.declare.tables import StateKind

ABOUT = {"name": "t", "version": "0.1.0", "description": "For tests", "contact": "nobody"}


class Thread(TableEntry):
    comm: str
    tid: int
    gone: bool | None
    flags: Annotated[Int32, "of the process"]
    score: UInt64 = table.added()


class Session(Thread):
    tid: Int64
    gone: bool
    score: UInt64 = 7


class Parsing:
    @parse
    def on_event(self, event: Event) -> None: ...


def declare(**attributes: Any) -> type:
    return plugin(**ABOUT)(type("P", (Parsing,), attributes))


def test_members_and_keys_become_a_spec_own_tables_first() -> None:
    cls = declare(
        threads=table("threads", Thread, key=int, optional=True),
        sessions=table.own("sessions", Session, key=str),
    )
    own, used = plugin_spec(cls).tables
    assert (own.attribute, own.name, own.owned, own.key) == (
        "sessions",
        "sessions",
        True,
        StateKind.STRING,
    )
    assert [(m.name, m.kind, m.default) for m in own.members] == [
        ("comm", StateKind.STRING, ""),
        ("tid", StateKind.INT64, 0),
        ("gone", StateKind.BOOL, False),
        ("flags", StateKind.INT32, 0),
        ("score", StateKind.UINT64, 7),
    ]
    assert (used.owned, used.optional, used.key) == (False, True, None)
    assert [(m.name, m.kind, m.optional, m.added) for m in used.members] == [
        ("comm", StateKind.STRING, False, False),
        ("tid", None, False, False),
        ("gone", StateKind.BOOL, True, False),
        ("flags", StateKind.INT32, False, False),
        ("score", StateKind.UINT64, False, True),
    ]
    assert plugin_spec(cls).api_version == "3.3.0"


def test_tables_of_a_base_count_and_can_be_done_without() -> None:
    base = declare(threads=table("threads", Thread, key=int))
    derived = plugin(**ABOUT)(type("Q", (base,), {}))
    assert [t.name for t in plugin_spec(derived).tables] == ["threads"]
    without = plugin(**ABOUT)(type("Q", (base,), {"threads": None}))
    assert plugin_spec(without).tables == ()


def test_a_plugin_that_neither_extracts_nor_parses_gets_no_tables() -> None:
    with pytest.raises(DeclarationError, match=r"P\.t: hosts give tables only to plugins that"):

        @plugin(**ABOUT, id=999, event_source="own")
        class P:
            t = table("threads", Thread, key=int)

            @source
            def events(self) -> list[bytes]:
                return []

    class WithField:
        t = table("threads", Thread, key=int)
        field = extract.path("a.b", "b", desc="b")

    plugin(**ABOUT)(WithField)


class Empty(TableEntry):
    pass


class Floating(TableEntry):
    share: float


class AddedInt(TableEntry):
    mine: int = table.added()


class AddedOptional(TableEntry):
    mine: UInt64 | None = table.added()


class Default(TableEntry):
    count: UInt64 = 5


class Unresolved(TableEntry):
    comm: Strin  # type: ignore[name-defined]  # noqa: F821


class Optional(TableEntry):
    count: UInt64 | None


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        (lambda: table("t", Floating, key=int), "`share: float` is no type of a table"),
        (lambda: table("t", Thread, key=float), "`key: float` is no type of a table"),
        (lambda: table("t", Thread, key=int | None), "key cannot be None"),
        (lambda: table("t", Empty, key=int), "Empty has no members"),
        (lambda: table("t", dict, key=int), "dict is not a class of entries"),  # type: ignore[type-var]
        (lambda: table("t", AddedInt, key=int), "what is added to a table needs a type"),
        (lambda: table("t", AddedOptional, key=int), "what is added to a table needs a type"),
        (lambda: table("t", Default, key=int), "only members of the plugin's own tables"),
        (lambda: table("t", Unresolved, key=int), "name 'Strin' is not defined"),
        (lambda: table("", Thread, key=int), "the table's name is empty"),
        (lambda: table("a\0b", Thread, key=int), "the table's name holds a NUL"),
        (lambda: table(Thread, Thread, key=int), "table has no table name"),  # type: ignore[call-overload]
        (lambda: table.own("t", Session, key=int), "`key: int` does not say how wide it is"),
        (lambda: table.own("t", Thread, key=str), "`tid: int` does not say how wide it is"),
        (lambda: table.own("t", Optional, key=str), "is no type of a table"),
        (lambda: table.own("t", AddedInt, key=str), "`mine: int` does not say how wide it is"),
    ],
)
def test_a_wrong_declaration_says_what_is_wrong(declared: Any, problem: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        declare(t=declared())
    assert problem in str(refused.value)
    assert "Fix: " in str(refused.value)


def test_a_table_is_declared_once_and_a_plugin_with_tables_has_a_dict() -> None:
    with pytest.raises(DeclarationError, match=r'table "threads" is declared already, by P\.a'):
        declare(a=table("threads", Thread, key=int), b=table("threads", Thread, key=int))

    class Slotted:
        __slots__ = ()
        t = table("threads", Thread, key=int)
        field = extract.path("a.b", "b", desc="b")

    with pytest.raises(DeclarationError, match="__slots__ only"):
        plugin(**ABOUT)(Slotted)
