"""A plugin that uses tables, a host that has some, and what tests do with both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from falcopy_sdk import (
    Event,
    TableEntry,
    TableError,
    UInt8,
    capture_close,
    capture_open,
    extract,
    parse,
    plugin,
    source,
    table,
)
from falcopy_sdk.abi import Rc, StateType
from falcopy_sdk.host import (
    BuiltinTable,
    HostEvent,
    Plugin,
    encode_plugin_event,
    foreign_event,
)

ABOUT = {"version": "0.1.0", "description": "For tests", "contact": "https://example.org"}
ROUNDS = 10_000


class Thread(TableEntry):
    comm: str
    pid: int
    root: bool
    risk: UInt8 = table.added()
    container: str | None


class Acting:
    """Does in each call what the test wants, and keeps what came of it."""

    def __init__(self) -> None:
        self.act: Callable[[Any], Any] = lambda _self: None
        self.result: Any = None

    def do(self) -> None:
        self.result = None
        try:
            self.result = self.act(self)
        except Exception as error:
            self.result = error
            raise


acting: list[Any] = []


@plugin(name="reader", **ABOUT)
class Reader(Acting):
    """Uses the host's threads."""

    threads = table("threads", Thread, key=int)

    def __init__(self) -> None:
        super().__init__()
        acting.append(self)

    @parse
    def on_event(self, event: Event) -> None:
        self.do()

    @capture_open
    def begin(self) -> None:
        self.do()

    @capture_close
    def end(self) -> None:
        self.do()

    @extract("r.comm", cache=False)
    def comm(self, event: Event) -> str | None:
        """Command"""
        thread = self.threads.get(event.num)
        return None if thread is None else thread.comm

    @extract("r.acting", cache=False)
    def acted(self, event: Event) -> str:
        """What the test wants"""
        self.do()
        return str(self.result)

    @extract("r.cached")
    def cached(self, event: Event) -> int:
        """Fails: it is memoised"""
        return len(self.threads)


@plugin(name="sourced", id=999, event_source="sourced", **ABOUT)
class Sourced(Reader):
    """Has events of its own as well."""

    @source
    def events(self, params: str) -> Iterator[bytes]:
        yield from [b"{}"] * int(params)


def threads_table() -> BuiltinTable:
    fields = {
        "comm": StateType.STRING,
        "pid": StateType.INT64,
        "root": StateType.BOOL,
        "exe": StateType.STRING,
        "args": StateType.TABLE,
    }
    made = BuiltinTable("threads", StateType.INT64, fields, frozenset({"root"}))
    made.entries = {n: {"comm": f"comm {n}", "pid": n, "root": n == 1} for n in (1, 2, 3)}
    return made


def event(num: int = 1, source: str = "any") -> HostEvent:
    return foreign_event(encode_plugin_event(b"{}", plugin_id=1), num=num, source=source)


def in_parse(started: Plugin, author: Any, act: Callable[[Any], Any]) -> Any:
    """Run something inside of the author's @parse, and return what it gave."""
    author.act = act
    assert started.parse(event()) == Rc.SUCCESS, started.last_error()
    assert started.tables.borrowed == 0
    return author.result


def error_in_parse(started: Plugin, author: Any, act: Callable[[Any], Any]) -> str:
    author.act = act
    assert started.parse(event(source=started.facts.event_source or "any")) == Rc.FAILURE
    assert isinstance(author.result, TableError), author.result
    assert started.tables.borrowed == 0
    return str(author.result)
