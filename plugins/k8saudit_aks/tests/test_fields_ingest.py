"""From audit payloads to events: which parts are events, their data and their time."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from k8saudit import Extra, Rejected, records
from k8saudit.rfc3339 import nanoseconds

from falcopy_sdk import Event

STAMP = "2024-05-01T12:34:56.123456Z"
EVENT = {"kind": "Event", "auditID": "x", "stageTimestamp": STAMP}


def read(payload: Any, *size: int) -> tuple[list[Event], list[Rejected]]:
    rejected: list[Rejected] = []

    def note(reason: Rejected, detail: str) -> None:
        assert detail
        rejected.append(reason)

    return list(records(payload, *size, on_rejected=note)), rejected


def listed(*items: Any) -> dict[str, Any]:
    return {"kind": "EventList", "items": list(items)}


def test_an_event_is_written_again_in_compact_form() -> None:
    text = b' { "stageTimestamp" : "2024-05-01T12:34:56Z" , "auditID":"x", "kind" : "Event" } '
    for payload in (text, text.decode(), bytearray(text), memoryview(text), orjson.loads(text)):
        (event,), rejected = read(payload)
        assert event.data == (
            b'{"stageTimestamp":"2024-05-01T12:34:56Z","auditID":"x","kind":"Event"}'
        )
        assert event.ts == 1714566896000000000
        assert event.json == orjson.loads(text)
        assert rejected == []


def test_a_source_can_add_what_it_knows_to_every_event() -> None:
    extra = Extra.of("cloud", {"cluster": "a", "zones": [1, 2]})
    first, second = records(listed(EVENT, {**EVENT, "cloud": "forged", "z": 1}), extra=extra)
    plain = orjson.dumps(EVENT)
    assert first.data == plain[:-1] + b',"cloud":{"cluster":"a","zones":[1,2]}}'
    assert second.data == plain[:-1] + b',"z":1,"cloud":{"cluster":"a","zones":[1,2]}}'
    assert [orjson.loads(event.data) for event in (first, second)] == [first.json, second.json]
    assert len(list(records(EVENT, len(plain), extra=extra))) == 1
    assert list(records(EVENT, len(plain) - 1, lambda *_: None, extra)) == []


def test_stage_and_version_do_not_matter() -> None:
    for stage in ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic", None):
        (event,), _ = read({**EVENT, "stage": stage, "apiVersion": "audit.k8s.io/v1beta1"})
        assert event.json["stage"] == stage


def test_an_event_without_audit_id_passes_without_fields() -> None:
    (event,), rejected = read({"kind": "Event", "stageTimestamp": STAMP})
    assert event.json is None
    assert event.data == b'{"kind":"Event","stageTimestamp":"2024-05-01T12:34:56.123456Z"}'
    assert rejected == []


@pytest.mark.parametrize(
    ("payload", "ids", "reasons"),
    [
        ([], [], []),
        ([EVENT, {**EVENT, "auditID": "y"}], ["x", "y"], []),
        ([EVENT, 1, {**EVENT, "auditID": "y"}], ["x", "y"], [Rejected.NOT_AUDIT]),
        ([[EVENT], listed({**EVENT, "auditID": "y"})], ["x", "y"], []),
        ([[], EVENT, [[], [EVENT]]], ["x", "x"], []),
        # Items are events whatever kind they say they are.
        (listed({**EVENT, "kind": "x"}, {"auditID": "z", "stageTimestamp": STAMP}), ["x", "z"], []),
        (listed(EVENT, {}, EVENT), ["x", "x"], [Rejected.NO_TIMESTAMP]),
        (listed(EVENT, None, [EVENT]), ["x"], [Rejected.NO_TIMESTAMP] * 2),
        (listed(), [], [Rejected.NO_ITEMS]),
        ({"kind": "EventList"}, [], [Rejected.NO_ITEMS]),
        ({"kind": "EventList", "items": EVENT}, [], [Rejected.NO_ITEMS]),
        ({"kind": "Pod"}, [], [Rejected.NOT_AUDIT]),
        ({"kind": None}, [], [Rejected.NOT_AUDIT]),
        ({"kind": ["Event"]}, [], [Rejected.NOT_AUDIT]),
        ({"kind": {"a": 1}}, [], [Rejected.NOT_AUDIT]),
        ({**EVENT, "kind": "event"}, [], [Rejected.NOT_AUDIT]),
        ({}, [], [Rejected.NOT_AUDIT]),
        (None, [], [Rejected.NOT_AUDIT]),
        (17, [], [Rejected.NOT_AUDIT]),
        ({"kind": "Event"}, [], [Rejected.NO_TIMESTAMP]),
        ({**EVENT, "stageTimestamp": None}, [], [Rejected.BAD_TIMESTAMP]),
        ({**EVENT, "stageTimestamp": 1714566896}, [], [Rejected.BAD_TIMESTAMP]),
        ({**EVENT, "stageTimestamp": "yesterday"}, [], [Rejected.BAD_TIMESTAMP]),
        (b"", [], [Rejected.NOT_JSON]),
        (b"I0501 12:34:56 klog line", [], [Rejected.NOT_JSON]),
        ('{"kind":"Event",}', [], [Rejected.NOT_JSON]),
        (b'{"kind":"\xff"}', [], [Rejected.NOT_AUDIT]),
    ],
)
def test_what_is_no_event_is_reported_and_spares_the_rest(
    payload: Any, ids: list[str], reasons: list[Rejected]
) -> None:
    for form in (payload, payload if isinstance(payload, bytes | str) else orjson.dumps(payload)):
        events, rejected = read(form)
        assert [event.json["auditID"] for event in events] == ids
        assert rejected == reasons


def test_the_compact_size_counts_and_may_be_reached() -> None:
    size = len(orjson.dumps(EVENT))
    spaced = orjson.dumps(EVENT, option=orjson.OPT_INDENT_2)
    assert [len(event.data) for event in read(spaced, size)[0]] == [size]
    events, rejected = read([EVENT, {**EVENT, "verb": "get"}, EVENT], size)
    assert len(events) == 2
    assert rejected == [Rejected.TOO_LARGE]


def test_deep_nesting_costs_only_the_event_that_has_it() -> None:
    def nested(levels: int) -> Any:
        return {**EVENT, "requestObject": orjson.loads(b"[" * levels + b"]" * levels)}

    # 300 levels are what the API server's clients may have; orjson alone writes fewer.
    events, rejected = read([nested(298), EVENT])
    assert [orjson.loads(event.data) for event in events] == [nested(298), EVENT]
    assert rejected == []
    events, rejected = read([nested(1020), EVENT])
    assert [event.json for event in events] == [EVENT]
    assert rejected == [Rejected.TOO_DEEP]
    events, rejected = read(b"[" * 1000 + orjson.dumps(EVENT) + b"]" * 1000)
    assert len(events) == 1


def test_rejected_parts_are_logged_without_their_contents(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert (
        list(records([{"kind": "Secret", "data": "hunter2"}, {**EVENT, "stageTimestamp": 1}])) == []
    )
    assert [record.getMessage() for record in caplog.records] == [
        "dropped a part of an audit payload: not recognized as a Kubernetes audit event: "
        "kind is 'Secret'",
        "dropped a part of an audit payload: stageTimestamp is not an RFC 3339 time: "
        "1 in the event with auditID 'x'",
    ]


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2024-05-01T12:34:56Z", 1714566896000000000),
        ("2024-05-01T12:34:56.123456Z", 1714566896123456000),
        ("1969-12-31T23:59:59.000001Z", 2**64 - 999_999_000),
        ("2024-05-01T12:34:56.1Z", 1714566896100000000),
        ("2024-05-01T12:34:56,5Z", 1714566896500000000),
        ("2024-05-01T12:34:56.123456789Z", 1714566896123456789),
        ("2024-05-01T12:34:56.1234567899999Z", 1714566896123456789),
        ("2024-05-01T5:34:56Z", 1714541696000000000),
        ("2024-05-01T12:34:56+02:00", 1714559696000000000),
        ("2024-05-01T12:34:56-07:30", 1714593896000000000),
        ("2024-05-01T12:34:56+24:60", 1714476896000000000),
        ("2024-02-29T00:00:00Z", 1709164800000000000),
        ("1969-12-31T23:59:59Z", 2**64 - 1_000_000_000),
        ("0000-02-29T00:00:00Z", (-62162121600 * 10**9) % 2**64),
    ],
)
def test_a_timestamp_is_nanoseconds_since_the_epoch(text: str, nanos: int) -> None:
    assert nanoseconds(text) == nanos


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-05-01",
        "2024-05-01T12:34:56",
        "2024-05-01t12:34:56Z",
        "2024-05-01T12:34:56z",
        "2024-05-01 12:34:56Z",
        "2024-05-01T12:34:56.Z",
        "2024-05-01T12:34:60Z",
        "2024-05-01T24:00:00Z",
        "2024-05-01T24:00:00.123456Z",
        "2024-05-01T12:34:60.123456Z",
        "2024-05-01T12:34:5\u0666.123456Z",
        "2024-05-01T12:34:5+.123456Z",
        "2024-05-01T12:34:56.12345 Z",
        "2024-02-30T12:34:56.123456Z",
        "2024-05-01T5:34:560.123456Z",
        "2024-05-01T12:60:00Z",
        "2023-02-29T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-00-01T00:00:00Z",
        "2024-04-31T00:00:00Z",
        "24-05-01T12:34:56Z",
        "2024-5-1T12:34:56Z",
        "2024-05-01T12:4:56Z",
        "2024-05-01T12:34:56+0200",
        "2024-05-01T12:34:56+25:00",
        "2024-05-01T12:34:56+00:61",
        "2024-05-01T12:34:56Zx",
        "2024-05-01T12:34:56Z\n",
        " 2024-05-01T12:34:56Z",
        "\u0662024-05-01T12:34:56Z",
        "-024-05-01T12:34:56Z",
    ],
)
def test_what_go_refuses_is_no_timestamp(text: str) -> None:
    assert nanoseconds(text) is None


def test_the_one_time_that_means_the_hosts_clock_is_left_to_it() -> None:
    (event,), _ = read({**EVENT, "stageTimestamp": "1969-12-31T23:59:59.999999999Z"})
    assert event.ts is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.just(STAMP),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(("kind", "items", "stageTimestamp", "auditID", "x")), inner, max_size=4
        )
        | st.builds(listed, inner, inner)
        | inner.map(lambda value: {**EVENT, "x": value})
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_gives_events_or_reasons(payload: Any) -> None:
    events, rejected = read(orjson.dumps(payload))
    for event in events:
        decoded = orjson.loads(event.data)
        assert decoded["stageTimestamp"] == STAMP
        assert event.ts == 1714566896123456000
        assert event.json == (decoded if "auditID" in decoded else None)
    if not events and payload != []:
        assert rejected or "[]" in orjson.dumps(payload).decode()


@given(st.binary(max_size=64) | st.text(max_size=64))
def test_any_bytes_and_any_text_are_survived(payload: bytes | str) -> None:
    events, _ = read(payload)
    assert all(type(event) is Event for event in events)
