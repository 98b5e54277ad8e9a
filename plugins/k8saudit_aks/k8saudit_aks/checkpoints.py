"""Checkpoints in Azure Blob Storage, written only for what the host has finished with."""

from __future__ import annotations

import asyncio
import contextlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ServiceRequestError,
)
from azure.eventhub.extensions.checkpointstoreblobaio import BlobCheckpointStore

from k8saudit_aks import tls
from k8saudit_aks.log import StateLog, redact
from k8saudit_aks.progress import Position

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from k8saudit_aks.config import BlobSettings, HubSettings
    from k8saudit_aks.progress import Partition
    from k8saudit_aks.stats import Stats

__all__ = ["CheckpointStore", "Checkpointer", "explain", "open_store"]


class CheckpointStore(BlobCheckpointStore):
    """The client library's store, which also takes up the positions of the Go plugin.

    Python and .NET write blob names in lower case, Go writes them as configured. With the group
    ``$Default`` the two never meet, so the verbatim names are read as well, and only read.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.health = StateLog("checkpoint store: reachable again")
        #: By partition, what the store held when the client listed it last.
        self.positions: dict[str, Position] = {}

    async def list_ownership(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **kwargs: Any
    ) -> Iterable[dict[str, Any]]:
        """As in the client library, whose balancing rounds call it: a good sign of health."""
        listed = await super().list_ownership(
            fully_qualified_namespace, eventhub_name, consumer_group, **kwargs
        )
        self.health.up()
        return listed

    async def list_checkpoints(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **kwargs: Any
    ) -> Iterable[dict[str, Any]]:
        """Checkpoints of a group; of two spellings the one that is further on.

        Raises:
            azure.core.exceptions.AzureError: the container cannot be read.
        """
        group = (fully_qualified_namespace, eventhub_name, consumer_group)
        prefix = "/".join(group) + "/checkpoint/"
        found: dict[str, Position] = {}
        for spelling in sorted({prefix, prefix.lower()}):
            blobs = self._container_client.list_blobs(
                name_starts_with=spelling, include=["metadata"], **kwargs
            )
            async for blob in blobs:
                partition_id = blob.name[len(spelling) :]
                position = _position(blob.metadata)
                best = found.get(partition_id)
                if position and (not best or best.sequence_number < position.sequence_number):
                    found[partition_id] = position
        self.positions = found
        return [_checkpoint(group, *item) for item in found.items()]


def _position(metadata: Mapping[str, str] | None) -> Position | None:
    # Metadata travels as HTTP headers, so the case of its names says nothing.
    values = {key.lower(): value for key, value in (metadata or {}).items()}
    try:
        return Position(int(values["sequencenumber"]), values["offset"])
    except (KeyError, ValueError):
        return None


def _checkpoint(
    group: tuple[str, str, str], partition_id: str, position: Position
) -> dict[str, Any]:
    return {
        "fully_qualified_namespace": group[0],
        "eventhub_name": group[1],
        "consumer_group": group[2],
        "partition_id": partition_id,
        "offset": position.offset,
        "sequence_number": position.sequence_number,
    }


def open_store(settings: BlobSettings) -> CheckpointStore:
    """The store of ``settings``; connects at its first use.

    Few and short retries: both callers, balancing round and checkpointer, come again by
    themselves, and a checkpoint at close must not hold the host for a minute.
    """
    store = CheckpointStore.from_connection_string(
        settings.connection_string,
        settings.container,
        connection_verify=tls.ca_file(),
        connection_timeout=5,
        read_timeout=15,
        retry_total=1,
        initial_backoff=1,
        increment_base=1,
    )
    return cast("CheckpointStore", store)


def explain(error: Exception, settings: BlobSettings) -> str:
    """A sentence for the user: what happened to the checkpoint store and what to do."""
    where = f"checkpoint store: container {settings.container} of account {settings.account}"
    # Listing raises the plain HttpResponseError for what other calls have classes for.
    status = error.status_code if isinstance(error, HttpResponseError) else None
    if status == HTTPStatus.NOT_FOUND:
        return f"{where} does not exist; create it, or correct blob_storage_container_name"
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return (
            f"{where} refused the credentials of blob_storage_connection_string; check AccountKey, "
            "whether the key was rotated, and the network rules of the account"
        )
    if isinstance(error, ServiceRequestError):
        return (
            f"{where} cannot be reached ({_first_line(error)}); check network, DNS and firewall "
            "rules of the storage account"
        )
    return f"{where}: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    return (redact(str(error)).strip().splitlines() or [type(error).__name__])[0]


class Checkpointer:
    """Writes the delivered positions every so often, and once more at the end."""

    def __init__(
        self,
        store: CheckpointStore,
        hub: HubSettings,
        blob: BlobSettings,
        partitions: Mapping[str, Partition],
        stats: Stats,
    ) -> None:
        self._store, self._blob = store, blob
        self._group = (hub.namespace, hub.hub, hub.consumer_group)
        self._partitions, self._stats = partitions, stats
        self._writing = asyncio.Lock()

    async def run(self, interval: float, every: int) -> None:
        """Write for ever: each partition after ``every`` events or ``interval`` seconds."""
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(min(interval, 0.25))
            full = any(partition.unsaved >= every for partition in self._partitions.values())
            if full or loop.time() - last >= interval:
                last = loop.time()
                await self.flush()

    async def flush(self, within: float | None = None) -> None:
        """Write every partition whose delivered position is not yet in the store.

        Failures are logged and counted; the position stays due.

        Args:
            within: Seconds after which to give up; None: no limit.
        """
        async with self._writing:
            due = [
                (partition, position)
                for partition in self._partitions.values()
                if (position := partition.due) is not None
            ]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await asyncio.gather(*(self._write(*item) for item in due))

    async def _write(self, partition: Partition, position: Position) -> None:
        try:
            await self._store.update_checkpoint(_checkpoint(self._group, partition.id, position))
        except AzureError as error:
            self._stats.checkpoint_errors += 1
            self._store.health.down(
                f"{explain(error, self._blob)}. Events flow on; checkpoints wait"
            )
        else:
            partition.was_saved(position)
            self._stats.checkpoints += 1
            self._store.health.up()
