"""The reference plugin streams from an event hub in sysdig, started and stopped as users do."""

from __future__ import annotations

import json
import queue
import signal
import threading
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from azure.eventhub import EventData, EventHubProducerClient

from falcopy_sdk.testing.eventhubs import EmulatorThread, run_in_thread

from .hosts import Plugin, Sysdig

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from azure.storage.blob import ContainerClient

    from .conftest import Samples

pytestmark = pytest.mark.real_host

HUB, PARTITIONS = "aks-audit", 3
#: Seconds without a line from sysdig after which it counts as stuck.
PATIENCE = 60.0


@pytest.fixture
def emulator() -> Iterator[EmulatorThread]:
    with run_in_thread({HUB: PARTITIONS}) as running:
        yield running


def send(emulator: EmulatorThread, bodies: tuple[bytes, ...]) -> None:
    """Sends bodies with the real client, turn by turn to each partition."""
    with EventHubProducerClient.from_connection_string(
        emulator.connection_string(), eventhub_name=HUB
    ) as producer:
        for number, body in enumerate(bodies):
            producer.send_batch([EventData(body)], partition_id=str(number % PARTITIONS))


def config(emulator: EmulatorThread, **more: str) -> str:
    return json.dumps(
        {
            "event_hub_namespace_connection_string": emulator.connection_string(),
            "event_hub_name": HUB,
            "starting_position": "earliest",
            **more,
        }
    )


