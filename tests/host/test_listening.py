"""Parsing, tables, asynchronous events and capture listening, on a plugin that has no source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from falcopy_sdk.abi import Rc
from falcopy_sdk.exceptions import PluginFailedError, RequestError
from falcopy_sdk.host import (
    Capability,
    Library,
    Plugin,
    encode_async_event,
    encode_plugin_event,
    foreign_event,
)


@pytest.fixture
def logs() -> list[str]:
    return []


@pytest.fixture
def library(stub: Any) -> Iterator[Library]:
    with Library.load(stub("listener")) as library:
        yield library


@pytest.fixture
def plugin(library: Library, logs: list[str]) -> Iterator[Plugin]:
    with library.init("", log=lambda _c, text, _s: logs.append(text)) as plugin:
        yield plugin


def test_capabilities_are_those_of_the_symbols(library: Library) -> None:
    assert library.capabilities == (
        Capability.PARSING | Capability.ASYNC | Capability.CAPTURE_LISTENING
    )
    assert library.facts.async_events == ("tick", "state")


def test_async_events_come_in_the_order_of_their_timestamps(plugin: Plugin) -> None:
    with plugin.open() as instance:
        seen = [(e.num, e.ts, e.name, e.data, e.plugin_id) for e in instance.events(3)]
        assert instance.next() is None
    assert seen == [(1, 1, "tick", b"3", 0), (2, 2, "tick", b"2", 0), (3, 3, "tick", b"1", 0)]


def test_calls_come_in_the_order_of_a_host(plugin: Plugin, logs: list[str]) -> None:
    with plugin.open():
        pass
    plugin.close()
    assert logs == [
        "call: init",
        "call: set_async_event_handler",
        "call: incompatible async event 'unknown' produced by plugin",
        "call: capture_open",
        "call: set_async_event_handler NULL",
        "call: capture_close",
        "call: destroy",
    ]


def test_parsing_writes_to_the_plugins_own_table_and_borrowed_entries_are_given_back(
    plugin: Plugin,
) -> None:
    event = foreign_event(encode_plugin_event(b"x", plugin_id=1), source="stub")
    # The stub counts what it lent and fails from the second time on unless the host gives back.
    assert [plugin.parse(event) for _ in range(3)] == [Rc.SUCCESS] * 3
    assert [metric.value for metric in plugin.metrics()] == [3]
    other = foreign_event(encode_plugin_event(b"x", plugin_id=1), source="other")
    assert plugin.parse(other) is None
    tick = foreign_event(encode_async_event("tick", b""), source="syscall")
    assert plugin.parse(tick) == Rc.SUCCESS


def test_events_are_parsed_before_they_are_given_out(plugin: Plugin) -> None:
    with plugin.open() as instance:
        for event in instance.events(3):
            assert [metric.value for metric in plugin.metrics()] == [event.num]


def test_a_table_that_this_host_lacks_is_told_through_the_owner(library: Library) -> None:
    with pytest.raises(PluginFailedError, match="owner: this host has no table 'threads'"):
        library.init("needs threads", log=lambda *_: None)


def test_dump_state_gives_its_events_during_the_call(plugin: Plugin) -> None:
    (event,) = plugin.dump_state()
    assert (event.name, event.data, event.source) == ("state", b"all of it", "syscall")


def test_what_a_plugin_does_not_have_is_said(plugin: Plugin) -> None:
    with pytest.raises(RequestError, match="no set_config"):
        plugin.set_config("")
    assert plugin.list_open_params() == []
    with plugin.open() as instance, pytest.raises(RequestError, match="no get_progress"):
        instance.progress()


def test_a_plugin_without_events_of_its_own_cannot_be_opened(stub: Any) -> None:
    refused = pytest.raises(RequestError, match="no events of its own")
    with Library.load(stub("answers")) as library, library.init() as plugin, refused:
        plugin.open()
