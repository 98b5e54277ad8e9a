"""``$management``: what a hub and its partitions look like.

Requests and answers as in "AMQP protocol guide: Event Hubs management" and the public clients:
READ of ``com.microsoft:eventhub`` and ``com.microsoft:partition``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..amqp import conditions, message
from ..amqp.conditions import AmqpError
from ..amqp.types import Array, Int, Timestamp
from .request_response import RequestLink

if TYPE_CHECKING:
    from ..store import Hub, Partition

_STATUS = {
    conditions.NOT_FOUND: 404,
    conditions.UNAUTHORIZED_ACCESS: 401,
    conditions.NOT_IMPLEMENTED: 501,
}


class ManagementLink(RequestLink):
    """Answers READ requests."""

    def answer(self, request: message.Message) -> bytes:
        """Answer 200 with a map, or why not."""
        try:
            body = self._read(request.application_properties)
        except AmqpError as error:
            status = _STATUS.get(error.condition, 400)
            return message.encode_response(
                request, status, error.description, condition=error.condition
            )
        return message.encode_response(request, 200, "OK", body)

    def _read(self, fields: dict[object, object]) -> dict[object, object]:
        operation, kind = fields.get("operation"), fields.get("type")
        if operation != "READ" or kind not in (
            "com.microsoft:eventhub",
            "com.microsoft:partition",
        ):
            raise AmqpError(conditions.NOT_IMPLEMENTED, f"{operation} of {kind} is not supported")
        service = self.channel.service
        hub = service.hub(str(fields.get("name")))
        if service.limits.authorize and not self.channel.grants.allow_hub(hub.name):
            raise AmqpError(
                conditions.UNAUTHORIZED_ACCESS, f"No valid token covers the hub '{hub.name}'."
            )
        if kind == "com.microsoft:eventhub":
            return _describe_hub(hub)
        return _describe_partition(hub, service.partition(hub, str(fields.get("partition"))))


def _describe_hub(hub: Hub) -> dict[object, object]:
    return {
        "name": hub.name,
        "type": "com.microsoft:eventhub",
        "created_at": Timestamp(hub.created_at),
        "partition_count": Int(len(hub.partitions)),
        "partition_ids": Array(str, tuple(hub.partitions)),
    }


def _describe_partition(hub: Hub, partition: Partition) -> dict[object, object]:
    last = partition.last
    return {
        "name": hub.name,
        "type": "com.microsoft:partition",
        "partition": partition.id,
        "begin_sequence_number": partition.first_sequence_number,
        "last_enqueued_sequence_number": partition.next_sequence_number - 1,
        "last_enqueued_offset": "-1" if last is None else str(last.offset),
        "last_enqueued_time_utc": Timestamp(0 if last is None else last.enqueued_time),
        "is_partition_empty": last is None,
    }
