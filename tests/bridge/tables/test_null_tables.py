"""init with the tables that hosts give, or do not: NULL unless a plugin extracts or parses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from falcopy_sdk import (
    Event,
    TableEntry,
    UInt64,
    async_events,
    capture_open,
    extract,
    parse,
    plugin,
    source,
    table,
)
from falcopy_sdk.abi import Rc, ffi
from falcopy_sdk.host.entries import from_class

ABOUT = {"version": "0.1.0", "description": "For tests", "contact": "https://example.org"}


class Entry(TableEntry):
    count: UInt64


@plugin(name="sources", id=999, event_source="sources", **ABOUT)
class Sources:
    @source
    def events(self) -> Iterator[bytes]:
        yield b"{}"


@plugin(name="both", id=999, event_source="both", **ABOUT)
class Both(Sources):
    kind = extract.path("both.kind", "kind", desc="A kind")


@plugin(name="parses", **ABOUT)
class Parses:
    @parse
    def on_event(self, event: Event) -> None:
        pass


@plugin(name="modest", **ABOUT)
class Modest(Parses):
    threads = table("threads", Entry, key=int, optional=True)


@plugin(name="uses", **ABOUT)
class Uses(Parses):
    threads = table("threads", Entry, key=int)


@plugin(name="owns", **ABOUT)
class Owns(Parses):
    own = table.own("own", Entry, key=UInt64)


def raw_init(cls: type, tables: Any) -> tuple[int, str]:
    """init, with tables as given whatever the capabilities are; destroyed at once."""
    entries = from_class(cls)
    rc, config = ffi.new("ss_plugin_rc *", 77), ffi.new("char[]", b"")
    given = ffi.new("ss_plugin_init_input *")
    given.config, given.tables = config, tables
    state = entries["init"](given, rc)
    text = ffi.string(entries["get_last_error"](state)).decode()
    entries["destroy"](state)
    return rc[0], text


@plugin(name="emits", **ABOUT)
class Emits:
    @async_events("null_tables_tick")
    def ticks(self, emit: Any) -> None:
        pass


@plugin(name="everything", id=999, event_source="everything", **ABOUT)
class Everything(Both, Parses, Emits):
    @capture_open
    def begin(self) -> None:
        pass


@pytest.mark.parametrize("cls", [Sources, Both, Parses, Emits, Everything, Modest])
def test_null_tables_are_fine_for_every_mix_that_needs_none(cls: type) -> None:
    assert raw_init(cls, ffi.NULL) == (Rc.SUCCESS, "")


def test_null_tables_are_an_error_for_a_plugin_that_needs_them() -> None:
    rc, text = raw_init(Uses, ffi.NULL)
    assert (rc, 'no table "threads"' in text) == (Rc.FAILURE, True)
    rc, text = raw_init(Owns, ffi.NULL)
    assert (rc, "gives the plugin no tables" in text) == (Rc.FAILURE, True)
