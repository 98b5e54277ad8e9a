"""What the tests of the Azure source share: the samples, Azurite, and a host for a live stream."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from azure.storage.blob import BlobServiceClient
from k8saudit_aks.config import Config, hub_settings
from k8saudit_aks.deadletters import DeadLetters
from k8saudit_aks.records import RecordReader
from k8saudit_aks.rejects import Complaints, Rejects
from k8saudit_aks.stats import Stats
from k8saudit_aks.stream import LiveStream
from k8saudit_aks.timing import Timing

from falcopy_sdk import Batch, Event, Secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from falcopy_sdk.testing.eventhubs import Emulator

SAMPLES = Path(__file__).parents[1] / "samples"

#: The plugin's intervals, made short; ``beat`` cannot be under two seconds.
QUICK = Timing(
    beat=2.0,
    silent=5.0,
    balancing=1.0,
    ownership=6.0,
    idle=4.0,
    census=2.0,
    settle=5.0,
    look_up=8.0,
    first_pause=0.2,
    last_pause=1.0,
    checkpoint=0.3,
    close=5.0,
)


@dataclass(frozen=True)
class Samples:
    """Bodies as Azure Monitor sends them, and what is expected of them."""

    bodies: list[bytes]
    passed_over: list[bytes]
    expected: dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def samples() -> Samples:
    def read(folder: str) -> list[bytes]:
        return [path.read_bytes() for path in sorted((SAMPLES / folder).iterdir())]

    expected = json.loads((SAMPLES / "expected.json").read_text(encoding="utf-8"))["events"]
    return Samples(read("bodies"), read("passed_over"), expected)


@pytest.fixture
def container(azurite: Any) -> Iterator[Container]:
    """A fresh container in Azurite."""
    with azurite.service() as service:
        name = f"checkpoints-{uuid.uuid4().hex[:12]}"
        service.create_container(name)
        yield Container(azurite, name, service)


@dataclass(frozen=True)
class Container:
    #: The running Azurite, from the fixture that all tests share.
    azurite: Any
    name: str
    service: BlobServiceClient

    def config(self) -> dict[str, Any]:
        return {
            "blob_storage_connection_string": Secret(self.azurite.connection_string()),
            "blob_storage_container_name": self.name,
        }

    def checkpoints(self) -> dict[str, int]:
        """The sequence number of each checkpoint blob, by the blob's name."""
        blobs = self.service.get_container_client(self.name).list_blobs(include=["metadata"])
        return {
            blob.name: int(blob.metadata["sequencenumber"])
            for blob in blobs
            if "/checkpoint/" in blob.name
        }

    def put_checkpoint(self, name: str, sequence_number: int, offset: str) -> None:
        self.service.get_blob_client(self.name, name).upload_blob(
            b"", metadata={"sequencenumber": str(sequence_number), "offset": offset}
        )


@dataclass
class Host:
    """Plays the host of one live stream: takes batches, and finishes with them when told."""

    stats: Stats
    batches: list[Batch] = field(default_factory=list)
    finishes: bool = True
    stream: Any = None
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def events(self) -> list[Event]:
        return [event for batch in self.batches for event in batch.events]  # type: ignore[misc]

    @property
    def ids(self) -> list[str]:
        return [event.json["auditID"] for event in self.events]

    def finish(self, batches: list[Batch] | None = None) -> None:
        """Be through with all batches, or with some."""
        for batch in self.batches if batches is None else batches:
            assert batch.delivered is not None
            batch.delivered()

    async def run(self, stream: AsyncIterator[Batch]) -> None:
        async for batch in stream:
            async with self._changed:
                self.batches.append(batch)
                self._changed.notify_all()
            if self.finishes:
                self.finish([batch])

    async def until(self, done: Callable[[Host], bool], within: float = 20.0) -> None:
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(lambda: done(self))


@pytest.fixture
def live() -> Callable[..., Any]:
    """Opens a live stream on an emulator and plays its host; ends it at the end of the block."""

    @asynccontextmanager
    async def opened(
        emulator: Emulator,
        *,
        finishes: bool = True,
        timing: Timing = QUICK,
        rate_limit: Any = None,
        **keys: Any,
    ) -> AsyncIterator[Host]:
        settings = {
            "event_hub_namespace_connection_string": Secret(emulator.connection_string()),
            "event_hub_name": "audit",
            "starting_position": "earliest",
            **keys,
        }
        if settings["starting_position"] is None:
            del settings["starting_position"]
        stats = Stats()
        config = Config(**settings)
        hub = hub_settings(config)
        dead_letters = DeadLetters(stats) if hub.dead_letters.wanted else None
        rejects = Rejects(stats, Complaints(), dead_letters)
        reader = RecordReader(config.maxEventSize, stats, rejects, config.categories)
        stream = LiveStream(hub, timing, reader, stats, rate_limit, dead_letters)
        batches = stream.batches()
        host = Host(stats, finishes=finishes, stream=stream)
        running = asyncio.create_task(host.run(batches))
        try:
            yield host
        finally:
            running.cancel()
            await asyncio.wait({running})
            await batches.aclose()
            if not running.cancelled() and running.exception():
                await running

    return opened


@pytest.fixture
def quick() -> Timing:
    """The plugin's intervals, made short."""
    return QUICK


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[str], list[str]]:
    """The plugin's log lines so far that hold a text."""
    caplog.set_level(logging.INFO)

    def lines(part: str = "") -> list[str]:
        return [
            record.getMessage()
            for record in caplog.records
            if record.name == "k8saudit_aks" and part in record.getMessage()
        ]

    return lines


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Waits until a condition of the outside world holds."""

    async def wait(condition: Callable[[], bool], within: float = 15.0) -> None:
        async with asyncio.timeout(within):
            while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
                await asyncio.sleep(0.05)

    return wait
