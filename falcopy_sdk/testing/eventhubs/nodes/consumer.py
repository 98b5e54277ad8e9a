"""Consumers: events of a partition, from a position on, as fast as credit allows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..amqp import conditions, message
from ..amqp.conditions import AmqpError
from ..amqp.types import Described, Symbol, Timestamp
from ..link import Outlet

if TYPE_CHECKING:
    from ..amqp.performatives import Attach
    from ..link import Channel
    from ..store import Hub, Partition
    from ..witness import LinkRecord

EPOCH = Symbol("com.microsoft:epoch")
RUNTIME_METRIC = "com.microsoft:enable-receiver-runtime-metric"
_SELECTOR = Symbol("apache.org:selector-filter:string")
_EXPRESSION = re.compile(
    r"\s*amqp\.annotation\.x-opt-(offset|sequence-number|enqueued-time)\s*(>=?)\s*'?([^']*?)'?\s*"
)
_FIELDS = {
    "offset": "offset",
    "sequence-number": "sequence_number",
    "enqueued-time": "enqueued_time",
}


def start_position(partition: Partition, filters: dict[Any, Any] | None) -> int:
    """Return the sequence number of the first event that a source's filter lets through.

    Args:
        partition: The partition to read.
        filters: The source's filter set (messaging 3.5.8); None reads from the start.

    Raises:
        AmqpError: ``amqp:invalid-field`` for an expression the service would not take.
    """
    if not filters:
        return partition.first_sequence_number
    value = filters.get(_SELECTOR)
    expression = value.value if isinstance(value, Described) else value
    match = _EXPRESSION.fullmatch(expression) if isinstance(expression, str) else None
    if match is None:
        raise AmqpError(conditions.INVALID_FIELD, f"The filter {filters!r} is not supported.")
    name, operator, position = match.groups()
    if position == "@latest":
        return partition.next_sequence_number
    if not re.fullmatch(r"-?\d+", position):
        raise AmqpError(conditions.INVALID_FIELD, f"The supplied {name} '{position}' is invalid.")
    return partition.position(_FIELDS[name], int(position), inclusive=operator == ">=")


class ConsumerLink(Outlet):
    """Sends the events of a partition."""

    def __init__(
        self,
        channel: Channel,
        attach: Attach,
        record: LinkRecord,
        hub: Hub,
        partition: Partition,
    ) -> None:
        super().__init__(channel, attach, record)
        epoch = (attach.properties or {}).get(EPOCH)
        self.epoch = record.epoch = None if epoch is None else int(epoch)
        self._partition = partition
        self._key = hub.name.lower(), (record.consumer_group or "").lower(), partition.id
        self._with_metric = RUNTIME_METRIC in attach.desired_capabilities
        self._next = start_position(partition, attach.source.filter if attach.source else None)
        self._scheduled = False
        channel.service.claims.admit(self._key, self)
        partition.subscribers.append(self._wake)

    @property
    def capabilities(self) -> tuple[str, ...]:
        """The runtime metric, when it was asked for."""
        return (RUNTIME_METRIC,) if self._with_metric else ()

    def released(self) -> None:
        """Stop listening to the partition and give up the place on it."""
        self._partition.subscribers.remove(self._wake)
        self.channel.service.claims.leave(self._key, self)

    def _wake(self) -> None:
        if not self._scheduled and self.ready:
            self._scheduled = True
            self.channel.schedule(self._awake)

    def _awake(self) -> None:
        self._scheduled = False
        self.pump()

    def pump(self) -> None:
        """Send as many events as there are, credit and the connection allow."""
        service = self.channel.service
        if not self.ready or service.rules.for_link("hold", self.record):
            return
        metric = self._metric() if self._with_metric else b""
        sent = False
        while self.ready:
            event = self._partition.get(self._next)
            if event is None:
                break
            self.send_message(metric + event.annotations + event.bare)
            self.record.delivered(event)
            self._next = event.sequence_number + 1
            sent = True
        if sent:
            service.witness.changed()

    def _metric(self) -> bytes:
        last = self._partition.last
        return message.encode_annotations(
            message.DELIVERY_ANNOTATIONS,
            {
                "last_enqueued_sequence_number": self._partition.next_sequence_number - 1,
                "last_enqueued_offset": "-1" if last is None else str(last.offset),
                "last_enqueued_time_utc": Timestamp(0 if last is None else last.enqueued_time),
                "runtime_info_retrieval_time_utc": Timestamp(
                    int(self.channel.service.clock() * 1000)
                ),
            }.items(),
        )
