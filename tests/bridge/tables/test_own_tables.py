"""Tables of the plugin's own, as it uses them and as other plugins do."""

from __future__ import annotations

from typing import Any

import pytest

from falcopy_sdk import (
    Event,
    Int64,
    TableEntry,
    TableError,
    UInt8,
    UInt64,
    parse,
    plugin,
    table,
)
from falcopy_sdk.abi import Rc, StateType, ffi
from falcopy_sdk.exceptions import PluginFailedError
from falcopy_sdk.host import (
    TableRegistry,
)

from .tabled import ABOUT, ROUNDS, Acting, acting, error_in_parse, in_parse


class Session(TableEntry):
    user: str
    count: UInt64
    level: UInt8 = 3
    open: bool = True


@plugin(name="owner", **ABOUT)
class Owner(Acting):
    """Owns a table and counts in it."""

    sessions = table.own("acme_sessions", Session, key=str)

    def __init__(self) -> None:
        super().__init__()
        acting.append(self)
        self.sessions.add("first", user="root")

    @parse
    def on_event(self, event: Event) -> None:
        self.do()


class Seen(TableEntry):
    user: str
    count: int
    level: int
    open: bool
    mark: Int64 = table.added()


@plugin(name="other", **ABOUT)
class Other(Acting):
    """Uses the table of Owner."""

    sessions = table("acme_sessions", Seen, key=str)

    def __init__(self) -> None:
        super().__init__()
        acting.append(self)

    @parse
    def on_event(self, event: Event) -> None:
        self.do()


@pytest.fixture
def tables() -> TableRegistry:
    return TableRegistry()


def test_another_plugin_uses_an_own_table_many_times(start: Any) -> None:
    start(Owner)
    other = start(Other)
    owner_author, author = acting

    def crud(self: Other) -> None:
        for n in range(ROUNDS):
            with self.sessions.add(f"key {n}", user=f"user {n}", mark=-n) as added:
                assert (added.user, added.count, added.level) == (f"user {n}", 0, 3)
                assert added.open is True
                added.count = n
                added.open = False
                first, added.user = added.user, "renamed"
                assert (first, added.user) == (f"user {n}", "renamed")
            with self.sessions.get(f"key {n}") as found:
                assert (found.count, found.mark, found.open) == (n, -n, False)
            assert self.sessions.get("none") is None
            if n % 2:
                self.sessions.erase(f"key {n}")

    in_parse(other, author, crud)
    assert len(owner_author.sessions) == 1 + ROUNDS // 2
    assert owner_author.sessions.held == 0
    assert owner_author.sessions.get("key 4").user == "renamed"
    assert owner_author.sessions.get("key 5") is None
    in_parse(other, author, lambda self: self.sessions.clear())
    assert len(owner_author.sessions) == 0
    assert owner_author.sessions.held == 0
    assert owner_author.sessions._numbered == {}


def test_the_owner_uses_its_table_at_any_time(start: Any) -> None:
    start(Owner)
    (author,) = acting
    sessions = author.sessions
    first = sessions.get("first")
    assert (first.user, first.count, first.level, first.open) == ("root", 0, 3, True)
    for n in range(ROUNDS):
        entry = sessions.add(str(n), count=n)
        entry.user = f"user {n}"
        with entry:
            assert sessions.get(str(n)).user == f"user {n}"
    assert len(sessions) == ROUNDS + 1
    visited = []
    assert sessions.each(lambda e: visited.append(e.count)) is True
    assert sessions.each(lambda e: e.count < 5) is False
    assert len(visited) == ROUNDS + 1
    for key in sessions:
        if key != "first":
            sessions.erase(key)
    assert list(sessions) == ["first"]
    with pytest.raises(TableError, match="no entry under 'x'"):
        sessions.erase("x")
    with pytest.raises(TableError, match="level: 256 is outside what uint8"):
        sessions.add("y", level=256)
    with pytest.raises(TableError, match='did you mean "user"'):
        sessions.add("y", usr="x")
    sessions.clear()
    assert sessions._numbered == {}


