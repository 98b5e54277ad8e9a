"""What the loader answers for a plugin before init."""

from dataclasses import dataclass

import orjson
import pytest

from falcopy_sdk import (
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
    plugin_spec,
    progress,
    set_config,
    source,
)
from falcopy_sdk.declare.facts import static_facts

IDENTITY = {"name": "acme", "version": "0.1.0", "description": "Acme", "contact": "acme@example"}


class Field:
    user = extract.path("acme.user", "user", desc="User")


class OutputField:
    suggested = extract.path("acme.suggested", "s", desc="S", add_output=True)


class Sourced:
    @source
    def events(self):
        yield b""


class Parsing:
    @parse
    def look(self, event): ...


class Ticking:
    @async_events("tick")
    def ticks(self, emit): ...


class Dumping:
    @dump_state
    def dump(self, emit): ...


class Opened:
    @capture_open
    def begin(self): ...


class Closed:
    @capture_close
    def end(self): ...


class Measured:
    @metrics
    def count(self): ...


class Configured:
    @init_schema
    @dataclass
    class Config:
        level: int = 1

    def __init__(self, config: Config) -> None: ...


class Reconfigured:
    @set_config
    def configure(self, config): ...


class Verbose:
    @event_to_string
    def show(self, event): ...

    @open_params
    def suggest(self): ...

    @progress
    def share(self): ...


def facts(*bases, **identity):
    identity = {**IDENTITY, **identity}
    if Sourced in bases:
        identity = {**identity, "id": 999, "event_source": "acme"}
    return static_facts(plugin_spec(plugin(**identity)(type("Acme", bases, {}))))


FIELD = {"get_fields", "extract_fields", "get_extract_event_types", "get_extract_event_sources"}
SOURCE = {"get_id", "get_event_source", "open", "close", "next_batch"}
PARSE = {"parse_event", "get_parse_event_types", "get_parse_event_sources"}
ASYNC = {"get_async_events", "get_async_event_sources", "set_async_event_handler"}
CAPTURE = {"capture_open", "capture_close"}


@pytest.mark.parametrize(
    ("bases", "exports", "api_version"),
    [
        ((Field,), FIELD, "3.3.0"),
        ((Sourced,), SOURCE, "3.3.0"),
        ((Parsing,), PARSE, "3.3.0"),
        ((Ticking,), ASYNC, "3.3.0"),
        ((Ticking, Dumping), ASYNC | {"dump_state"}, "3.10.0"),
        ((Field, Opened), FIELD | CAPTURE, "3.7.0"),
        ((Field, Closed), FIELD | CAPTURE, "3.7.0"),
        ((Field, Measured), FIELD | {"get_metrics"}, "3.6.0"),
        ((Field, OutputField), FIELD, "3.8.0"),
        ((Field, Configured), FIELD | {"get_init_schema"}, "3.3.0"),
        ((Field, Configured, Reconfigured), FIELD | {"get_init_schema", "set_config"}, "3.4.1"),
        (
            (Sourced, Verbose),
            SOURCE | {"event_to_string", "list_open_params", "get_progress"},
            "3.3.0",
        ),
        ((Ticking, Dumping, Measured, OutputField, Opened), None, "3.10.0"),
    ],
)
def test_exports_and_api_version_are_the_least_that_is_needed(bases, exports, api_version):
    found = facts(*bases)
    assert found.required_api_version == api_version
    if exports is not None:
        assert found.exports == exports


def test_other_event_types_make_the_schema_version_exported():
    found = facts(Field, extract_types=(322, 402))
    assert found.exports == FIELD | {"get_required_event_schema_version"}
    assert (found.required_event_schema_version, found.extract_event_types) == ("4.0.0", (322, 402))


def test_a_higher_api_version_is_kept():
    assert facts(Field, api_version="3.12.0").required_api_version == "3.12.0"


def test_a_plugin_with_fields_alone_has_empty_answers_for_the_rest():
    found = facts(Field)
    assert (found.id, found.event_source, found.init_schema) == (0, "", "")
    assert (found.extract_event_sources, found.extract_event_types) == ("", (322,))
    assert (found.parse_event_sources, found.parse_event_types) == ("", ())
    assert (found.async_event_sources, found.async_events) == ("", "")
    assert found.plugin_ref == f"{__name__}:Acme"


def test_sources_and_async_events_are_json_arrays():
    found = facts(Sourced, Field, Parsing, Ticking)
    assert found.extract_event_sources == '["acme"]'
    assert found.parse_event_sources == '["acme"]'
    assert found.async_event_sources == '["acme"]'
    assert found.async_events == '["tick"]'
    assert found.parse_event_types == (322,)


def test_fields_are_listed_as_the_plugin_api_wants_them():
    class Fields:
        a = extract.path(
            "acme.a",
            "a",
            desc="A",
            type=list[int],
            display="The A",
            add_output=True,
            properties=("hidden",),
        )

        @extract("acme.b")
        def b(self, event, key: str) -> str:
            """B."""

        @extract("acme.c")
        def c(self, event, index: int | None = None) -> bool:
            """C."""

    assert orjson.loads(facts(Fields).fields) == [
        {
            "type": "uint64",
            "name": "acme.a",
            "desc": "A",
            "display": "The A",
            "isList": True,
            "addOutput": True,
            "properties": ["hidden"],
        },
        {
            "type": "string",
            "name": "acme.b",
            "desc": "B.",
            "arg": {"isRequired": True, "isIndex": False, "isKey": True},
        },
        {
            "type": "bool",
            "name": "acme.c",
            "desc": "C.",
            "arg": {"isRequired": False, "isIndex": True, "isKey": False},
        },
    ]


def test_the_same_class_gives_the_same_facts():
    assert facts(Sourced, Field, Configured) == facts(Sourced, Field, Configured)
