"""Checkpoint stores: what the stream needs of one, and the choice among them."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from azure.eventhub.aio import CheckpointStore

from k8saudit_aks.log import StateLog
from k8saudit_aks.settings import BlobSettings

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from k8saudit_aks.progress import Position
    from k8saudit_aks.settings import HubSettings

__all__ = ["WAITING", "Group", "Store", "checkpoint", "open_store"]

#: What it means for the stream that a store is away; one sentence, so that it is logged once.
WAITING = "Events flow on; checkpoints wait"


class Group(NamedTuple):
    """Whose positions: readers that share them have all three in common."""

    namespace: str
    hub: str
    consumer_group: str


class Store(CheckpointStore):
    """The client library's interface, and beside it what the stream asks for.

    An asynchronous context manager; connects, or opens its file, in :meth:`reach`.
    """

    #: What its methods raise when it cannot be used now.
    errors: ClassVar[tuple[type[Exception], ...]]
    #: Log lines for the first time that it was reached.
    opened: ClassVar[tuple[str, ...]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.health = StateLog("checkpoint store: reachable again")
        #: By partition, what the store held when it was listed last.
        self.positions: dict[str, Position] = {}
        #: Whether what was written may be gone: it was away, or has been made anew.
        self.doubtful = False

    @abstractmethod
    async def reach(self, group: Group) -> None:
        """Make sure that positions of ``group`` can be read and written.

        Raises:
            SourceFatal: it never will without another configuration.
            Exception: one of :attr:`errors`: not now; trying again may help.
        """

    @abstractmethod
    def explain(self, error: BaseException) -> str:
        """A sentence for the user: what happened and what to do."""

    async def __aenter__(self) -> Self:
        """Nothing yet."""
        return self

    @abstractmethod
    async def __aexit__(self, *raised: object) -> None:
        """Let go of connections and files."""


def checkpoint(group: Group, partition_id: str, position: Position) -> dict[str, Any]:
    """A checkpoint as the client library has it."""
    return {
        "fully_qualified_namespace": group.namespace,
        "eventhub_name": group.hub,
        "consumer_group": group.consumer_group,
        "partition_id": partition_id,
        "offset": position.offset,
        "sequence_number": position.sequence_number,
    }


def open_store(hub: HubSettings, credential: AsyncTokenCredential | None) -> Store | None:
    """The store that the settings choose; needs a running loop.

    Imports only what this store needs: Blob Storage takes 35 MB.
    """
    if hub.store is None:
        return None
    if isinstance(hub.store, BlobSettings):
        from k8saudit_aks.store_blob import BlobStore

        return BlobStore.of(hub.store, hub.network, credential)
    from k8saudit_aks.store_file import FileStore

    return FileStore(hub.store.path)
