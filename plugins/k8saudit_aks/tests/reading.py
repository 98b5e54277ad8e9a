"""A record reader, and what it gave, counted and handed to a dead-letter sink."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from k8saudit_aks.records import RecordReader
from k8saudit_aks.rejects import Complaints, HubPlace, Place, Reason, Rejects
from k8saudit_aks.replay import replay
from k8saudit_aks.stats import Stats

if TYPE_CHECKING:
    from pathlib import Path

    from falcopy_sdk import Event

HERE = HubPlace("3", "4711", 42)


def audit(audit_id: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": "Event",
        "auditID": audit_id,
        "stageTimestamp": "2026-02-03T04:05:06Z",
        **more,
    }


def record(audit_id: str, category: str = "kube-audit", **more: Any) -> dict[str, Any]:
    return {"category": category, "properties": {"log": json.dumps(audit(audit_id))}, **more}


class Reading:
    def __init__(self, max_event_size: int = 262144, **options: Any) -> None:
        self.stats = Stats()
        #: What the sink was given.
        self.kept: list[tuple[bytes, Place, Reason]] = []
        rejects = Rejects(self.stats, Complaints(), lambda *letter: self.kept.append(letter))
        self.reader = RecordReader(max_event_size, self.stats, rejects, **options)

    def events(self, body: Any, place: Place = HERE) -> list[Event]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return list(self.reader.read(raw, place))

    def body(self, body: Any) -> list[str]:
        return [event.json["auditID"] for event in self.events(body)]

    def file(self, path: Path) -> list[str]:
        batches = replay(str(path), self.reader)
        return [event.json["auditID"] for batch in batches for event in batch.events]
