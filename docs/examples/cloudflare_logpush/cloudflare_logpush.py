"""Audit log of a Cloudflare account, from the files that Logpush puts into Azure Blob Storage.

https://developers.cloudflare.com/logs/logpush/logpush-job/enable-destinations/azure/
https://developers.cloudflare.com/logs/logpush/logpush-job/datasets/account/audit_logs/
"""

import gzip
import json
import logging
import os
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobProperties, ContainerClient
from falcopy_sdk import (
    Batch,
    Event,
    Secret,
    SourceFatal,
    SourceRetry,
    extract,
    init_schema,
    metrics,
    plugin,
    source,
)

#: Seconds that a first start goes back, and that the names of read files are kept.
LATE = 86400.0
logger = logging.getLogger(__name__)


@plugin(
    name="cloudflare-logpush",
    id=999,
    version="0.1.0",
    event_source="cloudflare",
    description="Audit log of a Cloudflare account, from Logpush files in Azure Blob Storage",
    contact="https://example.org/cloudflare-logpush",
)
class CloudflareLogpush:
    @init_schema
    @dataclass
    class Config:
        connection_string: Annotated[Secret, "Of the storage account; list and read suffice"]
        container: Annotated[str, "The container that Logpush writes to"]
        prefix: Annotated[str, "Of the files, as in Logpush's destination, such as audit/"] = ""
        state_file: Annotated[str, "Keeps what is read; empty: each start goes a day back"] = ""

    def __init__(self, config: Config) -> None:
        self._config = config
        #: Files that Falco has finished with: name to when it was written, in seconds.
        self._done: dict[str, float] = {}
        self._files = self._unreadable = 0

    @source
    def events(self, params: str) -> Iterator[Batch | None]:
        done = dict(self._done or self._kept())
        settings = self._config
        # falcopy tries again by itself; a client that sleeps would hold up the end of Falco.
        with ContainerClient.from_connection_string(
            settings.connection_string.reveal(), settings.container, retry_total=0
        ) as container:
            while True:
                try:
                    for blob in self._new(container, done):
                        written = done[blob.name] = blob.last_modified.timestamp()
                        events = [_event(line) for line in self._lines(container, blob.name)]
                        yield Batch(events, delivered=partial(self._keep, blob.name, written))
                except ResourceNotFoundError as error:
                    raise SourceRetry(f"container {settings.container}: {error.reason}") from None
                except AzureError as error:
                    raise SourceRetry(f"storage account: {type(error).__name__}") from None
                done = _recent(done)
                yield None  # nothing more now: falcopy rests for a moment

    def _new(self, container: ContainerClient, done: dict[str, float]) -> list[BlobProperties]:
        # By the time of writing, not of the entries: files come late, and Falco may have been off.
        oldest = max(done.values(), default=time.time()) - LATE
        found = container.list_blobs(name_starts_with=self._config.prefix)
        new = [(b.last_modified.timestamp(), b.name, b) for b in found if b.name not in done]
        return [blob for written, _, blob in sorted(new) if written > oldest]

    def _lines(self, container: ContainerClient, name: str) -> list[bytes]:
        self._files += 1
        try:
            packed = container.download_blob(name).readall()
            return [line for line in gzip.decompress(packed).splitlines() if line]
        except (gzip.BadGzipFile, EOFError, zlib.error, ResourceExistsError) as error:
            # Logpush's own ownership challenge; a file that is damaged, or archived (409).
            self._unreadable += 1
            logger.warning("file %s is passed over: %s", name, error)
            return []

    def _kept(self) -> dict[str, float]:
        try:
            return dict(json.loads(Path(self._config.state_file).read_text()))
        except (FileNotFoundError, IsADirectoryError):
            return {}
        except (OSError, ValueError, TypeError) as error:
            raise SourceFatal(f"state_file {self._config.state_file}: {error}") from error

    def _keep(self, name: str, written: float) -> None:
        self._done = _recent({**self._done, name: written})
        if self._config.state_file:
            beside = Path(self._config.state_file + ".new")
            beside.write_text(json.dumps(self._done))
            os.replace(beside, self._config.state_file)

    @metrics
    def counters(self) -> dict[str, int]:
        return {"files": self._files, "unreadable": self._unreadable}

    action = extract.path("cloudflare.action", "ActionType", desc="What was done")
    ok = extract.path("cloudflare.ok", "ActionResult", type=bool, desc="Whether it was done")
    actor = extract.path("cloudflare.actor", "ActorEmail", desc="Who did it")
    ip = extract.path("cloudflare.actor.ip", "ActorIP", desc="From which address")
    interface = extract.path("cloudflare.interface", "Interface", desc="UI or API")
    resource = extract.path(
        "cloudflare.resource", "ResourceType", desc="Kind of what it was done to"
    )
    resource_id = extract.path("cloudflare.resource.id", "ResourceID", desc="What it was done to")

    @extract("cloudflare.zone")
    def zone(self, event: Event) -> str | None:
        """Zone that the change is in."""
        return (event.json.get("Metadata") or {}).get("zone_name")


def _recent(done: dict[str, float]) -> dict[str, float]:
    oldest = max(done.values(), default=0.0) - LATE
    return {name: written for name, written in done.items() if written > oldest}


def _event(line: bytes) -> Event:
    """With the entry's own time; with that of reading, where it has none that Falco can take."""
    try:
        when = json.loads(line)["When"]
        if isinstance(when, int):  # nanoseconds, Logpush's default, or seconds
            return Event(line, ts=when if when > 10**12 else when * 10**9)
        return Event(line, ts=datetime.fromisoformat(when))
    except (ValueError, KeyError, TypeError, RecursionError):
        return Event(line)
