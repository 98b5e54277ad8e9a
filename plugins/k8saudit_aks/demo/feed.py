"""Sends the sample records to the emulator with the real producer client, a few at a time."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path

from azure.eventhub import EventData, EventHubProducerClient

SAMPLES = Path(__file__).resolve().parents[1] / "samples"

#: Seconds between two bodies: slow enough to watch.
_PAUSE = 0.1


@dataclass(frozen=True)
class Body:
    """One Event Hubs event to send, and the audit events that must come out of it."""

    partition: str
    data: bytes
    audit_ids: tuple[str, ...]


def plan(rounds: int, partitions: int) -> list[Body]:
    """Every sample once a round, with audit ids of its own; bodies without an event among them."""
    expected = json.loads((SAMPLES / "expected.json").read_text(encoding="utf-8"))["events"]
    samples: list[tuple[bytes, list[str]]] = []
    for path in sorted((SAMPLES / "bodies").iterdir()):
        ids = [audit_id for audit_id, event in expected.items() if event["file"] == path.name]
        samples.append((path.read_bytes(), ids))
    for number, path in enumerate(sorted((SAMPLES / "passed_over").iterdir())):
        samples.insert(3 * number + 2, (path.read_bytes(), []))
    bodies: list[Body] = []
    for turn in range(1, rounds + 1):
        for data, ids in samples:
            for audit_id in ids:
                data = data.replace(audit_id.encode(), f"{audit_id}-{turn}".encode())
            names = tuple(f"{audit_id}-{turn}" for audit_id in ids)
            bodies.append(Body(str(len(bodies) % partitions), data, names))
    return bodies


class Feed(threading.Thread):
    """Sends bodies in the background; :attr:`error` says why it could not."""

    def __init__(self, connection_string: str, hub: str, bodies: list[Body]) -> None:
        super().__init__(name="feed", daemon=True)
        self._connection_string, self._hub, self._bodies = connection_string, hub, bodies
        self._stopping = threading.Event()
        self.error: Exception | None = None

    def run(self) -> None:
        """Send everything, each body to its partition."""
        try:
            with EventHubProducerClient.from_connection_string(
                self._connection_string, eventhub_name=self._hub
            ) as producer:
                for body in self._bodies:
                    producer.send_batch([EventData(body.data)], partition_id=body.partition)
                    if self._stopping.wait(_PAUSE):
                        return
        except Exception as error:  # noqa: BLE001 - the main thread reports it
            self.error = error

    def stop(self) -> None:
        """Send no more, and wait for what is under way."""
        self._stopping.set()
        self.join()
