"""Keeps the client's receive links from growing with every event.

A receive link of azure-eventhub (5.15.1: ``_pyamqp/aio/_receiver_async.py``) keeps the delivery tag
of each message until it settles that message. Event Hubs sends messages that are settled already
(AMQP 1.0, 2.6.12), so the tags stay: about 100 bytes an event for as long as the link lives, which
in months is all memory there is. Nothing reads them, as nothing is left to settle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.eventhub.aio import EventHubConsumerClient

__all__ = ["forget"]


def forget(client: EventHubConsumerClient) -> None:
    """Drop the delivery tags that the links of a client have kept; to be called now and then.

    The names are the client's own; one that has them no longer may have mended it.
    """
    for processor in tuple(getattr(client, "_event_processors", {}).values()):
        for consumer in tuple(getattr(processor, "_consumers", {}).values()):
            # The handler and its link are there once the link is open.
            link: Any = getattr(getattr(consumer, "_handler", None), "_link", None)
            tags: set[bytes] = getattr(link, "_received_delivery_tags", set())
            tags.clear()
