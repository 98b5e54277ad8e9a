"""From the address in an attach to the link that serves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..access import entity_path
from ..amqp import conditions
from ..amqp.conditions import AmqpError
from ..amqp.performatives import Attach, Detach
from ..amqp.types import Described
from ..link import Link, wire_error
from .cbs import TokenLink
from .consumer import ConsumerLink
from .management import ManagementLink
from .producer import ProducerLink
from .request_response import ReplyLink

if TYPE_CHECKING:
    from ..link import Channel
    from ..store import Hub, Partition
    from ..witness import LinkRecord


def open_link(channel: Channel, attach: Attach) -> Link:
    """Serve an attach: answer it, and return the link, which is closed when it was refused."""
    record = channel.service.witness.new_link(
        channel.connection_number, channel.container_id, attach.name
    )
    try:
        link = _build(channel, attach, record)
    except AmqpError as error:
        return _refuse(channel, attach, record, error)
    link.attached()
    rule = channel.service.rules.for_link("detach", record)
    if rule is not None:
        link.detach(AmqpError(rule.condition, rule.description))
    channel.service.witness.changed()
    return link


def _refuse(channel: Channel, attach: Attach, record: LinkRecord, error: AmqpError) -> Link:
    """Attach without the terminus that is not there, then detach (transport 2.6.3)."""
    record.refused = True
    link = Link(channel, attach, record)
    if error.condition == conditions.NOT_FOUND and record.kind == "consumer":
        keep = channel.service.limits.missing_group == "detach"
    else:
        keep = False
    if keep:
        link.attached()
    else:
        channel.send(
            Attach(
                name=attach.name,
                handle=attach.handle,
                receiver=not attach.receiver,
                source=None if attach.receiver else attach.source,
                target=attach.target if attach.receiver else None,
                initial_delivery_count=0 if attach.receiver else None,
            )
        )
    channel.send(Detach(attach.handle, closed=True, error=wire_error(error)))
    link.close(error)
    return link


def _build(channel: Channel, attach: Attach, record: LinkRecord) -> Link:
    if isinstance(attach.target, Described):
        raise AmqpError(conditions.NOT_IMPLEMENTED, "transactions are not supported")
    terminus = attach.source if attach.receiver else attach.target
    address = terminus.address if terminus is not None else None
    if not isinstance(address, str):
        raise AmqpError(conditions.INVALID_FIELD, f"the link's address is {address!r}, not text")
    record.address = entity_path(address)
    parts = record.address.split("/")
    if parts == ["$cbs"]:
        record.kind = "cbs"
        return _pair(channel, attach, record, TokenLink)
    if parts[-1] == "$management":
        record.kind = "management"
        record.hub = parts[0] if len(parts) > 1 else ""
        _obey(channel, record)
        return _pair(channel, attach, record, ManagementLink)
    record.kind = "consumer" if attach.receiver else "producer"
    record.hub = parts[0]
    match parts:
        case [_, "consumergroups", group, "partitions", partition_id] if attach.receiver:
            record.consumer_group, record.partition = group, partition_id
        case [_, "partitions", partition_id] if not attach.receiver:
            record.partition = partition_id
        case [_] if not attach.receiver:
            pass
        case _:
            raise AmqpError(
                conditions.NOT_FOUND, f"The messaging entity '{address}' could not be found."
            )
    _obey(channel, record)
    hub = channel.service.hub(record.hub)
    record.hub = hub.name
    return _open_entity(channel, attach, record, hub)


def _open_entity(channel: Channel, attach: Attach, record: LinkRecord, hub: Hub) -> Link:
    service = channel.service
    if service.limits.authorize and not channel.grants.allow(record.address):
        raise AmqpError(
            conditions.UNAUTHORIZED_ACCESS,
            f"Unauthorized access. 'Listen' or 'Send' claim(s) are required to perform this "
            f"operation. Resource: '{record.address}'.",
        )
    partition: Partition | None = None
    if record.consumer_group is not None:
        group = hub.group(record.consumer_group)
        if group is None:
            raise AmqpError(
                conditions.NOT_FOUND,
                f"The messaging entity '{hub.name}:eventhub|{record.consumer_group}' could not be "
                "found.",
            )
        record.consumer_group = group
    if record.partition is not None:
        partition = service.partition(hub, record.partition)
    if attach.receiver and partition is not None:
        return ConsumerLink(channel, attach, record, hub, partition)
    return ProducerLink(channel, attach, record, hub, partition)


def _obey(channel: Channel, record: LinkRecord) -> None:
    rule = channel.service.rules.for_link("refuse", record)
    if rule is not None:
        raise AmqpError(rule.condition, rule.description)


def _pair(
    channel: Channel,
    attach: Attach,
    record: LinkRecord,
    requests: type[TokenLink | ManagementLink],
) -> Link:
    kind: type[Link] = ReplyLink if attach.receiver else requests
    return kind(channel, attach, record)