def test_others_iterate_over_an_own_table_and_erase_meanwhile(start: Any) -> None:
    start(Owner)
    other = start(Other)
    owner_author, author = acting
    for n in range(5):
        owner_author.sessions.add(f"s{n}", user=f"u{n}")
    seen: list[str] = []

    def visit(entry: Seen) -> bool:
        if entry.user == "u1":
            owner_author.sessions.erase("s1")
            owner_author.sessions.erase("s2")
        seen.append(entry.user)
        return entry.user != "u3"

    assert in_parse(other, author, lambda self: self.sessions.each(visit)) is False
    assert seen == ["root", "u0", "u1", "u3"]
    seen.clear()

    def clear(entry: Seen) -> None:
        owner_author.sessions.clear()
        seen.append(entry.user)

    assert in_parse(other, author, lambda self: self.sessions.each(clear)) is True
    assert seen == ["root"]
    assert owner_author.sessions._numbered == {}

    def fail(self: Other) -> None:
        def one(entry: Seen) -> None:
            raise TableError("visit fails")

        self.sessions.each(one)

    owner_author.sessions.add("again")
    assert error_in_parse(other, author, fail) == "visit fails"
    assert owner_author.sessions.held == 0


def test_a_failure_of_an_own_function_reaches_the_other_plugin_with_the_owners_text(
    start: Any,
) -> None:
    owner, other = start(Owner), start(Other)
    author = acting[1]
    message = error_in_parse(other, author, lambda self: self.sessions.erase("none"))
    assert message.endswith("table \"acme_sessions\": there is no entry under 'none'")
    assert owner.last_error() == "table \"acme_sessions\": there is no entry under 'none'"


def test_texts_of_an_own_table_live_until_they_are_read_again(
    start: Any, tables: TableRegistry
) -> None:
    start(Owner)
    pointer, functions = tables.raw("acme_sessions")
    key = ffi.new("ss_plugin_state_data *")
    text = ffi.new("char[]", b"first")
    key.str = text
    entry = functions["get_table_entry"](pointer, key)
    user = functions["get_table_field"](pointer, b"user", StateType.STRING)
    out = ffi.new("ss_plugin_state_data *")
    assert functions["read_entry_field"](pointer, entry, user, out) == Rc.SUCCESS
    given = ffi.new("ss_plugin_state_data *")
    renamed = ffi.new("char[]", b"renamed")
    given.str = renamed
    assert functions["write_entry_field"](pointer, entry, user, given) == Rc.SUCCESS
    assert functions["erase_table_entry"](pointer, key) == Rc.SUCCESS
    assert ffi.string(out.str) == b"root"  # as it was read
    assert functions["read_entry_field"](pointer, entry, user, out) == Rc.SUCCESS
    assert ffi.string(out.str) == b"renamed"  # the entry is held, if not in the table
    functions["release_table_entry"](pointer, entry)
    assert functions["read_entry_field"](pointer, entry, user, out) == Rc.FAILURE
    assert acting[0].sessions._numbered == {}


