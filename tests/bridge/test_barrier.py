"""No exception of an author's code crosses into the host, whatever its class and the entry."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from falcopy_sdk import (
    Event,
    Metric,
    OpenParam,
    async_events,
    capture_close,
    capture_open,
    dump_state,
    event_to_string,
    extract,
    init_schema,
    metrics,
    open_params,
    parse,
    plugin,
    progress,
    set_config,
    source,
)
from falcopy_sdk.abi import ffi
from falcopy_sdk.runtime import _bridge

ABOUT = {"version": "0.1.0", "description": "For tests", "contact": "https://example.org"}
FAILURE, TIMEOUT = 1, -1


@plugin(name="raising", id=999, event_source="raising", **ABOUT)
class Raising:
    """Every method raises what the test chooses."""

    @init_schema
    @dataclass
    class Config:
        level: int = 0

    error: ClassVar[type[BaseException]] = Exception
    sourced: ClassVar[int] = 0

    def __init__(self, config: Config | None = None) -> None:
        pass

    def fail(self) -> Any:
        raise self.error("on purpose")

    def close(self) -> None:
        self.fail()

    @source
    def events(self) -> Iterator[bytes]:
        type(self).sourced += 1
        yield b"{}"
        self.fail()

    @extract("r.field")
    def field(self, event: Event) -> str:
        """Field"""
        return self.fail()

    @parse
    def on_event(self, event: Event) -> None:
        self.fail()

    @event_to_string
    def text(self, event: Event) -> str:
        return self.fail()

    @open_params
    def params(self) -> list[OpenParam]:
        return self.fail()

    @progress
    def how_far(self) -> tuple[float, str]:
        return self.fail()

    @metrics
    def figures(self) -> dict[str, Metric]:
        return self.fail()

    @set_config
    def reconfigure(self, config: Config) -> None:
        self.fail()

    @async_events("tick")
    def ticking(self, emit: Any) -> None:
        self.fail()

    @dump_state
    def dump(self, emit: Any) -> None:
        self.fail()

    @capture_open
    def opened(self) -> None:
        self.fail()

    @capture_close
    def closed(self) -> None:
        self.fail()


@ffi.callback("ss_plugin_rc(ss_plugin_owner_t *, const ss_plugin_event *, char *)")
def _take(owner: Any, event: Any, error: Any) -> int:
    return 0


@pytest.mark.parametrize(
    "error",
    [RuntimeError, SystemExit, KeyboardInterrupt, RecursionError, MemoryError, BaseException],
)
def test_every_entry_turns_an_exception_into_its_failure(
    start: Any, log: Any, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    monkeypatch.setattr(Raising, "error", error)
    table = ffi.cast("struct falcopy_bridge *", _bridge.table_address())
    plugin_ = start(Raising)
    state = plugin_.state
    rc = ffi.new("ss_plugin_rc *", 0)
    number = ffi.new("uint32_t *", 77)
    event = plugin_.event(b"{}")
    wrapped = ffi.new("ss_plugin_event_input *", {"evt": event.pointer, "evtnum": 1})
    parsed = ffi.new("ss_plugin_event_parse_input *")
    capture = ffi.new("ss_plugin_capture_listen_input *")
    config = ffi.new("ss_plugin_set_config_input *")

    assert plugin_.extract(event, "r.field") is None
    assert ffi.string(table.list_open_params(state, rc)) == b""
    assert rc[0] == FAILURE
    assert b"on purpose" in ffi.string(table.get_last_error(state))
    assert ffi.string(table.get_progress(state, ffi.NULL, number)) == b""
    assert number[0] == 0
    assert ffi.string(table.event_to_string(state, wrapped)) == b""
    assert table.parse_event(state, wrapped, parsed) == FAILURE
    assert table.set_config(state, config) == FAILURE
    number[0] = 77
    assert table.get_metrics(state, number) == ffi.NULL
    assert number[0] == 0
    assert table.dump_state(state, ffi.NULL, _take) == FAILURE
    assert table.capture_open(state, capture) == FAILURE
    assert table.capture_close(state, capture) == FAILURE
    assert table.set_async_event_handler(state, ffi.NULL, _take) == 0
    deadline = time.monotonic() + 10
    while not any("asynchronous events has ended" in text for text in log.texts("ERROR")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert table.set_async_event_handler(state, ffi.NULL, ffi.NULL) == 0


@pytest.mark.parametrize("error", [RuntimeError, SystemExit, KeyboardInterrupt])
def test_a_source_that_exits_is_started_again(
    opened: Any, log: Any, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    monkeypatch.setattr(Raising, "error", error)
    monkeypatch.setattr(Raising, "sourced", 0)
    _, instance = opened(SourceOnly)
    assert [event.data for event in instance.events(limit=2)] == [b"{}", b"{}"]
    assert any("trying again" in text for text in log.texts("WARNING"))


@plugin(name="sourceonly", id=999, event_source="sourceonly", **ABOUT)
class SourceOnly:
    """A source and nothing else: hosts give it no tables."""

    @source
    async def events(self) -> AsyncIterator[bytes]:
        for item in Raising.events(Raising()):
            yield item


def test_an_idle_plugin_costs_no_processor_time(opened: Any) -> None:
    @plugin(name="idle", id=999, event_source="idle", **ABOUT)
    class Idle:
        @source
        async def events(self) -> AsyncIterator[bytes]:
            import asyncio

            await asyncio.sleep(3600)
            yield b""

    globals()["Idle"] = Idle
    Idle.__qualname__ = "Idle"
    _, instance = opened(Idle)
    assert instance.next() is None
    began, used = time.monotonic(), time.process_time()
    while time.monotonic() - began < 2:
        assert instance.next() is None
    assert time.process_time() - used < 0.5
