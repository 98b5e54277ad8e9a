"""Producers: messages and batches become events of a partition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..amqp import message
from ..amqp.types import Symbol
from ..link import Inlet

if TYPE_CHECKING:
    from ..amqp.performatives import Attach
    from ..link import Channel
    from ..store import Hub, Partition
    from ..witness import LinkRecord

_PARTITION_KEY = Symbol("x-opt-partition-key")


class ProducerLink(Inlet):
    """Takes events for a hub, or for one partition of it."""

    def __init__(
        self,
        channel: Channel,
        attach: Attach,
        record: LinkRecord,
        hub: Hub,
        partition: Partition | None,
    ) -> None:
        super().__init__(channel, attach, record)
        self._hub = hub
        self._partition = partition

    def on_message(self, octets: bytes, message_format: int) -> None:
        """Append an event, or all events of a batch to one partition."""
        outer = message.parse(octets)
        messages = [outer]
        if message_format == message.BATCH_FORMAT:
            messages = [message.parse(section) for section in outer.data]
            key = outer.annotations.get(_PARTITION_KEY)
            for inner in messages if key is not None else ():
                inner.annotations[_PARTITION_KEY] = key
        if not messages:
            return
        key = messages[0].annotations.get(_PARTITION_KEY)
        partition = self._partition or self._hub.choose(None if key is None else str(key))
        service = self.channel.service
        partition.append(messages, int(service.clock() * 1000))
        service.witness.changed()
