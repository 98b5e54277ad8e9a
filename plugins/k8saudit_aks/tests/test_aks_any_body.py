"""Whatever a body holds: no error, every record an event or counted, and neighbours unharmed."""

from __future__ import annotations

import gc
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from k8saudit_aks.plugin import K8sAuditAks
from k8saudit_aks.rejects import LinePlace

from falcopy_sdk.host import Library

from .reading import Reading, audit, record
from .test_fields_corpus import JSON, KEYS_IN_EVENTS, QUESTIONS, SHAPED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from falcopy_sdk import Event
    from falcopy_sdk.host import Plugin

SAMPLES = sorted((Path(__file__).parents[1] / "samples" / "bodies").iterdir())
BODIES = [path.read_bytes() for path in SAMPLES]
#: What a client can put into an event, and so into a ``log``, that strict readers refuse.
ODD = {"half": rb"\ud800", "halves": rb"\udc00\ud800", "number": b"1e999", "byte": b"\xff"}


def odd(decoded: Any) -> bytes:
    """JSON text in which marks like ``@half@`` have become what they stand for."""
    text = re.sub(b'"@number@"(?!:)', ODD["number"], orjson.dumps(decoded))
    for name, what in ODD.items():
        text = text.replace(f"@{name}@".encode(), what)
    return text


def in_body(*logs: bytes) -> bytes:
    """A body as Azure makes it of lines it did not look into; each byte stays what it is."""

    def quoted(log: bytes) -> bytes:
        text = json.dumps(log.decode("latin-1"), ensure_ascii=False)
        return text.encode("latin-1")

    records = b",".join(
        b'{"category":"kube-audit","properties":{"log":%b}}' % quoted(log) for log in logs
    )
    return b'{"records":[' + records + b"]}"


FIRST, LAST = orjson.dumps(audit("first")), orjson.dumps(audit("last"))


def ids(events: list[Event]) -> list[str]:
    return [orjson.loads(event.data)["auditID"] for event in events]


def figures(reading: Reading) -> tuple[int, ...]:
    stats = reading.stats
    return (
        stats.bodies_repaired,
        stats.records_repaired,
        stats.bad_bodies,
        sum(stats.rejected.values()),
    )


@pytest.mark.parametrize(
    ("mark", "value", "repaired"),
    [
        ("@half@", r"\ud800", (0, 1, 0, 0)),
        ("@halves@", "\ufffd", (0, 1, 0, 0)),
        ("@number@", "1e999", (0, 1, 0, 0)),
        ("@byte@", "\ufffd", (1, 0, 0, 0)),
    ],
)
def test_a_record_cannot_hide_itself_or_its_neighbours(
    mark: str, value: str, repaired: tuple[int, ...]
) -> None:
    reading = Reading()
    hidden = odd(audit("hidden", verb="patch", requestObject={"x": mark}))
    events = reading.events(in_body(FIRST, hidden, LAST))
    assert ids(events) == ["first", "hidden", "last"]
    assert events[1].json["requestObject"] == {"x": value}
    assert events[1].json == orjson.loads(events[1].data)
    assert figures(reading) == repaired


def test_half_a_pair_around_the_events_does_no_harm_either() -> None:
    body = orjson.dumps({"records": [record("a", resourceId="@half@"), record("b")]})
    reading = Reading()
    first, second = reading.events(body.replace(b"@half@", rb"\ud800"))
    assert first.json["azure"]["resourceId"] == "\ufffd"
    assert second.json["auditID"] == "b"
    assert figures(reading) == (1, 0, 0, 0)


def test_a_file_gives_the_same_as_the_stream(tmp_path: Path) -> None:
    hidden = odd(audit("hidden", requestObject={"x": ["@half@", "@halves@", "@number@", "@byte@"]}))
    file = tmp_path / "lines.jsonl"
    file.write_bytes(b"\n".join((FIRST, hidden, in_body(hidden), b"[" + hidden + b"]", LAST)))
    reading = Reading()
    assert reading.file(file) == ["first", "hidden", "hidden", "hidden", "last"]
    assert figures(reading) == (3, 3, 0, 0)
    for line in (hidden, in_body(hidden)):
        [event] = reading.reader.read_line(line, LinePlace("/a", 1))
        assert event.json["requestObject"] == {"x": [r"\ud800", "\ufffd", "1e999", "\ufffd"]}


def test_a_body_that_is_cut_off_is_one_bad_body() -> None:
    reading = Reading()
    assert reading.events(in_body(FIRST, odd(audit("x", y="@half@@byte@")), LAST)[:-5]) == []
    assert figures(reading) == (0, 0, 1, 1)


