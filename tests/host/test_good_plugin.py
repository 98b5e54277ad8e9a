"""A well-behaved plugin in C, driven from facts to destroy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest

from falcopy_sdk.abi import FieldTypeCode, LogSeverity, MetricType
from falcopy_sdk.exceptions import ConfigError, PluginFailedError, RequestError
from falcopy_sdk.host import (
    Capability,
    Instance,
    Library,
    Metric,
    OpenParam,
    Plugin,
    encode_plugin_event,
    foreign_event,
)


@pytest.fixture
def library(stub: Any) -> Iterator[Library]:
    with Library.load(stub("good")) as library:
        yield library


@pytest.fixture
def plugin(library: Library) -> Iterator[Plugin]:
    with library.init({"prefix": "alpha"}) as plugin:
        yield plugin


@pytest.fixture
def instance(plugin: Plugin) -> Iterator[Instance]:
    with plugin.open("3") as instance:
        yield instance


def test_facts_are_read_before_init(library: Library) -> None:
    facts = library.facts
    assert (facts.name, facts.version, facts.required_api_version) == (
        "good-stub",
        "1.2.3",
        "3.12.0",
    )
    assert (facts.id, facts.event_source) == (999, "stub")
    assert library.capabilities == Capability.SOURCING | Capability.EXTRACTION
    assert facts.init_schema is not None
    assert facts.init_schema["additionalProperties"] is False
    assert facts.extract_event_sources == ("stub",)
    number = facts.fields[0]
    assert (number.name, number.type, number.add_output) == (
        "stub.num",
        FieldTypeCode.UINT64,
        True,
    )
    assert facts.fields[12].properties == ("hidden",)


def test_events_come_in_order_numbered_from_one_until_the_source_ends(plugin: Plugin) -> None:
    before = time.time_ns()
    with plugin.open("300") as instance:
        seen = [(e.num, e.data, e.source, e.plugin_id, e.ts) for e in instance.events()]
        assert instance.ended
    assert [num for num, *_ in seen] == list(range(1, 301))
    assert seen[299][1:4] == (b"300 alpha beta gamma", "stub", 999)
    assert all(before <= ts <= time.time_ns() for *_, ts in seen)


def test_the_numbers_start_again_with_the_next_instance(plugin: Plugin) -> None:
    for _ in range(2):
        with plugin.open("2") as instance:
            assert [event.num for event in instance.events()] == [1, 2]


def test_a_limit_and_a_stop_end_the_iteration(plugin: Plugin) -> None:
    with plugin.open("forever") as instance:
        assert len(list(instance.events(200))) == 200
        assert len(list(instance.events(stop=lambda: True))) == 1


def test_every_type_of_field_is_decoded(plugin: Plugin, instance: Instance) -> None:
    event = next(instance.events())
    values = {f: plugin.extract(event, f"stub.{f}") for f in ("num", "text", "words", "none")}
    assert values == {
        "num": 1,
        "text": "1 alpha beta gamma",
        "words": ["alpha", "beta", "gamma"],
        "none": None,
    }
    assert plugin.extract(event, "stub.ip") == ip_address("10.0.0.1")
    assert plugin.extract(event, "stub.ip6") == ip_address("fe00::1")
    assert plugin.extract(event, "stub.net") == ip_address("10.0.0.0")
    assert plugin.extract(event, "stub.odd") is True
    assert plugin.extract(event, "stub.when") == event.ts
    assert plugin.extract(event, "stub.took") == 1000


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stub.param[command]", "<command>"),
        ("stub.param[a.b/c]", "<a.b/c>"),
        ("stub.param['x]y']", "<x]y>"),
        (r'stub.param["say \"hi\""]', '<say "hi">'),
        ("stub.at[1]", "beta"),
        ("stub.at[7]", None),
        ("stub.either", "0 - 18446744073709551615"),
        ("stub.either[12]", "1 12 12"),
        ("stub.either[012]", "1 012 18446744073709551615"),
        ("stub.either[x]", "1 x 18446744073709551615"),
    ],
)
def test_arguments_reach_the_plugin(
    plugin: Plugin, instance: Instance, field: str, value: str | None
) -> None:
    assert plugin.extract(next(instance.events()), field) == value


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("stub.nun", "no field 'stub.nun'; did you mean 'stub.num'?"),
        ("stub.num[1]", "takes no argument"),
        ("stub.param", r"requires an argument: stub.param\[key\]"),
        ("stub.at", r"requires an argument: stub.at\[index\]"),
        ("stub.at[x]", "takes an index"),
        ("stub.at[01]", "takes an index"),
        ("stub.at[18446744073709551616]", "takes an index"),
        ("stub.param[]", "is not a field"),
        ("stub.param[a b]", "is not a field"),
        ("", "is not a field"),
    ],
)
def test_a_wrong_request_says_what_is_wrong(plugin: Plugin, field: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        plugin.request(field)


def test_offsets_come_one_a_value(plugin: Plugin, instance: Instance) -> None:
    event = next(instance.events())
    words, offsets = plugin.extract_with_offsets(event, "stub.words")
    assert offsets is not None
    assert [event.raw[s : s + n].decode() for s, n in offsets] == words
    assert plugin.extract_with_offsets(event, "stub.text")[1] == [(38, len(event.data))]
    assert plugin.extract_with_offsets(event, "stub.none") == (None, None)


def test_an_event_of_a_capture_file_is_extracted_from_too(plugin: Plugin) -> None:
    event = foreign_event(encode_plugin_event(b"77 x", plugin_id=999, ts=5), num=9, source="stub")
    assert plugin.extract(event, "stub.num") == 77
    assert plugin.extract(event, "stub.when") == 5
    assert plugin.extract(plugin.event(b"5 y"), "stub.words") == ["y"]


def test_the_plugin_is_not_asked_about_events_of_other_sources_or_types(plugin: Plugin) -> None:
    raw = encode_plugin_event(b"77 x", plugin_id=5)
    (calls,) = (m.value for m in plugin.metrics() if m.name == "calls")
    assert plugin.extract(foreign_event(raw, source="other"), "stub.num") is None
    assert plugin.extract(foreign_event(raw, source=""), "stub.num") is None
    other_type = raw[:20] + (1).to_bytes(2, "little") + raw[22:]
    assert plugin.extract(foreign_event(other_type, source="stub"), "stub.num") is None
    assert [m.value for m in plugin.metrics() if m.name == "calls"] == [calls]


def test_an_event_is_gone_with_its_batch_and_a_copy_stays(plugin: Plugin) -> None:
    with plugin.open("forever") as instance:
        events = instance.events()
        first = next(events)
        copy = first.copy()
        for _ in range(128):
            last = next(events)
        with pytest.raises(RequestError, match=r"keep event\.copy"):
            plugin.extract(first, "stub.num")
        assert plugin.extract(copy, "stub.num") == 1
    with pytest.raises(RequestError, match=r"keep event\.copy"):
        _ = last.data


def test_the_text_of_an_event_is_the_plugins_or_libsinsps(plugin: Plugin) -> None:
    assert plugin.event_to_string(plugin.event(b"1 x")) == "line: 1 x"
    assert plugin.event_to_string(plugin.event(b"!" * 50)) == f"datalen=50 data={'!' * 50}"
    assert plugin.event_to_string(plugin.event(b"!" * 51)) == f"datalen=51 data={'!' * 50}..."
    assert plugin.event_to_string(plugin.event(b"!\n")) == "datalen=2 data=<binary>"
    with pytest.raises(RequestError, match="own source"):
        plugin.event_to_string(foreign_event(encode_plugin_event(b"", plugin_id=5)))


def test_logs_name_the_plugin_unless_a_component_is_given(library: Library) -> None:
    logs: list[tuple[str, str, LogSeverity]] = []
    library.init("", log=lambda *entry: logs.append(entry)).close()
    assert logs == [
        ("good-stub", "initialised", LogSeverity.INFO),
        ("part", "in detail", LogSeverity.DEBUG),
    ]


def test_logs_go_to_the_standard_library_by_default(
    library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    library.init().close()
    assert caplog.record_tuples == [
        ("falcopy.plugin.good-stub", 20, "initialised"),
        ("falcopy.plugin.part", 10, "in detail"),
    ]


def test_an_error_in_the_log_sink_reaches_the_caller_and_not_the_plugin(library: Library) -> None:
    def broken(*_: object) -> None:
        raise ValueError("no disk")

    with pytest.raises(ValueError, match="no disk"):
        library.init("", log=broken)


def test_metrics_open_params_and_progress_are_read(plugin: Plugin) -> None:
    assert plugin.metrics() == [
        Metric("calls", MetricType.MONOTONIC, 0),
        Metric("load", MetricType.NON_MONOTONIC, -0.5),
    ]
    assert plugin.list_open_params() == [OpenParam("10", "ten events"), OpenParam("forever")]
    with plugin.open("256") as instance:
        next(instance.events())
        assert instance.progress() == (0.5, "128 sent")


def test_a_new_configuration_is_checked_and_given_to_the_plugin(plugin: Plugin) -> None:
    plugin.set_config({"prefix": "other"})
    with plugin.open("1") as instance:
        assert next(instance.events()).data == b"1 other beta gamma"
    with pytest.raises(PluginFailedError, match=r"set_config.*needs a prefix"):
        plugin.set_config({})
    with pytest.raises(ConfigError):
        plugin.set_config({"prefix": 5})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"prefix": 5}, "init_config: prefix must be string, got integer"),
        ({"prefx": "x"}, "init_config: prefx is not a known key; did you mean prefix?"),
        ({"zzz": 1}, "init_config: zzz is not a known key; known: prefix, token"),
        ("[1]", "init_config: the configuration must be object, got array"),
        ('{"a": 1', "init_config: is not valid JSON: .* at line 1 column 8"),
        ({"token": "abc"}, "init_config: token does not satisfy minLength 4"),
    ],
)
def test_a_configuration_that_does_not_fit_the_schema_is_refused(
    library: Library, config: Any, message: str
) -> None:
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")) as caught:
        library.init(config)
    assert "abc" not in str(caught.value)


def test_two_states_live_side_by_side(library: Library) -> None:
    with (
        library.init({"prefix": "one"}) as one,
        library.init({"prefix": "two"}) as two,
        one.open("1") as first,
        two.open("1") as second,
    ):
        assert next(first.events()).data == b"1 one beta gamma"
        assert next(second.events()).data == b"1 two beta gamma"


def test_what_is_closed_says_so(library: Library) -> None:
    plugin = library.init()
    instance = plugin.open("1")
    with pytest.raises(RequestError, match="is open: close it first"):
        plugin.open("1")
    event = next(instance.events()).copy()
    plugin.close()
    plugin.close()
    with pytest.raises(RequestError, match="instance is closed"):
        instance.next()
    with pytest.raises(RequestError, match="'good-stub' is closed"):
        plugin.extract(event, "stub.num")
    with pytest.raises(RequestError, match="'good-stub' is closed"):
        plugin.open("1")


def test_a_failed_open_has_the_plugins_text(plugin: Plugin) -> None:
    with pytest.raises(PluginFailedError, match="open parameters 'abc' are no number"):
        plugin.open("abc")
    with plugin.open("1") as instance:
        assert next(instance.events()).num == 1
