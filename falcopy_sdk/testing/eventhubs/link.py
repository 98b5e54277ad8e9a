"""Links: credit, deliveries and the end of a link, in both directions (transport 2.6)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from .amqp import conditions
from .amqp.conditions import AmqpError
from .amqp.performatives import (
    Accepted,
    Attach,
    Detach,
    Disposition,
    Error,
    Flow,
    Rejected,
    Source,
    Target,
    Transfer,
)
from .amqp.types import Symbol

if TYPE_CHECKING:
    from collections.abc import Callable

    from .access import Grants
    from .amqp.composite import Composite
    from .service import Service
    from .witness import LinkRecord

CREDIT = 1000
"""Messages a client may have under way to the emulator on one link."""
_UINT_RANGE = 2**32


class Replier(Protocol):
    """A link on which the client waits for answers."""

    address: object

    def post(self, octets: bytes) -> None:
        """Send an answer."""


class Channel(Protocol):
    """What a link needs of its session."""

    service: Service
    grants: Grants
    connection_number: int
    container_id: str
    replies: dict[str, list[Replier]]

    @property
    def can_send(self) -> bool:
        """Whether a delivery would go out now."""

    def send(self, performative: Composite) -> None:
        """Send a performative."""

    def send_flow(self, flow: Flow) -> None:
        """Send a flow, with the session's part filled in."""

    def send_delivery(self, handle: int, payload: bytes) -> None:
        """Send a settled delivery, in as many transfers as it needs."""

    def schedule(self, callback: Callable[[], None]) -> None:
        """Call back when the current callback has ended, with the connection's error handling."""

    def schedule_at(self, when: float, callback: Callable[[], None]) -> None:
        """The same at a time in seconds since the epoch, if the connection still lives then."""

    def expire(self) -> None:
        """End the links of the connection that no token covers any more."""


def wire_error(error: AmqpError) -> Error:
    """Return the performative's field for an error."""
    return Error(Symbol(error.condition), error.description)


class Link:
    """One link, until it is detached.

    Attributes:
        channel: The session.
        handle: The client's handle; the emulator uses the same number for its own end.
        record: What the witness keeps of it.
        open: Whether neither side has detached.
    """

    def __init__(self, channel: Channel, attach: Attach, record: LinkRecord) -> None:
        self.channel = channel
        self.handle = attach.handle
        self.record = record
        self.open = True
        self._attach = attach

    def attached(self) -> None:
        """Answer the client's attach."""
        asked = self._attach
        self.channel.send(
            Attach(
                name=asked.name,
                handle=asked.handle,
                receiver=not asked.receiver,
                snd_settle_mode=1 if asked.receiver else asked.snd_settle_mode,
                rcv_settle_mode=asked.rcv_settle_mode,
                source=asked.source or Source(),
                target=(asked.target or Target()),
                initial_delivery_count=0,
                max_message_size=self.channel.service.limits.max_message_size,
                offered_capabilities=self.capabilities,
            )
        )

    @property
    def capabilities(self) -> tuple[str, ...]:
        """The capabilities the link offers."""
        return ()

    def detach(self, error: AmqpError | None) -> None:
        """End the link from the emulator's side."""
        if self.open:
            wire = None if error is None else wire_error(error)
            self.channel.send(Detach(self.handle, closed=True, error=wire))
            self.close(error)

    def close(self, error: AmqpError | None = None) -> None:
        """Let go of the link: it was detached, or its session or connection has ended."""
        if not self.open:
            return
        self.open = False
        self.record.ended_at = time.time()
        witness = self.channel.service.witness
        if error is not None:
            self.record.condition, self.record.description = error.condition, error.description
            witness.conditions[error.condition] += 1
        self.released()
        witness.changed()

    def released(self) -> None:
        """Give back what the link holds; for the kinds of links that hold something."""

    def pump(self) -> None:
        """Send what can be sent; for the kinds of links that send."""

    def on_flow(self, flow: Flow) -> None:
        """Take the client's credit, or its question for ours."""
        raise NotImplementedError

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        """Take a part of a message.

        Raises:
            AmqpError: Ends the link.
        """
        raise NotImplementedError


