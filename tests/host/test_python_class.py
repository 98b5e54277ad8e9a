"""A Python class in this process is driven through the same calls as a shared library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from typing import Any

import pytest

from falcopy_sdk import Event, Secret, async_events, extract, init_schema, plugin, source
from falcopy_sdk.exceptions import ConfigError, DeclarationError, PluginFailedError
from falcopy_sdk.host import Capability, Library, encode_plugin_event, foreign_event
from falcopy_sdk.host.probes import probe_string_lifetime, probe_value_offsets


@plugin(
    name="in-process",
    id=999,
    version="0.1.0",
    event_source="in_process",
    description="Counts",
    contact="https://example.org",
)
class Counter:
    @init_schema
    @dataclass
    class Config:
        token: Secret
        count: int = 3

    def __init__(self, config: Config) -> None:
        self.config = config

    @source
    def events(self, params: str) -> Iterator[Event]:
        if params == "fail":
            raise OSError("no such counter")
        for number in range(self.config.count):
            yield Event({"number": number, "tags": ["a", f"b{number}"], "ip": "10.0.0.9"}, ts=7)

    number = extract.path("count.number", "number", type=int, desc="The number")

    @extract("count.tags")
    def tags(self, event: Event) -> list[str] | None:
        """Some tags."""
        return event.json.get("tags")  # type: ignore[no-any-return]

    @extract("count.ip")
    def ip(self, event: Event) -> IPv4Address | None:
        """An address."""
        return IPv4Address(event.json["ip"])

    @extract("count.get")
    def get(self, event: Event, key: str) -> str | None:
        """A member."""
        value = event.json.get(key)
        return None if value is None else str(value)


@pytest.fixture
def library() -> Iterator[Library]:
    with Library.from_class(Counter) as library:
        yield library


def test_facts_are_those_of_the_declaration(library: Library) -> None:
    facts = library.facts
    assert (facts.name, facts.id, facts.event_source) == ("in-process", 999, "in_process")
    assert library.capabilities == Capability.SOURCING | Capability.EXTRACTION
    assert [field.name for field in facts.fields] == [
        "count.number",
        "count.tags",
        "count.ip",
        "count.get",
    ]


def test_events_and_fields_come_as_from_a_library(library: Library) -> None:
    with library.init({"token": "t0k3n"}) as made, made.open() as instance:
        seen = [
            (
                event.num,
                event.ts,
                made.extract(event, "count.number"),
                made.extract(event, "count.tags"),
                made.extract(event, "count.ip"),
                made.extract(event, "count.get[number]"),
                made.extract(event, "count.get[none]"),
            )
            for event in instance.events()
        ]
    assert seen == [
        (n + 1, 7, n, ["a", f"b{n}"], ip_address("10.0.0.9"), str(n), None) for n in range(3)
    ]


def test_an_event_of_a_capture_file_is_extracted_from_too(library: Library) -> None:
    raw = encode_plugin_event(b'{"number": 42, "tags": []}', plugin_id=999)
    with library.init({"token": "t0k3n"}) as made:
        event = foreign_event(raw, num=1, source="in_process")
        assert made.extract(event, "count.number") == 42
        assert made.extract(event, "count.tags") is None
        assert made.extract(made.event(b"no JSON"), "count.number") is None


def test_the_defects_of_other_sdks_are_not_found(library: Library) -> None:
    with library.init({"token": "t0k3n"}) as made:
        event = made.event(b'{"number": 42, "tags": ["x", "yy", "zzz", "a string beyond 16"]}')
        assert made.extract_with_offsets(event, "count.tags")[0] is not None
        assert probe_value_offsets(made, event, "count.tags") == []
        assert probe_string_lifetime(made, event, "count.tags") == []


def test_a_wrong_configuration_is_refused_without_telling_the_secret(library: Library) -> None:
    with pytest.raises((ConfigError, PluginFailedError), match="count") as caught:
        library.init({"token": "t0k3n", "count": "many"})
    assert "t0k3n" not in str(caught.value)
    with pytest.raises((ConfigError, PluginFailedError), match="token"):
        library.init({})


def test_a_class_that_is_no_plugin_is_refused() -> None:
    with pytest.raises(DeclarationError):
        Library.from_class(int)


@plugin(
    name="ticking",
    id=998,
    version="0.1.0",
    event_source="ticking",
    description="A source and asynchronous events",
    contact="https://example.org",
)
class Ticking:
    @source
    def events(self) -> Iterator[Event]:
        yield Event(b"early", ts=10)
        yield Event(b"late", ts=30)

    @async_events("tick")
    def ticks(self, emit: Any) -> None:
        emit("tick", b"between", ts=20)


def test_async_events_are_merged_by_time_and_the_rest_stays_in_order() -> None:
    with Library.from_class(Ticking) as library, library.init() as made, made.open() as instance:
        # The source ends for good once its events are out, so wait for the tick first.
        queue = instance._async
        assert queue is not None
        tick = queue.pop(timeout=30)
        assert tick is not None
        queue.push(foreign_event(tick).pointer)
        seen = [(event.num, event.ts, event.data) for event in instance.events()]
    assert seen == [(1, 10, b"early"), (2, 20, b"between"), (3, 30, b"late")]
