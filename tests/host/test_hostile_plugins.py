"""Plugins that break the rules: an error where a real host would stop, crash or misread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from falcopy_sdk.exceptions import ContractError, LibraryError, PluginFailedError
from falcopy_sdk.host import Capability, Library, encode_plugin_event, foreign_event
from falcopy_sdk.host.probes import probe_null_tables, probe_string_lifetime, probe_value_offsets


@pytest.mark.parametrize(
    ("macro", "message"),
    [
        ("NO_VERSION", "not a Falco plugin: it does not export plugin_get_version"),
        ("NO_CLOSE", "broken event sourcing: plugin_open, plugin_close and plugin_next_batch"),
        ('API_VERSION="3.13.0"', "needs plugin API 3.13.0, this host has 3.12.0"),
        ('API_VERSION="2.0.0"', "needs plugin API 2.0.0"),
        ('API_VERSION="3.12"', "returned '3.12', expected major.minor.patch"),
    ],
)
def test_a_host_would_not_load_it(stub: Any, macro: str, message: str) -> None:
    with pytest.raises(LibraryError, match=message):
        Library.load(stub("hostile", macro))


def test_no_event_source_must_be_an_empty_string(stub: Any) -> None:
    with pytest.raises(ContractError, match="get_event_source returned NULL"):
        Library.load(stub("hostile", "NULL_EVENT_SOURCE"))


def test_trailing_text_in_the_api_version_is_ignored_as_in_hosts(stub: Any) -> None:
    with Library.load(stub("hostile", 'API_VERSION="3.6.0-rc1"')) as library:
        assert library.facts.required_api_version == "3.6.0-rc1"


def test_a_missing_file_and_a_file_of_another_kind_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="no such file"):
        Library.load(tmp_path / "none.so")
    text = tmp_path / "text.so"
    text.write_text("not ELF" * 20)
    with pytest.raises(LibraryError, match=r"loader refuses it: .*invalid ELF header"):
        Library.load(text)


def test_an_indirect_symbol_that_resolves_to_nothing_is_absent(stub: Any) -> None:
    with Library.load(stub("absent")) as library:
        assert library.capabilities == Capability.PARSING
        assert "extract_fields" not in library.exports


@pytest.mark.parametrize(
    ("macro", "message"),
    [
        ("INIT_FAILS", "could not initialize plugin: it broke, as asked"),
        (
            "INIT_FAILS_WITHOUT_STATE",
            "could not initialize plugin: plugin handle or 'get_last_error' function not defined",
        ),
    ],
)
def test_a_failed_init_has_the_plugins_text(stub: Any, macro: str, message: str) -> None:
    with Library.load(stub("hostile", macro)) as library:
        with pytest.raises(PluginFailedError, match=message) as caught:
            library.init()
        assert caught.value.entry == "init"


def test_an_rc_that_is_not_written_is_noticed(stub: Any) -> None:
    broken = pytest.raises(ContractError, match=r"init returned without writing \*rc")
    with Library.load(stub("hostile", "INIT_LEAVES_RC")) as library, broken:
        library.init()


def test_after_a_failed_open_hosts_close_what_was_never_opened(stub: Any) -> None:
    with Library.load(stub("hostile", "OPEN_FAILS")) as library, library.init() as plugin:
        with pytest.raises(PluginFailedError, match="could not open source: it broke"):
            plugin.open()
        assert plugin.last_error() == "closed nothing"


@pytest.mark.parametrize(
    ("macro", "message"),
    [
        ("LEAVES_NEVTS", r"returned -1 without writing \*nevts"),
        ("LEAVES_EVTS", r"1 events without writing \*evts"),
        ("SUCCESS_WITHOUT_EVENTS", "SUCCESS with no event"),
        ("NULL_EVENT", "a NULL event"),
        ("WRONG_LENGTH", r"lengths \[4, 5\] do not make up its 44 bytes"),
        ("WRONG_TYPE", "an event of type 1: a plugin with an id gives type 322 only"),
        ("FOREIGN_ID", "an event of plugin id 7, its own is 998"),
    ],
)
def test_a_broken_batch_is_noticed(stub: Any, macro: str, message: str) -> None:
    with (
        Library.load(stub("hostile", macro)) as library,
        library.init() as plugin,
        plugin.open() as instance,
        pytest.raises(ContractError, match=message),
    ):
        next(instance.events())


def test_events_come_before_the_failure_that_came_with_them(stub: Any) -> None:
    with (
        Library.load(stub("hostile", "FAILS_AFTER_EVENT")) as library,
        library.init() as plugin,
        plugin.open() as instance,
    ):
        events = instance.events()
        first = next(events)
        assert (first.data, first.ts, first.plugin_id) == (b"hello", 17, 998)
        with pytest.raises(PluginFailedError, match="next_batch returned FAILURE: it broke"):
            next(events)
        assert instance.ended


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("bad.ip", "an address of 5 bytes"),
        ("bad.net", "an address of 0 bytes"),
        ("bad.two", "2 values for a field that is no list"),
        ("bad.string", "a NULL string as value 0"),
        ("bad.res", "res_len 1 with a NULL res"),
        ("bad.length", "SUCCESS without writing res_len"),
        ("bad.unwritten", "res_len 1 without writing res"),
    ],
)
def test_an_answer_that_would_stop_a_host_is_noticed(stub: Any, field: str, message: str) -> None:
    event = foreign_event(encode_plugin_event(b"x", plugin_id=1), source="stub")
    with Library.load(stub("answers")) as library, library.init() as plugin:
        with pytest.raises(ContractError, match=rf"extract_fields \w+ {message}.*'{field}'"):
            plugin.extract(event, field)
        assert plugin.extract(event, "bad.failure") is None


def test_the_probes_find_what_they_look_for(stub: Any) -> None:
    event = foreign_event(encode_plugin_event(b"x", plugin_id=1), source="stub")
    with Library.load(stub("answers")) as library, library.init() as plugin:
        found = probe_value_offsets(plugin, event, "bad.offsets")
        assert len(found) == 2
        assert "value 1 of 3" in found[0]
        assert probe_string_lifetime(plugin, event, "bad.offsets") == []
        found = probe_string_lifetime(plugin, event, "bad.dangling")
        assert any("its memory was freed" in text for text in found)


def test_the_probes_pass_a_good_plugin(stub: Any) -> None:
    with Library.load(stub("good")) as library, library.init() as plugin:
        event = plugin.event(b"1 alpha beta gamma")
        for field in ("stub.words", "stub.text", "stub.num", "stub.none"):
            assert probe_value_offsets(plugin, event, field) == []
            assert probe_string_lifetime(plugin, event, field) == []
    assert probe_null_tables(stub("good")) == []


def test_a_plugin_that_looks_into_null_tables_is_found(stub: Any) -> None:
    found = probe_null_tables(stub("hostile", "READS_TABLES"))
    assert found == [
        "init or destroy died of SIGSEGV, given NULL tables, as it neither extracts nor parses"
    ]
    assert probe_null_tables(stub("hostile")) == []