class Outlet(Link):
    """A link on which the client receives."""

    def __init__(self, channel: Channel, attach: Attach, record: LinkRecord) -> None:
        super().__init__(channel, attach, record)
        self.credit = 0
        self._delivery_count = 0
        self._drain = False

    def on_flow(self, flow: Flow) -> None:
        """Take the credit that the client gives (transport 2.6.7)."""
        if flow.link_credit is not None:
            ahead = (self._delivery_count - (flow.delivery_count or 0)) % _UINT_RANGE
            self.credit = max(0, flow.link_credit - ahead)
        self._drain = flow.drain
        self.pump()
        if self._drain and self.open and self.credit:
            self._delivery_count += self.credit
            self.credit = 0
        elif not flow.echo:
            return
        self.channel.send_flow(self._state())

    def _state(self) -> Flow:
        return Flow(
            handle=self.handle,
            delivery_count=self._delivery_count % _UINT_RANGE,
            link_credit=self.credit,
            drain=self._drain,
        )

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        """Refuse: the client sends on a link it receives on."""
        raise AmqpError(conditions.NOT_ALLOWED, "a transfer on a link that is for receiving")

    @property
    def ready(self) -> bool:
        """Whether a message would go out now."""
        return self.open and self.credit > 0 and self.channel.can_send

    def send_message(self, octets: bytes) -> None:
        """Send a message; only when the link is `ready`."""
        self.credit -= 1
        self._delivery_count += 1
        self.channel.send_delivery(self.handle, octets)


class Inlet(Link):
    """A link on which the client sends."""

    def __init__(self, channel: Channel, attach: Attach, record: LinkRecord) -> None:
        super().__init__(channel, attach, record)
        self._credit = CREDIT
        self._delivery_count = attach.initial_delivery_count or 0
        self._delivery_id: int | None = None
        self._format = 0
        self._settled = False
        self._parts = bytearray()

    def attached(self) -> None:
        """Answer the client's attach and let it send."""
        super().attached()
        self._give_credit()

    def _give_credit(self) -> None:
        self._credit = CREDIT
        self.channel.send_flow(
            Flow(
                handle=self.handle,
                delivery_count=self._delivery_count % _UINT_RANGE,
                link_credit=self._credit,
            )
        )

    def on_flow(self, flow: Flow) -> None:
        """Answer when the client asks for the link's state."""
        if flow.echo:
            self._give_credit()

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        """Collect the parts of a delivery, then take the message and tell its outcome."""
        if self._delivery_id is None:
            self._begin(transfer)
        self._settled = self._settled or transfer.settled is True
        if transfer.aborted:
            self._forget()
            return
        self._parts += payload
        limit = self.channel.service.limits.max_message_size
        if len(self._parts) > limit:
            raise AmqpError(
                conditions.MESSAGE_SIZE_EXCEEDED,
                f"The received message (delivery-id:{self._delivery_id}, size:{len(self._parts)} "
                f"bytes) exceeds the limit ({limit} bytes) currently allowed on the link.",
            )
        if transfer.more:
            return
        delivery_id, settled = self._delivery_id, self._settled
        octets, message_format = bytes(self._parts), self._format
        self._forget()
        self.record.received += 1
        outcome = self._outcome(octets, message_format)
        if not settled and delivery_id is not None and self.open:
            self.channel.send(
                Disposition(receiver=True, first=delivery_id, settled=True, state=outcome)
            )
        if self.open and self._credit <= CREDIT // 2:
            self._give_credit()

    def _begin(self, transfer: Transfer) -> None:
        if transfer.delivery_id is None:
            raise AmqpError(conditions.INVALID_FIELD, "the first transfer lacks a delivery-id")
        if self._credit == 0:
            raise AmqpError(conditions.TRANSFER_LIMIT_EXCEEDED, "a transfer without credit")
        self._credit -= 1
        self._delivery_count += 1
        self._delivery_id = transfer.delivery_id
        self._format = transfer.message_format or 0

    def _forget(self) -> None:
        self._delivery_id = None
        self._settled = False
        self._parts = bytearray()

    def _outcome(self, octets: bytes, message_format: int) -> Composite:
        rule = self.channel.service.rules.for_link("reject", self.record)
        if rule is not None:
            error = AmqpError(rule.condition, rule.description)
            self.channel.service.witness.conditions[error.condition] += 1
            return Rejected(wire_error(error))
        self.on_message(octets, message_format)
        return Accepted()

    def on_message(self, octets: bytes, message_format: int) -> None:
        """Take a whole message.

        Raises:
            AmqpError: Ends the link.
        """
        raise NotImplementedError
