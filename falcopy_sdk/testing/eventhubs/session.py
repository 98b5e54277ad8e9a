"""Sessions: windows, handles, and which link a performative is for (transport 2.5)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from .amqp import conditions
from .amqp.conditions import AmqpError
from .amqp.frames import TRANSFER_OVERHEAD, transfer_frame
from .amqp.performatives import Attach, Begin, Detach, Disposition, End, Flow, Transfer
from .link import wire_error
from .nodes.routing import open_link

if TYPE_CHECKING:
    from collections.abc import Callable

    from .access import Grants
    from .amqp.composite import Composite
    from .link import Link, Replier
    from .service import Service

WINDOW = 65535
"""Transfers a client may have under way to the emulator in one session."""
_UINT_RANGE = 2**32


class Carrier(Protocol):
    """What a session needs of its connection."""

    service: Service
    grants: Grants
    number: int
    container_id: str
    peer_max_frame_size: int
    replies: dict[str, list[Replier]]

    @property
    def writable(self) -> bool:
        """Whether octets would go out without piling up."""

    def send(self, channel: int, performative: Composite) -> None:
        """Send a performative on a channel."""

    def write(self, octets: bytes) -> None:
        """Send a whole frame."""

    def schedule(self, callback: Callable[[], None]) -> None:
        """Call back soon, with the connection's error handling."""

    def schedule_at(self, when: float, callback: Callable[[], None]) -> None:
        """Call back at a time in seconds since the epoch, if the connection still lives then."""

    def expire(self) -> None:
        """End the links that no token covers any more."""


class Session:
    """One session; it uses the client's channel number for its own end too.

    Attributes:
        links: By handle. A link that the emulator has ended stays until the client has answered.
    """

    def __init__(self, carrier: Carrier, channel: int, begin: Begin) -> None:
        self.service = carrier.service
        self.grants = carrier.grants
        self.replies = carrier.replies
        self.connection_number = carrier.number
        self.container_id = carrier.container_id
        self.links: dict[int, Link] = {}
        self._carrier = carrier
        self._channel = channel
        self._next_incoming_id = begin.next_outgoing_id
        self._incoming_window = WINDOW
        self._next_outgoing_id = 0
        self._peer_window = begin.incoming_window
        self._next_delivery_id = 0
        self._waiting: deque[bytes] = deque()
        self.send(
            Begin(
                remote_channel=channel,
                next_outgoing_id=0,
                incoming_window=WINDOW,
                outgoing_window=WINDOW,
            )
        )

    @property
    def can_send(self) -> bool:
        """Whether a delivery would go out now."""
        return self._peer_window > 0 and not self._waiting and self._carrier.writable

    def send(self, performative: Composite) -> None:
        """Send a performative on the session's channel."""
        self._carrier.send(self._channel, performative)

    def send_flow(self, flow: Flow) -> None:
        """Send a flow, with the session's part filled in."""
        self._incoming_window = WINDOW
        flow.next_incoming_id = self._next_incoming_id
        flow.incoming_window = WINDOW
        flow.next_outgoing_id = self._next_outgoing_id
        flow.outgoing_window = WINDOW
        self.send(flow)

    def send_delivery(self, handle: int, payload: bytes) -> None:
        """Send a settled delivery; transfers beyond the client's window wait for it to open."""
        delivery_id: int | None = self._next_delivery_id
        self._next_delivery_id = (self._next_delivery_id + 1) % _UINT_RANGE
        room = self._carrier.peer_max_frame_size - TRANSFER_OVERHEAD
        for start in range(0, len(payload) or 1, room):
            end = start + room
            part = payload if len(payload) <= room else payload[start:end]
            self._waiting.append(
                transfer_frame(self._channel, handle, delivery_id, part, more=end < len(payload))
            )
            delivery_id = None
        self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting and self._peer_window > 0:
            self._carrier.write(self._waiting.popleft())
            self._peer_window -= 1
            self._next_outgoing_id = (self._next_outgoing_id + 1) % _UINT_RANGE

    def schedule(self, callback: Callable[[], None]) -> None:
        """Call back soon, with the connection's error handling."""
        self._carrier.schedule(callback)

    def schedule_at(self, when: float, callback: Callable[[], None]) -> None:
        """Call back at a time in seconds since the epoch, if the connection still lives then."""
        self._carrier.schedule_at(when, callback)

    def expire(self) -> None:
        """End the links of the connection that no token covers any more."""
        self._carrier.expire()

    def pump(self) -> None:
        """Send what can be sent on every link."""
        self._send_waiting()
        for link in tuple(self.links.values()):
            if link.open:
                link.pump()

    def on_performative(self, performative: Composite, payload: bytes) -> None:
        """Handle a performative that came on the session's channel.

        Raises:
            AmqpError: Ends the session.
        """
        match performative:
            case Transfer():
                self._on_transfer(performative, payload)
            case Flow():
                self._on_flow(performative)
            case Attach():
                self._on_attach(performative)
            case Detach():
                self._on_detach(performative)
            case Disposition():
                pass  # All deliveries go out settled, so the client's word on them changes nothing.
            case _:
                raise AmqpError(
                    conditions.NOT_ALLOWED, f"unexpected {type(performative).__name__} in a session"
                )

    def _on_attach(self, attach: Attach) -> None:
        link = self.links.get(attach.handle)
        if link is not None and link.open:
            raise AmqpError(conditions.HANDLE_IN_USE, f"the handle {attach.handle} is in use")
        if link is not None and link.record.name == attach.name:
            return  # The client says by attach and detach that it knows of the end (2.6.6).
        self.links[attach.handle] = open_link(self, attach)

    def _on_detach(self, detach: Detach) -> None:
        link = self.links.pop(detach.handle, None)
        if link is not None and link.open:
            link.detach(None)

    def _on_flow(self, flow: Flow) -> None:
        # next-incoming-id is null until the client has seen the begin (transport 2.7.4).
        ahead = (self._next_outgoing_id - (flow.next_incoming_id or 0)) % _UINT_RANGE
        self._peer_window = max(0, flow.incoming_window - ahead)
        self._send_waiting()
        if flow.handle is None:
            for link in tuple(self.links.values()):
                if link.open:
                    link.pump()
            if flow.echo:
                self.send_flow(Flow())
            return
        link = self._link(flow.handle)
        if link.open:
            try:
                link.on_flow(flow)
            except AmqpError as error:
                link.detach(error)

    def _on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        self._next_incoming_id = (self._next_incoming_id + 1) % _UINT_RANGE
        self._incoming_window -= 1
        link = self._link(transfer.handle)
        if self._incoming_window < WINDOW // 2:
            self.send_flow(Flow())
        if link.open:
            try:
                link.on_transfer(transfer, payload)
            except AmqpError as error:
                link.detach(error)

    def _link(self, handle: int) -> Link:
        try:
            return self.links[handle]
        except KeyError:
            raise AmqpError(
                conditions.UNATTACHED_HANDLE, f"no link is attached with the handle {handle}"
            ) from None

    def end(self, error: AmqpError | None) -> None:
        """End the session from the emulator's side, or answer the client's end."""
        self.send(End(None if error is None else wire_error(error)))
        if error is not None:
            self.service.witness.conditions[error.condition] += 1
        self.close()

    def close(self) -> None:
        """Let go of the session's links."""
        self._waiting.clear()
        for link in self.links.values():
            link.close()
        self.links.clear()