def outcomes(payload: Any) -> int:
    """How many events and rejects the payload of a record makes."""
    if isinstance(payload, list):
        return sum(map(outcomes, payload))
    items = payload.get("items") if isinstance(payload, dict) else None
    if isinstance(payload, dict) and payload.get("kind") == "EventList" and items:
        return len(items) if isinstance(items, list) else 1
    return 1


MARKED = st.sampled_from(["@half@", "@halves@", "@number@", "@byte@", "a@half@b", "@byte@@halves@"])
ANY = st.recursive(
    JSON | MARKED,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS_IN_EVENTS) | MARKED, inner, max_size=3)
    ),
    max_leaves=5,
)
EVENTS = st.builds(
    lambda more, body: {**more, **audit("odd"), "requestObject": body}, SHAPED, ANY
) | st.builds(lambda body: audit("odd", requestObject={"spec": {"containers": body}}), ANY)
PAYLOADS = (
    EVENTS
    | ANY
    | st.lists(EVENTS | ANY, max_size=3)
    | st.builds(lambda items: {"kind": "EventList", "items": items}, st.lists(EVENTS | ANY))
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(payloads=st.lists(PAYLOADS, max_size=3), junk=st.binary(max_size=20))
def test_every_record_is_an_event_or_counted_and_neighbours_survive(
    payloads: list[Any], junk: bytes
) -> None:
    reading = Reading()
    # Junk that is JSON by chance: an array could have any number of outcomes.
    junk = b"klog " + junk
    events = reading.events(in_body(FIRST, *map(odd, payloads), junk, LAST))
    stats = reading.stats
    assert (ids(events)[0], ids(events)[-1]) == ("first", "last")
    assert stats.events == len(events)
    assert len(events) + sum(stats.rejected.values()) == sum(map(outcomes, payloads)) + 3
    assert stats.rejected["bad_records_not_json"] == 1
    assert (stats.bodies, stats.bad_bodies, len(reading.kept)) == (
        1,
        0,
        sum(stats.rejected.values()),
    )
    for event in events:
        assert orjson.loads(event.data) == event.json or "auditID" not in orjson.loads(event.data)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A sample with some bytes cut out, put in, changed or doubled."""
    body = draw(st.sampled_from(BODIES))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = start + draw(st.integers(0, 6) | st.integers(0, len(body)))
        part = draw(
            st.binary(max_size=3)
            | st.sampled_from([*ODD.values(), b"", b"\\", b'"', b"{", b"]", b"NaN", b"null", b"\t"])
            | st.just(body[start:end] * 2)
        )
        body = body[:start] + part + body[end:]
    return body


@settings(max_examples=200, deadline=None)
@given(
    body=mutated() | st.binary(max_size=64) | JSON.map(orjson.dumps) | ANY.map(odd),
    as_line=st.booleans(),
)
def test_no_bytes_make_reading_fail(body: bytes, as_line: bool) -> None:
    reading = Reading()
    if as_line:
        events = list(reading.reader.read_line(body, LinePlace("/a", 1)))
    else:
        events = reading.events(body)
    stats, rejects = reading.stats, sum(reading.stats.rejected.values())
    assert (stats.bodies, stats.body_bytes, stats.events) == (1, len(body), len(events))
    assert stats.event_bytes == sum(len(event.data) for event in events)
    oversize = stats.rejected["events_oversize"]
    assert rejects == stats.bad_bodies + stats.bad_records + oversize == len(reading.kept)
    if stats.bad_bodies:
        assert (stats.bad_bodies, rejects, len(events), stats.records_skipped) == (1, 1, 0, 0)
    for event in events:
        decoded = orjson.loads(event.data)
        assert event.json == (decoded if "auditID" in decoded else None)


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def loaded(said: list[str]) -> Iterator[Plugin]:
    def log(component: str | None, message: str, severity: int) -> None:
        said.append(message)

    gc.collect()  # what other tests left open complains when it is found, and in this log
    with Library.from_class(K8sAuditAks) as library, library.init(log=log) as plugin:
        yield plugin


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(event=EVENTS)
def test_fields_of_repaired_events_have_their_types_and_stay_in_a_capture(
    loaded: Plugin, said: list[str], event: Any
) -> None:
    text = odd(event)
    [read] = Reading().reader.read_line(text, LinePlace("/a", 1))
    given_by_us, given_by_go = loaded.event(read.data), loaded.event(text)
    for question, _, _, type_ in QUESTIONS:
        value = loaded.extract(given_by_us, question)
        assert value == loaded.extract(given_by_go, question), question
        assert value is None or type(value) is type_, question
        for string in value if type_ is list and value else [value]:
            assert string is None or type(string) is (int if type_ is int else str), question
    assert said == []
