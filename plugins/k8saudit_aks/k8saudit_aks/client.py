"""The Azure client, made from the settings."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError
from azure.eventhub import TransportType
from azure.eventhub.aio import EventHubConsumerClient

from k8saudit_aks import tls
from k8saudit_aks.http import proxy_url
from k8saudit_aks.progress import BEGINNING, Position
from k8saudit_aks.trouble import REQUEST_ERRORS, Unavailable, diagnose, no_token, untrusting

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.eventhub.aio import CheckpointStore

    from k8saudit_aks.settings import HubSettings

__all__ = ["HubClient", "StartingPositions"]

#: By partition, where to start without a checkpoint.
StartingPositions = dict[str, "Position | datetime"]

#: Seconds without a frame after which a peer counts as gone; the client has no limit by itself.
_IDLE_TIMEOUT = 60
_CLOSE_TIMEOUT = 5.0
#: What the client asks for.
_SCOPE = "https://eventhubs.azure.net//.default"
_TRANSPORTS = {
    "amqp": TransportType.Amqp,
    "websocket": TransportType.AmqpOverWebsocket,
}


class HubClient:
    """Makes clients for one event hub."""

    def __init__(self, hub: HubSettings, credential: AsyncTokenCredential | None = None) -> None:
        """``credential`` is needed if ``hub`` has no connection string; it stays the caller's."""
        self._hub, self._credential = hub, credential

    def consumer(
        self, checkpoint_store: CheckpointStore | None = None, **options: Any
    ) -> EventHubConsumerClient:
        """A consumer client; connects at its first use, needs a running loop.

        Raises:
            Unavailable: the file of authorities cannot be read now.
        """
        hub = self._hub
        options |= {
            "checkpoint_store": checkpoint_store,
            "idle_timeout": _IDLE_TIMEOUT,
            **_network(hub),
        }
        if hub.connection_string:
            return EventHubConsumerClient.from_connection_string(
                hub.connection_string, hub.consumer_group, eventhub_name=hub.hub, **options
            )
        assert self._credential is not None
        return EventHubConsumerClient(
            hub.namespace, hub.hub, hub.consumer_group, self._credential, **options
        )

    async def close(self, client: EventHubConsumerClient) -> None:
        """Close a client, which waits for answers; a peer that has gone gives none."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await client.close()

    async def _check_token(self) -> None:
        """Ask for a token: the client, which then takes it from the cache, hides the cause.

        Raises:
            Unavailable: there is none.
        """
        if self._credential is None:
            return
        try:
            await self._credential.get_token(_SCOPE)
        except (AzureError, OSError) as error:
            raise Unavailable(no_token(error, self._hub)) from error

    async def partition_ids(self, within: float) -> list[str]:
        """Ask for the partitions that the hub has.

        Raises:
            Unavailable: with a sentence on the cause.
        """
        client = self.consumer(retry_total=0)
        try:
            async with asyncio.timeout(within):
                ids: list[str] = (await client.get_eventhub_properties())["partition_ids"]
                return ids
        except REQUEST_ERRORS as error:
            raise Unavailable(await diagnose(error, self._hub)) from error
        finally:
            await self.close(client)

    async def look_up(self, known: StartingPositions, within: float) -> StartingPositions:
        """Ask for the partitions and where each of them starts without a checkpoint.

        "Latest" is pinned down to the event that is the latest now: a link that has to be opened
        again before its first event would else skip what came in between. A partition that was
        added meanwhile starts at its beginning.

        Args:
            known: Starting positions from an earlier look; they stay.
            within: Seconds for everything.

        Raises:
            Unavailable: with a sentence on the cause.
        """
        hub = self._hub
        # One try each: the caller has its own, longer pauses, and the cause is wanted soon.
        client = self.consumer(retry_total=0)
        try:
            async with asyncio.timeout(within):
                await self._check_token()
                ids: list[str] = (await client.get_eventhub_properties())["partition_ids"]
                if isinstance(hub.start, datetime):
                    return dict.fromkeys(ids, hub.start)
                if hub.start != "@latest" or known:
                    return dict.fromkeys(ids, BEGINNING) | known
                found = await asyncio.gather(*(client.get_partition_properties(i) for i in ids))
        except REQUEST_ERRORS as error:
            raise Unavailable(await diagnose(error, hub)) from error
        finally:
            await self.close(client)
        return {partition["id"]: _latest(partition) for partition in found}


def _latest(partition: dict[str, Any]) -> Position:
    if partition["is_empty"]:
        return BEGINNING
    number: int = partition["last_enqueued_sequence_number"]
    return Position(number, str(partition["last_enqueued_offset"]))


def _network(hub: HubSettings) -> dict[str, Any]:
    network = hub.network
    try:
        context = tls.context(network.ca_file)
    except OSError as error:  # it was read at the start: somebody is replacing it
        raise Unavailable(untrusting(error, hub)) from error
    options: dict[str, Any] = {
        # Named always: with a custom endpoint the client's own default is the web socket.
        "transport_type": _TRANSPORTS[network.transport],
        "ssl_context": context,
    }
    if network.custom_endpoint:
        options["custom_endpoint_address"] = network.custom_endpoint
    if network.proxy:
        # The client joins the two and hands them on to aiohttp, which wants a URL.
        address, _, port = proxy_url(network.proxy).rpartition(":")
        options["http_proxy"] = {"proxy_hostname": address, "proxy_port": int(port)}
    return options
