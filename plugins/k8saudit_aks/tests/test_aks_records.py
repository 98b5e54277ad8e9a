"""Bodies and lines to audit events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from k8saudit_aks import replay as replaying
from k8saudit_aks.records import Complaints, RecordReader
from k8saudit_aks.replay import path_of, replay
from k8saudit_aks.stats import Stats

from falcopy_sdk.exceptions import SourceFatal

if TYPE_CHECKING:
    from pathlib import Path


def audit(audit_id: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": "Event",
        "auditID": audit_id,
        "stageTimestamp": "2026-02-03T04:05:06Z",
        **more,
    }


def record(audit_id: str, category: str = "kube-audit") -> dict[str, Any]:
    return {"category": category, "properties": {"log": json.dumps(audit(audit_id))}}


class Reading:
    """A reader, and what it gave and counted."""

    def __init__(self, max_event_size: int = 262144) -> None:
        self.stats = Stats()
        self.reader = RecordReader(max_event_size, self.stats, Complaints())

    def body(self, body: Any) -> list[str]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return [event.json["auditID"] for event in self.reader.read(raw, "here")]

    def file(self, path: Path) -> list[str]:
        batches = replay(str(path), self.reader)
        return [event.json["auditID"] for batch in batches for event in batch.events]


@pytest.mark.parametrize(
    "body",
    [
        {"records": [record("a"), record("b")]},
        {"Records": [record("a"), record("b")]},
        [record("a"), record("b")],
        {"records": [record("a"), record("nobody", "guard"), record("b", "KUBE-AUDIT-ADMIN")]},
        {"records": [record("a"), 17, None, {"properties": None}, {"category": 5}, record("b")]},
        {
            "records": [
                {"Category": "kube-audit", "Properties": {"Log": json.dumps(audit("a"))}},
                {"properties": {"log": json.dumps(audit("b"))}},
            ]
        },
    ],
)
def test_audit_records_are_read_in_every_form_azure_sends(body: Any) -> None:
    assert Reading().body(body) == ["a", "b"]


def test_a_bare_record_is_a_body() -> None:
    assert Reading().body(record("a")) == ["a"]


def test_the_log_of_other_categories_is_not_even_looked_at() -> None:
    reading = Reading()
    assert reading.body({"records": [record("a", "kube-scheduler")]}) == []
    assert (reading.stats.records_skipped, reading.stats.bad_records) == (1, 0)


@pytest.mark.parametrize("body", [b"", b"{", b"[1", b"\xff\xfe", b"17", b"{}", b'"records"'])
def test_bad_bodies_are_counted_and_give_nothing(body: bytes) -> None:
    reading = Reading()
    assert reading.body(body) == []
    assert reading.stats.bad_bodies == 1


def test_a_body_that_is_no_data_section_is_counted() -> None:
    reading = Reading()
    assert list(reading.reader.read(None, "here")) == []
    assert reading.stats.bad_bodies == 1


def test_an_event_over_the_size_limit_is_dropped_and_its_neighbours_stay() -> None:
    big = {"category": "kube-audit", "properties": {"log": json.dumps(audit("b", x="y" * 500))}}
    reading = Reading(max_event_size=300)
    assert reading.body({"records": [record("a"), big, record("c")]}) == ["a", "c"]
    assert reading.stats.events_oversize == 1


def test_complaints_come_once_a_minute_with_a_count(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("k8saudit_aks.records.time.monotonic", lambda: now)
    complaints = Complaints(every=60.0)
    for _ in range(5):
        complaints.note("a body", "partition 3, offset 17", "not valid JSON", "line 1")
    complaints.note("a record", "partition 3, offset 17", "no log", "missing")
    now += 60.0
    complaints.note("a body", "partition 3, offset 99", "not valid JSON", "line 2")
    assert [item.getMessage() for item in caplog.records] == [
        "passed over a body at partition 3, offset 17: not valid JSON (line 1)",
        "passed over a record at partition 3, offset 17: no log (missing)",
        "passed over a body at partition 3, offset 99: not valid JSON (line 2)"
        "; 4 more since the last such line",
    ]


def test_a_file_may_mix_bodies_events_lists_and_empty_lines(tmp_path: Path) -> None:
    lines = [
        json.dumps({"records": [record("a")]}),
        "",
        json.dumps(audit("b")),
        json.dumps({"kind": "EventList", "items": [audit("c"), audit("d")]}) + "\r",
        "not JSON",
        json.dumps([audit("e")]),
        json.dumps([record("f")]),
    ]
    file = tmp_path / "audit.jsonl"
    file.write_text("\n".join(lines))  # no newline at the end
    reading = Reading()
    assert reading.file(file) == ["a", "b", "c", "d", "e", "f"]
    assert reading.stats.bad_bodies == 1


def test_a_line_too_long_to_read_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "MAX_LINE", 1000)
    long = json.dumps(audit("b", x="y" * 5000))
    just = json.dumps(audit("c", x="")).replace('"x": ""', '"x": "' + "y" * 1000)[:999] + "}"
    file = tmp_path / "audit.jsonl"
    file.write_text("\n".join([json.dumps(audit("a")), long, just, json.dumps(audit("d"))]))
    reading = Reading()
    assert reading.file(file) == ["a", "d"]
    assert reading.stats.bad_bodies == 2


def test_paths_are_decoded_and_must_be_of_this_machine() -> None:
    assert path_of("file:///var/log/a%20b.jsonl") == "/var/log/a b.jsonl"
    assert path_of("file://localhost/x") == "/x"
    for other in ("file://elsewhere/x", "file:relative", "file:"):
        with pytest.raises(SourceFatal, match="expected file:///absolute/path"):
            path_of(other)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceFatal, match="Is a directory"):
        list(replay(str(tmp_path), Reading().reader))
