"""The Azure client, made from the settings."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from azure.eventhub.aio import EventHubConsumerClient

from k8saudit_aks import tls
from k8saudit_aks.trouble import REQUEST_ERRORS, Unavailable, diagnose

if TYPE_CHECKING:
    from datetime import datetime

    from azure.eventhub.aio import CheckpointStore

    from k8saudit_aks.config import HubSettings

__all__ = ["StartingPositions", "consumer", "look_up"]

#: By partition, where to start without a checkpoint: ``"-1"``, a sequence number or a time.
StartingPositions = dict[str, "str | int | datetime"]

#: Seconds without a frame after which a peer counts as gone; the client has no limit by itself.
_IDLE_TIMEOUT = 60


def consumer(
    hub: HubSettings, checkpoint_store: CheckpointStore | None = None, **options: Any
) -> EventHubConsumerClient:
    """A consumer client for ``hub``; connects at its first use, needs a running loop."""
    return EventHubConsumerClient.from_connection_string(
        hub.connection_string,
        hub.consumer_group,
        eventhub_name=hub.hub,
        checkpoint_store=checkpoint_store,
        ssl_context=tls.context(),
        idle_timeout=_IDLE_TIMEOUT,
        **options,
    )


async def look_up(hub: HubSettings, known: StartingPositions, within: float) -> StartingPositions:
    """Ask for the partitions of ``hub`` and where each of them starts without a checkpoint.

    "Latest" is pinned down to the sequence number that is the latest now: a link that has to be
    opened again before its first event would else skip what came in between.

    Args:
        hub: What to ask for.
        known: Starting positions from an earlier look; they stay.
        within: Seconds for everything.

    Raises:
        Unavailable: with a sentence on the cause.
    """
    # One try each: the caller has its own, longer pauses, and the cause is wanted soon.
    client = consumer(hub, retry_total=0)
    try:
        async with asyncio.timeout(within):
            ids: list[str] = (await client.get_eventhub_properties())["partition_ids"]
            if hub.start != "@latest":
                return dict.fromkeys(ids, hub.start)
            news = [partition for partition in ids if partition not in known]
            found = await asyncio.gather(*(client.get_partition_properties(i) for i in news))
    except REQUEST_ERRORS as error:
        raise Unavailable(await diagnose(error, hub)) from error
    finally:
        await client.close()
    latest = {
        partition["id"]: partition["last_enqueued_sequence_number"]
        for partition in found
        if not partition["is_empty"]
    }
    return dict.fromkeys(ids, "-1") | known | latest