def test_own_functions_take_anything_and_write_every_out_parameter(
    start: Any, tables: TableRegistry
) -> None:
    owner = start(Owner)
    pointer, functions = tables.raw("acme_sessions")
    null, wrong = ffi.NULL, ffi.cast("void *", 0xDEAD)
    key, out = ffi.new("ss_plugin_state_data *"), ffi.new("ss_plugin_state_data *")
    no_visit = ffi.cast("ss_plugin_table_iterator_func_t", 0)
    user = functions["get_table_field"](pointer, b"user", StateType.STRING)
    failing = [
        ("get_table_entry", (null,), null),
        ("get_table_entry", (key,), null),
        ("read_entry_field", (null, user, out), Rc.FAILURE),
        ("read_entry_field", (wrong, user, out), Rc.FAILURE),
        ("read_entry_field", (wrong, user, null), Rc.FAILURE),
        ("write_entry_field", (null, user, key), Rc.FAILURE),
        ("add_table_entry", (key, null), null),
        ("erase_table_entry", (null,), Rc.FAILURE),
        ("erase_table_entry", (key,), Rc.FAILURE),
        ("iterate_entries", (no_visit, null), 0),
        ("list_table_fields", (null,), null),
        ("get_table_field", (null, StateType.STRING), null),
        ("get_table_field", (b"user", StateType.UINT64), null),
        ("get_table_field", (b"nobody", StateType.UINT64), null),
        ("add_table_field", (b"user", StateType.UINT64), null),
        ("add_table_field", (b"sub", StateType.TABLE), null),
        ("add_table_field", (b"sub", 99), null),
        ("release_table_entry", (null,), None),
        ("destroy_table_entry", (wrong,), None),
    ]
    for name, arguments, failure in failing:
        out.u64 = 0xA5A5A5A5A5A5A5A5
        assert functions[name](pointer, *arguments) == failure, name
        assert owner.last_error().startswith(("table", "called with NULL")), name
        if name == "read_entry_field" and arguments[2] != null:
            assert out.u64 == 0
        for table_pointer in (null, wrong):
            assert functions[name](table_pointer, *arguments) == failure
    entry = functions["create_table_entry"](pointer)
    for field in (null, wrong):
        assert functions["read_entry_field"](pointer, entry, field, out) == Rc.FAILURE
        assert "accessor" in owner.last_error()
        assert functions["write_entry_field"](pointer, entry, field, key) == Rc.FAILURE
    functions["destroy_table_entry"](pointer, entry)
    functions["destroy_table_entry"](pointer, entry)
    assert acting[0].sessions.held == 0
    count = ffi.new("uint32_t *", 77)
    infos = functions["list_table_fields"](pointer, count)
    assert [ffi.string(infos[i].name).decode() for i in range(count[0])] == [
        "user",
        "count",
        "level",
        "open",
    ]
    assert ffi.string(functions["get_table_name"](pointer)) == b"acme_sessions"
    assert functions["get_table_size"](pointer) == 1


def test_an_exception_in_an_own_function_stays_behind_it(
    start: Any, tables: TableRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = start(Owner)
    pointer, functions = tables.raw("acme_sessions")

    def broken(*_: Any) -> Any:
        raise RuntimeError("a defect")

    kind = type(acting[0].sessions)
    for method in ("rows", "hold", "erase", "clear", "new_row", "fields", "__len__"):
        monkeypatch.setattr(kind, method, broken)
    key, count = ffi.new("ss_plugin_state_data *"), ffi.new("uint32_t *", 77)
    text = ffi.new("char[]", b"first")
    key.str = text
    visit = ffi.callback("ss_plugin_table_iterator_func_t", lambda *_: 1)
    for name, arguments, failure in [
        ("iterate_entries", (visit, ffi.NULL), 0),
        ("get_table_entry", (key,), ffi.NULL),
        ("erase_table_entry", (key,), Rc.FAILURE),
        ("clear_table", (), Rc.FAILURE),
        ("create_table_entry", (), ffi.NULL),
        ("list_table_fields", (count,), ffi.NULL),
        ("get_table_size", (), 2**64 - 1),
    ]:
        assert functions[name](pointer, *arguments) == failure, name
        assert "RuntimeError: a defect" in owner.last_error(), name
    assert count[0] == 0


def test_an_own_table_is_gone_with_its_plugin_and_its_functions_then_fail(
    start: Any, tables: TableRegistry
) -> None:
    owner = start(Owner)
    pointer, functions = tables.raw("acme_sessions")
    assert functions["get_table_size"](pointer) == 1
    owner.close()
    assert functions["get_table_size"](pointer) == 2**64 - 1
    assert functions["create_table_entry"](pointer) == ffi.NULL
    functions["release_table_entry"](pointer, ffi.cast("void *", 1))


def test_each_state_has_an_own_table_and_one_host_takes_a_name_once(
    start: Any,
) -> None:
    start(Owner)
    with pytest.raises(PluginFailedError, match="cannot be added: add_table: 'acme_sessions' ex"):
        start(Owner)
    start(Owner, TableRegistry())
    first, second = acting[0], acting[-1]
    first.sessions.add("only here")
    assert (len(first.sessions), len(second.sessions)) == (2, 1)
