"""Dead letters in a container of Blob Storage: a blob of JSON lines every few seconds."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from k8saudit_aks import container

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from k8saudit_aks.settings import BlobSettings, HubSettings

__all__ = ["DeadLetterContainer"]


class DeadLetterContainer:
    """Names of the blobs: ``<namespace>/<hub>/<group>/<day>/<time>-<number>.jsonl``."""

    def __init__(
        self, hub: HubSettings, blob: BlobSettings, credential: AsyncTokenCredential | None
    ) -> None:
        """Connects at its first use; needs a running loop."""
        self._blob = blob
        self._prefix = f"{hub.namespace}/{hub.hub}/{hub.consumer_group}".lower()
        self._client = container.open_container(blob, hub.network, credential)
        self._checked = False
        self.pause = 10.0

    async def check(self) -> None:
        """Make sure that the container is there and may be written; leaves nothing behind.

        Raises:
            azure.core.exceptions.AzureError: it is not, or may not.
        """
        await container.check_rights(self._client, f"{self._prefix}/rights", listing=False)
        self._checked = True

    async def write(self, letters: bytes) -> None:
        """Upload a blob.

        Raises:
            azure.core.exceptions.AzureError: nothing was kept.
        """
        if not self._checked:
            await self.check()
        now = datetime.now(UTC)
        name = f"{self._prefix}/{now:%Y-%m-%d/%H-%M-%S.%f}-{uuid.uuid4().hex[:8]}.jsonl"
        await self._client.upload_blob(name, letters)

    def explain(self, error: BaseException) -> str:
        """A sentence for the user."""
        return container.explain(error, self._blob, "dead letters", "dead_letter_container")

    async def aclose(self) -> None:
        """Close the connection."""
        await self._client.close()
