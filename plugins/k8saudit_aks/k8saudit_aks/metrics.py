"""The figures for the host: names, kinds and what they mean.

Names follow Falco's own (https://falco.org/docs/concepts/metrics/falco-metrics/): ``n_`` for
counts, units as words, what is per something at the end. A unit stands at the beginning only:
libsinsp strips ``_bytes``, ``_sec``, ``_ns`` and the like anywhere else in a plugin's names on the
way to Prometheus, where ``n_events`` is ``falcosecurity_plugins_k8saudit_aks_n_events_total``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from falcopy_sdk import Metric
from k8saudit_aks.fault import Fault
from k8saudit_aks.rejects import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from k8saudit_aks.stats import Stats
    from k8saudit_aks.stream import LiveStream

__all__ = ["ROWS", "Row", "collect", "table"]


class Row(NamedTuple):
    """A metric, or with a part in angle brackets a family of them.

    Attributes:
        name: As the host gets it, after the plugin's name.
        counter: Whether it only grows, from init on; else it is a value of now.
        meaning: For users.
    """

    name: str
    counter: bool
    meaning: str


#: By the name of the counter in :class:`Stats`.
_COUNTERS = {
    "events": Row("n_events", True, "Audit events given to the host"),
    "event_bytes": Row("bytes_events", True, "Their bytes"),
    "bodies": Row("n_bodies", True, "Event Hubs events read; each is a body with records"),
    "body_bytes": Row("bytes_bodies", True, "Their bytes"),
    "bad_bodies": Row("n_bad_bodies", True, "Bodies passed over whole"),
    "bad_records": Row("n_bad_records", True, "Records passed over"),
    "bodies_repaired": Row(
        "n_bodies_repaired", True, "Bodies that were read though they are not strict JSON"
    ),
    "records_repaired": Row(
        "n_records_repaired", True, "Records whose log was read though it is not strict JSON"
    ),
    "records_skipped": Row("n_records_skipped", True, "Records of categories that are not read"),
    "repeats": Row("n_repeats", True, "Event Hubs events received again and left out"),
    "reconnects": Row(
        "n_reconnects", True, "Times the plugin gave up on a client and made a new one"
    ),
    "client_reconnects": Row(
        "n_client_reconnects",
        True,
        "Times the Azure client replaced a partition's connection by itself",
    ),
    "checkpoints": Row("n_checkpoints", True, "Checkpoints written"),
    "checkpoint_errors": Row("n_checkpoint_errors", True, "Checkpoints that could not be written"),
    "dead_letters": Row("n_dead_letters", True, "Bodies and records kept as dead letters"),
    "dead_letters_lost": Row("n_dead_letters_lost", True, "The same that no sink could take"),
}
_FAULTS = {
    Fault.UNRESOLVED: "The name of the namespace did not resolve",
    Fault.UNREACHABLE: "No connection to Event Hubs",
    Fault.TIMEOUT: "Event Hubs did not answer",
    Fault.UNTRUSTED: "The certificate of Event Hubs is not trusted",
    Fault.REFUSED: "Event Hubs refused key, token or identity",
    Fault.NO_HUB: "There is no such event hub",
    Fault.NO_GROUP: "There is no such consumer group, or it has too many readers",
    Fault.THROTTLED: "Event Hubs was busy",
    Fault.STOLEN: "Another reader took a partition's link",
    Fault.MOVED: "A partition went to another reader with the same checkpoint store",
    Fault.SILENT: "A partition gave no sign of life, or no events though there were some",
    Fault.STORE: "The checkpoint store could not be used for sharing out partitions",
    Fault.OTHER: "Anything else",
}
_LIVE = (
    Row("up_event_hub", False, "1: every partition of ours is being received; 0: not"),
    Row("up_checkpoint_store", False, "1: it works; 0: not; absent without one"),
    Row("n_partitions", False, "Partitions that this Falco reads now"),
    Row("n_queued", False, "Event Hubs events that wait inside the plugin for the host"),
    Row("bytes_queued", False, "Their bytes"),
    Row("n_lag", False, "Event Hubs events that the host has not finished with, all partitions"),
    Row("seconds_lag", False, "Age of the oldest of them"),
    Row("n_lag_partition_<id>", False, "The same of one partition that this Falco reads"),
    Row("seconds_lag_partition_<id>", False, "The same of one partition that this Falco reads"),
    Row(
        "seconds_checkpoint_age",
        False,
        "For how long the longest finished event has waited for its checkpoint; 0: none waits",
    ),
)


def _rows() -> Iterator[Row]:
    for key, row in _COUNTERS.items():
        yield row
        if key == "bad_bodies":
            yield from (_of_reason(reason) for reason in Reason if reason.what == "a body")
        elif key == "bad_records":
            yield from (_of_reason(reason) for reason in Reason if reason.what != "a body")
        elif key == "records_skipped":
            yield Row("n_records_skipped_<category>", True, "The same of one category")
    for fault, meaning in _FAULTS.items():
        yield Row(f"n_faults_{fault.value}", True, f"{meaning}; retries count")
    yield from _LIVE


def _of_reason(reason: Reason) -> Row:
    return Row(
        f"n_{reason.counter}", True, f"{reason.what[2:].strip().capitalize()}: {reason.text}"
    )


#: All of them.
ROWS = tuple(_rows())


def collect(stats: Stats, stream: LiveStream | None) -> dict[str, Metric]:
    """What the host gets; the values of ``stream`` only while the event hub is open.

    Runs on a thread of the host, beside the source's.
    """
    found = {}
    for key, value in stats.counters().items():
        row = _COUNTERS.get(key)
        name, counter = (row.name, row.counter) if row else (f"n_{key}", True)
        found[name] = Metric(value, monotonic=counter)
    if stream is not None:
        found |= {name: Metric(value) for name, value in _now(stream).items()}
    return found


def _now(stream: LiveStream) -> dict[str, int | float]:
    ours = [partition for partition in stream.partitions if partition.owned]
    lags = {partition.id: partition.lag for partition in ours}
    # Also of partitions that are between two clients of ours.
    waiting = [since for item in stream.partitions if (since := item.due_since) is not None]
    found: dict[str, int | float] = {
        "up_event_hub": int(stream.receiving),
        "n_partitions": len(ours),
        "n_queued": stream.queued,
        "bytes_queued": stream.queued_bytes,
        "n_lag": sum(events for events, _ in lags.values()),
        "seconds_lag": max((seconds for _, seconds in lags.values()), default=0.0),
        "seconds_checkpoint_age": time.monotonic() - min(waiting) if waiting else 0.0,
    }
    if stream.store_works is not None:
        found["up_checkpoint_store"] = int(stream.store_works)
    for partition_id, (events, seconds) in lags.items():
        found[f"n_lag_partition_{partition_id}"] = events
        found[f"seconds_lag_partition_{partition_id}"] = seconds
    return found


def table() -> str:
    """All metrics as a Markdown table."""
    lines = ["| metric | kind | meaning |", "|---|---|---|"]
    kinds = {True: "counter", False: "gauge"}
    lines += [f"| `{row.name}` | {kinds[row.counter]} | {row.meaning} |" for row in ROWS]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
