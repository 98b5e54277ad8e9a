"""Counters of one plugin instance, read by the metrics call from another thread."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GAUGES", "Stats"]

#: Counters that go down as well.
GAUGES = frozenset({"intake_bytes"})


@dataclass(slots=True)
class Stats:
    """Plain integers: each is written by the source thread only."""

    events: int = 0
    event_bytes: int = 0
    bodies: int = 0
    body_bytes: int = 0
    bad_bodies: int = 0
    bad_records: int = 0
    records_skipped: int = 0
    events_oversize: int = 0
    repeats: int = 0
    reconnects: int = 0
    checkpoints: int = 0
    checkpoint_errors: int = 0
    intake_bytes: int = 0
