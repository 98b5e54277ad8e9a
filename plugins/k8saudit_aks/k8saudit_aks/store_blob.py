"""Checkpoints in a container of Blob Storage, which several Falcos share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.eventhub.extensions.checkpointstoreblobaio import BlobCheckpointStore

from falcopy_sdk.exceptions import SourceFatal
from k8saudit_aks import container
from k8saudit_aks.log import log
from k8saudit_aks.progress import Position
from k8saudit_aks.store import Group, Store, checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from azure.core.credentials_async import AsyncTokenCredential

    from k8saudit_aks.settings import BlobSettings, Network

__all__ = ["BlobStore"]


# Both have their own __aenter__; the client library's, which opens the connection, comes first.
class BlobStore(BlobCheckpointStore, Store):  # type: ignore[misc]
    """The client library's store, which also takes up the positions of the Go plugin.

    Python and .NET write blob names in lower case, Go writes them as configured. With the group
    ``$Default`` the two never meet, so the verbatim names are read as well, and only read.
    """

    #: The second for sockets that fail below the client library.
    errors: ClassVar[tuple[type[Exception], ...]] = (AzureError, OSError)
    opened: ClassVar[tuple[str, ...]] = (
        "opened connection to blob storage",
        "opened blob checkpoint connection",
    )

    _settings: BlobSettings
    _network: Network
    _credential: AsyncTokenCredential | None
    #: Names of blobs that were complained of.
    _unreadable: set[str]

    @classmethod
    def of(
        cls, settings: BlobSettings, network: Network, credential: AsyncTokenCredential | None
    ) -> BlobStore:
        """The store of ``settings``; connects at its first use."""
        account, options = settings.account, container.options(network)
        if account.connection_string:
            made = cls.from_connection_string(
                account.connection_string, settings.container, **options
            )
        else:
            made = cls(account.url, settings.container, credential=credential, **options)
        store = cast("BlobStore", made)
        Store.__init__(store)
        store._settings, store._network, store._credential = settings, network, credential
        store._unreadable = set()
        return store

    async def reach(self, group: Group) -> None:
        """Check that the container is there and may be used, and read the positions of ``group``.

        Raises:
            SourceFatal: the account answers, and has no such container.
            azure.core.exceptions.AzureError: it cannot be used now.
        """
        try:
            async with container.open_container(
                self._settings, self._network, self._credential
            ) as client:
                name = "/".join((*group, "rights")).lower()
                await container.check_rights(client, name, listing=True)
            await self.list_checkpoints(*group)
        except ResourceNotFoundError as error:
            raise SourceFatal(self.explain(error)) from None

    def explain(self, error: BaseException) -> str:
        """A sentence for the user."""
        key = "blob_storage_container_name"
        return container.explain(error, self._settings, "checkpoint store", key)

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
        group = Group(fully_qualified_namespace, eventhub_name, consumer_group)
        prefix = "/".join(group) + "/checkpoint/"
        found: dict[str, Position] = {}
        for spelling in sorted({prefix, prefix.lower()}):
            blobs = self._container_client.list_blobs(
                name_starts_with=spelling, include=["metadata"], **kwargs
            )
            async for blob in blobs:
                partition_id = blob.name[len(spelling) :]
                position = _position(blob.metadata)
                if position is None:
                    self._complain(blob.name)
                best = found.get(partition_id)
                if position and (not best or best.sequence_number < position.sequence_number):
                    found[partition_id] = position
        self.positions = found
        return [checkpoint(group, *item) for item in found.items()]

    def _complain(self, name: str) -> None:
        if name not in self._unreadable:
            self._unreadable.add(name)
            log.warning(
                "checkpoint store: blob %s of container %s is no checkpoint (it needs the metadata "
                "sequencenumber and offset) and counts as none",
                name,
                self._settings.container,
            )


def _position(metadata: Mapping[str, str] | None) -> Position | None:
    # Metadata travels as HTTP headers, so the case of its names says nothing.
    values = {key.lower(): value for key, value in (metadata or {}).items()}
    try:
        return Position(int(values["sequencenumber"]), values["offset"])
    except (KeyError, ValueError):
        return None
