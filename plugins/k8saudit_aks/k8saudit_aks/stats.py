"""Counters of one plugin instance, read by the metrics call from another thread."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from k8saudit_aks.fault import Fault
from k8saudit_aks.rejects import Reason

__all__ = ["Stats"]


def _reasons() -> dict[str, int]:
    return {reason.counter: 0 for reason in Reason}


def _faults() -> dict[str, int]:
    return {fault.value: 0 for fault in Fault}


@dataclass(slots=True)
class Stats:
    """Plain integers: each is written by the source thread only."""

    events: int = 0
    event_bytes: int = 0
    bodies: int = 0
    body_bytes: int = 0
    bad_bodies: int = 0
    bad_records: int = 0
    bodies_repaired: int = 0
    records_repaired: int = 0
    records_skipped: int = 0
    repeats: int = 0
    reconnects: int = 0
    client_reconnects: int = 0
    checkpoints: int = 0
    checkpoint_errors: int = 0
    #: Letters kept, by each sink; and what no sink could take.
    dead_letters: int = 0
    dead_letters_lost: int = 0
    #: Troubles with Event Hubs and the checkpoint store, retries included, by kind.
    faults: dict[str, int] = field(default_factory=_faults)
    #: By the counter of a :class:`~k8saudit_aks.rejects.Reason`; each key is there from the start.
    rejected: dict[str, int] = field(default_factory=_reasons)
    #: Records passed over on purpose, by category as a metric's name has it.
    skipped: dict[str, int] = field(default_factory=dict)

    def counters(self) -> dict[str, int]:
        """All of them, by the name of the metric."""
        plain: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        by_reason, by_category = plain.pop("rejected"), plain.pop("skipped")
        faults = {f"faults_{name}": count for name, count in plain.pop("faults").items()}
        # A copy: the source thread may meet a new category meanwhile.
        skipped = {f"records_skipped_{name}": count for name, count in dict(by_category).items()}
        return {**plain, **faults, **by_reason, **skipped}
