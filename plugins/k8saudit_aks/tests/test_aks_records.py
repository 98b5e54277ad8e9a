"""Bodies and lines to audit events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from k8saudit_aks import replay as replaying
from k8saudit_aks.replay import path_of, replay

from falcopy_sdk.exceptions import SourceFatal

from .reading import Reading, audit, record

if TYPE_CHECKING:
    from pathlib import Path


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
