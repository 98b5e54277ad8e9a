"""Audit log of a Cloudflare account, from the files that Logpush puts into Azure Blob Storage.

https://developers.cloudflare.com/logs/logpush/logpush-job/enable-destinations/azure/
https://developers.cloudflare.com/logs/logpush/logpush-job/datasets/account/audit_logs/
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

from azure.core.exceptions import AzureError, ResourceNotFoundError
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

#: Logpush tries for hours to deliver a file, so one may come after files of a later time.
LATE = timedelta(days=1)


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
        state_file: Annotated[str, "Keeps which files are read; empty: those of the last day"] = ""

    def __init__(self, config: Config) -> None:
        self._config = config
        #: Files of the last day that Falco has finished with: name to time, in seconds.
        self._done: dict[str, float] = {}
        self._files = 0

    @source
    def events(self, params: str) -> Iterator[Batch | None]:
        done = dict(self._done or self._kept())
        given: set[str] = set()
        settings = self._config
        # falcopy tries again by itself; a client that sleeps would hold up the end of Falco.
        with ContainerClient.from_connection_string(
            settings.connection_string.reveal(), settings.container, retry_total=0
        ) as container:
            while True:
                try:
                    new = [
                        blob for blob in self._recent(container) if blob.name not in {*done, *given}
                    ]
                    for blob in new:
                        packed = container.download_blob(blob.name).readall()
                        lines = gzip.decompress(packed).splitlines()
                        given.add(blob.name)
                        self._files += 1
                        written = blob.last_modified.timestamp()
                        yield Batch(
                            [Event(line, ts=_when(line)) for line in lines if line],
                            delivered=partial(self._keep, blob.name, written),
                        )
                except ResourceNotFoundError as error:
                    raise SourceRetry(f"container {settings.container}: {error.reason}") from None
                except AzureError as error:
                    raise SourceRetry(f"storage account: {type(error).__name__}") from None
                yield None  # nothing more now: falcopy rests for a moment

    def _recent(self, container: ContainerClient) -> list[BlobProperties]:
        oldest = datetime.now(UTC) - LATE
        found = container.list_blobs(name_starts_with=self._config.prefix)
        recent = [blob for blob in found if blob.last_modified > oldest]
        return sorted(recent, key=lambda blob: blob.name)

    def _kept(self) -> dict[str, float]:
        try:
            return dict(json.loads(Path(self._config.state_file).read_text()))
        except (FileNotFoundError, IsADirectoryError):
            return {}
        except (OSError, ValueError, TypeError) as error:
            raise SourceFatal(f"state_file {self._config.state_file}: {error}") from error

    def _keep(self, name: str, written: float) -> None:
        self._done[name] = written
        oldest = (datetime.now(UTC) - LATE).timestamp()
        self._done = {name: when for name, when in self._done.items() if when > oldest}
        if self._config.state_file:
            beside = Path(self._config.state_file + ".new")
            beside.write_text(json.dumps(self._done))
            os.replace(beside, self._config.state_file)

    @metrics
    def counters(self) -> dict[str, int]:
        return {"files": self._files}

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


def _when(line: bytes) -> datetime | None:
    """The entry's own time; None, the host's clock, where it has none that can be read."""
    try:
        return datetime.fromisoformat(json.loads(line)["When"])
    except (ValueError, KeyError, TypeError):
        return None