class Running:
    """A sysdig that is capturing; what it prints arrives line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        #: Everything that was printed so far, on either stream.
        self.lines: list[str] = []
        self._arrived: queue.Queue[str] = queue.Queue()
        self._readers = [
            threading.Thread(target=self._read, args=(stream,), daemon=True)
            for stream in (process.stdout, process.stderr)
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: Any) -> None:
        for line in stream:
            self._arrived.put(line.rstrip("\n"))

    def line_with(self, text: str) -> str:
        """Waits for a line that holds ``text``; the first one from the start."""
        for line in self.lines:
            if text in line:
                return line
        while text not in self._next(f"no line with {text!r}"):
            pass
        return self.lines[-1]

    def events(self, count: int) -> list[dict[str, Any]]:
        """Waits for so many events; returns all that have come."""
        while True:
            found = [json.loads(line) for line in self.lines if line.startswith("{")]
            if len(found) >= count:
                return found
            self._next(f"{len(found)} events of {count}")

    def _next(self, state: str) -> str:
        try:
            self.lines.append(self._arrived.get(timeout=PATIENCE))
        except queue.Empty:
            said = "\n".join(self.lines)
            raise AssertionError(f"{state}, and nothing for {PATIENCE} s:\n{said}") from None
        return self.lines[-1]

    def stop(self, with_signal: int = signal.SIGINT) -> int:
        """Ends it as Ctrl-C does; returns the exit code."""
        self.process.send_signal(with_signal)
        code = self.process.wait(timeout=30)
        self.drain()
        return code

    def drain(self) -> None:
        """Takes what an ended process has left."""
        for reader in self._readers:
            reader.join()
        while not self._arrived.empty():
            self.lines.append(self._arrived.get())


@contextmanager
def streaming(
    sysdig: Sysdig, plugin: Plugin, init_config: str, fields: list[str], *more: str
) -> Iterator[Running]:
    # As a context manager the process closes its pipes.
    with sysdig.start([(plugin, init_config)], "", fields, *more) as process:
        running = Running(process)
        try:
            yield running
        finally:
            process.kill()
            process.wait()
            running.drain()


LOGS = ["-D", "--log-level=info"]


def test_what_the_real_client_sends_comes_out_of_sysdig_live(
    sysdig: Sysdig, k8saudit_aks: Plugin, samples: Samples, emulator: EmulatorThread
) -> None:
    fields = ["ka.auditid", *samples.fields]
    with streaming(sysdig, k8saudit_aks, config(emulator), fields, *LOGS) as running:
        running.line_with("created eventhub processor")
        send(emulator, (*samples.bodies, *samples.passed_over))
        samples.check(running.events(len(samples.expected)))
        assert running.stop() == 0


def test_the_log_says_how_far_the_connection_got(
    sysdig: Sysdig, k8saudit_aks: Plugin, emulator: EmulatorThread, azurite: Any
) -> None:
    container = f"real-host-{uuid.uuid4().hex[:12]}"
    with azurite.service() as service:
        service.create_container(container)
    checkpoints = {
        "blob_storage_connection_string": azurite.connection_string(),
        "blob_storage_container_name": container,
    }
    given = config(emulator, **checkpoints)
    with streaming(sysdig, k8saudit_aks, given, ["ka.verb"], *LOGS) as running:
        for line in (
            "opened connection to blob storage",
            "opened blob checkpoint connection",
            "opened consumer client",
            "created eventhub processor",
        ):
            assert "k8saudit-aks" in running.line_with(line)
        assert running.stop() == 0


def until_positions_are_kept(container: ContainerClient, bodies: int) -> None:
    """Waits until the checkpoints are behind so many bodies, over all partitions."""
    until = time.monotonic() + PATIENCE
    while True:
        blobs = container.list_blobs(include=["metadata"])
        kept = {b.name: b.metadata for b in blobs if "/checkpoint/" in b.name}
        if sum(int(place["sequencenumber"]) + 1 for place in kept.values()) >= bodies:
            return
        assert time.monotonic() < until, f"{kept} are not behind {bodies} bodies"
        time.sleep(0.1)


def test_a_second_run_goes_on_where_the_first_ended(
    sysdig: Sysdig,
    k8saudit_aks: Plugin,
    samples: Samples,
    emulator: EmulatorThread,
    azurite: Any,
) -> None:
    container = f"real-host-{uuid.uuid4().hex[:12]}"
    with azurite.service() as service:
        service.create_container(container)
    given = config(
        emulator,
        blob_storage_connection_string=azurite.connection_string(),
        blob_storage_container_name=container,
    )
    first, rest = samples.bodies[:6], samples.bodies[6:]
    ids: list[str] = []
    sent = 0
    for bodies, count in ((first, 6), (rest, len(samples.expected) - 6)):
        send(emulator, bodies)
        sent += len(bodies)
        with streaming(sysdig, k8saudit_aks, given, ["ka.auditid"]) as running:
            ids += [event["ka.auditid"] for event in running.events(count)]
            # What sysdig has printed is finished with when it comes back for more, and not before.
            with azurite.service() as service:
                until_positions_are_kept(service.get_container_client(container), sent)
            assert running.stop() == 0
    assert sorted(ids) == sorted(samples.expected)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_stream_on_which_nothing_happens_ends_at_once_when_told(
    sysdig: Sysdig, k8saudit_aks: Plugin, emulator: EmulatorThread, ending: signal.Signals
) -> None:
    with streaming(sysdig, k8saudit_aks, config(emulator), ["ka.verb"], *LOGS) as running:
        running.line_with("created eventhub processor")
        assert running.stop(ending) in (0, -ending)
        assert not [line for line in running.lines if "Traceback" in line or "rror" in line]


def test_an_unreachable_hub_is_told_and_waited_for(
    sysdig: Sysdig, k8saudit_aks: Plugin, samples: Samples, emulator: EmulatorThread
) -> None:
    send(emulator, samples.bodies)
    emulator.stop_listening()
    fields = ["ka.auditid", *samples.fields]
    with streaming(sysdig, k8saudit_aks, config(emulator), fields, *LOGS) as running:
        told = running.line_with("cannot be reached")
        assert f"127.0.0.1 port {emulator.port}" in told
        emulator.resume_listening()
        samples.check(running.events(len(samples.expected)))
        assert running.stop() == 0


def test_a_missing_consumer_group_is_named_while_the_host_goes_on(
    sysdig: Sysdig, k8saudit_aks: Plugin, emulator: EmulatorThread
) -> None:
    given = config(emulator, consumer_group="nobody")
    with streaming(sysdig, k8saudit_aks, given, ["ka.verb"], *LOGS) as running:
        assert "check that consumer group nobody exists" in running.line_with("consumer group")
        assert running.process.poll() is None
        assert running.stop() == 0
