"""Which partitions are ours, as one life of the client sees it.

The client shares out partitions with other readers through ownership records in the checkpoint
store, under an id that is new for every client. What this adds: the claims of our own earlier
clients do not count as another reader's; while the store is away, what was ours stays ours; and
a client that ends leaves no claim behind.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from azure.eventhub.aio import CheckpointStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from k8saudit_aks.progress import Partition
    from k8saudit_aks.store import Store

__all__ = ["Claims", "Ownership"]


@dataclass(slots=True)
class Claims:
    """What outlives a client: the claims of this process."""

    #: Ids of our clients.
    ids: set[str] = field(default_factory=set)
    #: Ownership records as granted to us last, by partition.
    held: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: The records of all readers as they were listed last.
    listed: list[dict[str, Any]] = field(default_factory=list)
    #: Seconds that the clock of this machine is ahead of the store's.
    skew: float = 0.0


class Ownership(CheckpointStore):
    """A checkpoint store for one client.

    Records are dicts as :class:`azure.eventhub.aio.CheckpointStore` describes them.
    """

    def __init__(
        self,
        store: Store,
        claims: Claims,
        partitions: Mapping[str, Partition],
        on_away: Callable[[Exception], None],
    ) -> None:
        """``on_away`` is told why the store cannot be used, at every attempt."""
        self._store, self._claims, self._partitions = store, claims, partitions
        self._on_away = on_away
        self.errors = store.errors
        #: Ids of earlier clients, whose claims are void.
        self._void = frozenset(claims.ids)
        self._away = False

    def holds(self, partition_id: str) -> bool:
        """Whether the last round of sharing out has left the partition to us."""
        return partition_id in self._claims.held

    def lost(self, partition_id: str) -> None:
        """Note that another reader has taken the partition."""
        self._claims.held.pop(partition_id, None)

    async def list_ownership(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **kwargs: Any
    ) -> Iterable[dict[str, Any]]:
        """The records of all readers; while the store is away, those that were listed last."""
        group = (fully_qualified_namespace, eventhub_name, consumer_group)
        try:
            listed = [dict(item) for item in await self._store.list_ownership(*group, **kwargs)]
        except self._store.errors as error:
            if not self._claims.held:
                raise
            self._away = True
            self._on_away(error)
            now = time.time()
            return [self._seen({**item, "last_modified_time": now}) for item in self._claims.listed]
        self._away = False
        self._store.health.up()
        self._claims.listed = [dict(item) for item in listed]
        for item in listed:
            if item["owner_id"] not in self._claims.ids:
                self._claims.held.pop(item["partition_id"], None)
                if item["owner_id"] and (partition := self._partitions.get(item["partition_id"])):
                    partition.fault = None  # whatever it was: another reads it now
        self._claims.ids &= {item["owner_id"] for item in listed}
        # The balancer compares the store's times with this machine's clock.
        for item in listed:
            item["last_modified_time"] += self._claims.skew
        return [self._seen(item) for item in listed]

    def _seen(self, item: dict[str, Any]) -> dict[str, Any]:
        if item["owner_id"] in self._void:
            item["owner_id"] = ""
        return item

    async def claim_ownership(
        self, ownership_list: Iterable[dict[str, Any]], **kwargs: Any
    ) -> Iterable[dict[str, Any]]:
        """The claims that were granted; while the store is away, those for what was ours."""
        asked = list(ownership_list)
        held = self._claims.held
        if self._away:
            kept = [
                {"last_modified_time": time.time(), **held[item["partition_id"]], **item}
                for item in asked
                if item["owner_id"] and self._may_keep(item)
            ]
            held.update((item["partition_id"], dict(item)) for item in kept)
            return kept
        etags = {item["partition_id"]: item.get("etag") for item in asked}
        granted = list(await self._store.claim_ownership(asked, **kwargs))
        now = time.time()
        for item in granted:
            partition_id = item["partition_id"]
            # A new claim that the client library keeps in an outage has none.
            item.setdefault("last_modified_time", now)
            if item.get("etag") != etags[partition_id]:  # written, and not just kept in an outage
                self._claims.skew = now - item["last_modified_time"]
                item["last_modified_time"] = now
                if not item["owner_id"]:
                    held.pop(partition_id, None)
            if item["owner_id"]:
                self._claims.ids.add(item["owner_id"])
                held[partition_id] = dict(item)
        for partition_id in etags.keys() - {item["partition_id"] for item in granted}:
            held.pop(partition_id, None)
        return granted

    def _may_keep(self, item: dict[str, Any]) -> bool:
        partition = self._partitions.get(item["partition_id"])
        # Without its checkpoint a partition would begin at the starting position.
        return item["partition_id"] in self._claims.held and bool(partition and partition.begun)

    async def release(self) -> None:
        """Give back what the client, stopped in the middle of a round, has left claimed."""
        left = [
            {**item, "owner_id": ""}
            for item in self._claims.held.values()
            if item["owner_id"] not in self._void
        ]
        if left and not self._away:
            await self.claim_ownership(left)

    async def list_checkpoints(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **kwargs: Any
    ) -> Iterable[dict[str, Any]]:
        """The checkpoints; while the store is away, how far this process has got itself."""
        group = (fully_qualified_namespace, eventhub_name, consumer_group)
        try:
            return await self._store.list_checkpoints(*group, **kwargs)
        except self._store.errors as error:
            if not self._away:
                raise
            self._on_away(error)
        return [
            {
                "fully_qualified_namespace": fully_qualified_namespace,
                "eventhub_name": eventhub_name,
                "consumer_group": consumer_group,
                "partition_id": partition.id,
                "offset": position.offset,
                "sequence_number": position.sequence_number,
            }
            for partition in self._partitions.values()
            if (position := partition.reached) is not None
        ]

    async def update_checkpoint(self, checkpoint: dict[str, Any], **kwargs: Any) -> None:
        """Write a checkpoint; the client itself writes none."""
        await self._store.update_checkpoint(checkpoint, **kwargs)
