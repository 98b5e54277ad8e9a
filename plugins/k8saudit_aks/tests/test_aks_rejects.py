"""What is no audit event: counted by reason, sampled in the log, kept, passed over."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from k8saudit.ingest import Rejected
from k8saudit_aks.rejects import REASONS, Complaints, HubPlace, LinePlace, Reason

from .reading import HERE, Reading, audit, record

if TYPE_CHECKING:
    from pathlib import Path


def with_log(log: Any) -> dict[str, Any]:
    return {"category": "kube-audit", "properties": {"log": log}}


def counted(reading: Reading) -> dict[str, int]:
    return {name: count for name, count in reading.stats.rejected.items() if count}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.BODY_NOT_JSON),
        (b"{", Reason.BODY_NOT_JSON),
        (b"\xff\xfe", Reason.BODY_NOT_JSON),
        (b'{"records": [{"category": "kube-audit", "prop', Reason.BODY_NOT_JSON),
        (b"17", Reason.BODY_NO_RECORDS),
        (b"{}", Reason.BODY_NO_RECORDS),
        (b'"records"', Reason.BODY_NO_RECORDS),
        (b'{"records": {"a": 1}}', Reason.BODY_NO_RECORDS),
    ],
)
def test_a_bad_body_is_counted_by_reason_and_kept_as_it_came(body: bytes, reason: Reason) -> None:
    reading = Reading()
    assert reading.body(body) == []
    assert counted(reading) == {reason.counter: 1}
    assert (reading.stats.bad_bodies, reading.stats.bad_records) == (1, 0)
    assert reading.kept == [(body, HERE, reason)]


def test_a_body_that_is_no_data_section_is_counted() -> None:
    reading = Reading()
    assert list(reading.reader.read(None, HERE)) == []
    assert counted(reading) == {"bad_bodies_no_data": 1}
    assert reading.kept == [(b"", HERE, Reason.BODY_NO_DATA)]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (17, Reason.RECORD_NO_LOG),
        (None, Reason.RECORD_NO_LOG),
        ({"category": "kube-audit", "properties": {}}, Reason.RECORD_NO_LOG),
        (with_log({"kind": "Event"}), Reason.RECORD_NO_LOG),
        (with_log(""), Reason.RECORD_NOT_JSON),
        (with_log("I0203 04:05:06.7 1 handler.go:88] ok"), Reason.RECORD_NOT_JSON),
        (with_log('{"kind":"Event","auditID":"a-3","requestObj'), Reason.RECORD_NOT_JSON),
        (with_log('{"kind":"Pod"}'), Reason.RECORD_NOT_AUDIT),
        (with_log('{"kind":"EventList","items":[]}'), Reason.RECORD_NO_ITEMS),
        (with_log('{"kind":"Event","auditID":"x"}'), Reason.RECORD_NO_TIMESTAMP),
        (
            with_log('{"kind":"Event","auditID":"x","stageTimestamp":"yesterday"}'),
            Reason.RECORD_BAD_TIMESTAMP,
        ),
        (with_log(json.dumps(audit("b", x="y" * 500))), Reason.EVENT_TOO_LARGE),
    ],
)
def test_a_bad_record_is_counted_and_kept_and_its_neighbours_stay(bad: Any, reason: Reason) -> None:
    reading = Reading(max_event_size=300)
    assert reading.body({"records": [record("a"), bad, record("c")]}) == ["a", "c"]
    assert counted(reading) == {reason.counter: 1}
    assert reading.stats.bad_records == (reason is not Reason.EVENT_TOO_LARGE)
    [(data, place, why)] = reading.kept
    assert (orjson.loads(data), place, why) == (bad, HERE, reason)


def test_an_event_too_deep_to_be_written_is_passed_over() -> None:
    deep = '{"kind":"Event","auditID":"x","stageTimestamp":"2026-02-03T04:05:06Z","x":%s%s}'
    reading = Reading()
    log = deep % ("[" * 1000, "]" * 1000)
    assert reading.body({"records": [with_log(log), record("c")]}) == ["c"]
    assert counted(reading) == {"bad_records_too_deep": 1}


def test_what_is_kept_can_be_replayed(tmp_path: Path) -> None:
    strict, lenient = Reading(max_event_size=60), Reading()
    strict.body({"records": [record("a"), record("b")]})
    file = tmp_path / "dead-letters.jsonl"
    file.write_bytes(b"\n".join(data for data, _, _ in strict.kept))
    assert lenient.file(file) == ["a", "b"]


def test_other_categories_are_counted_one_by_one_and_neither_read_nor_kept() -> None:
    reading = Reading()
    others = ["guard", "kube-scheduler", "Guard", "cloud-controller-manager"]
    assert reading.body({"records": [with_log("klog") | {"category": c} for c in others]}) == []
    assert reading.stats.records_skipped == 4
    assert reading.stats.skipped == {
        "guard": 2,
        "kube_scheduler": 1,
        "cloud_controller_manager": 1,
    }
    assert (counted(reading), reading.kept) == ({}, [])
    assert reading.stats.counters()["records_skipped_guard"] == 2


def test_made_up_categories_make_no_end_of_metrics() -> None:
    reading = Reading()
    reading.body({"records": [record("a", f"category-{n}") for n in range(500)]})
    assert reading.stats.records_skipped == sum(reading.stats.skipped.values()) == 500
    assert len(reading.stats.skipped) <= 33


def test_the_categories_to_read_can_be_chosen() -> None:
    reading = Reading(categories=["Kube-Audit-Admin"])
    body = {"records": [record("a"), record("b", "KUBE-AUDIT-ADMIN"), record("c", "guard")]}
    assert reading.body(body) == ["b"]
    assert reading.stats.skipped == {"kube_audit": 1, "guard": 1}


def test_every_reason_has_a_metric_from_the_start() -> None:
    counters = Reading().stats.counters()
    assert {reason.counter for reason in Reason} <= counters.keys()
    assert set(counters.values()) == {0}
    assert REASONS.keys() == set(Rejected)


def test_complaints_come_once_a_minute_with_a_count(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("k8saudit_aks.rejects.time.monotonic", lambda: now)
    complaints = Complaints(every=60.0)
    for _ in range(5):
        complaints.note(Reason.BODY_NOT_JSON, HubPlace("3", "17", 1), "line 1")
    complaints.note(Reason.RECORD_NO_LOG, LinePlace("/a", 2), "missing")
    now += 60.0
    complaints.note(Reason.BODY_NOT_JSON, HubPlace("3", "99", 2), "line 2")
    assert [item.getMessage() for item in caplog.records] == [
        "passed over a body at partition 3, offset 17: not valid JSON (line 1)",
        "passed over a record at /a line 2: no properties.log (missing)",
        "passed over a body at partition 3, offset 99: not valid JSON (line 2)"
        "; 4 more since the last such line",
    ]
