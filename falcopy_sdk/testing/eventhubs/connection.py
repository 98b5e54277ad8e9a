"""AMQP connections: handshakes, from frames to sessions, heartbeats and the end (transport 2.4)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .access import Grants
from .amqp import conditions, sasl
from .amqp.composite import read_one_of
from .amqp.conditions import AmqpError
from .amqp.decode import decode
from .amqp.frames import (
    AMQP_FRAME,
    AMQP_HEADER,
    EMPTY_FRAME,
    MIN_MAX_FRAME_SIZE,
    SASL_HEADER,
    Frame,
    FrameBuffer,
    frame,
)
from .amqp.performatives import PERFORMATIVES, Begin, Close, End, Open
from .link import wire_error
from .session import Session
from .wire import Wire

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from .amqp.composite import Composite
    from .link import Replier
    from .service import Service

_log = logging.getLogger(__name__)
_CHANNEL_MAX = 255
_CLOSE_TIMEOUT = 1.0
"""Seconds the client has to answer a close before the socket is reset."""


class Connection(Wire):
    """One AMQP connection.

    Attributes:
        grants: What the tokens put on it allow.
        container_id: What the client calls itself.
        peer_max_frame_size: Octets in the largest frame the client takes.
        replies: The open reply links, by the node they belong to.
    """

    def __init__(self, service: Service, connections: set[Connection]) -> None:
        super().__init__(service)
        self.grants = Grants()
        self.replies: dict[str, list[Replier]] = {}
        self.container_id = ""
        self.peer_max_frame_size = MIN_MAX_FRAME_SIZE
        self._connections = connections
        self._buffer = FrameBuffer(service.limits.max_frame_size)
        self._sessions: dict[int, Session] = {}
        self._ended_channels: set[int] = set()
        self._step: Callable[[], bool] = self._take_header
        self._opened = False
        self._heard = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the protocol header."""
        super().connection_made(transport)
        self._connections.add(self)
        self._heard = self._loop.time()
        self._watch_silence()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self._drop_sessions()
        self._connections.discard(self)
        super().connection_lost(exc)

    def _drop_sessions(self) -> None:
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

    # From octets to sessions.

    def received(self, data: bytes) -> None:
        """Handle the frames that are whole."""
        self._heard = self._loop.time()
        self._buffer.feed(data)
        while self._step():
            pass

    def _take_header(self) -> bool:
        header = self._buffer.take(8)
        if header is None:
            return False
        if header == SASL_HEADER:
            self.write(SASL_HEADER + sasl.offer())
            self._step = self._take_sasl
        elif header == AMQP_HEADER:
            self.write(AMQP_HEADER)
            self._step = self._take_frame
        else:
            # The standard's answer to a header one does not speak (transport 2.2).
            self.write(AMQP_HEADER)
            self._leave()
        return True

    def _take_sasl(self) -> bool:
        received = self._buffer.next_frame()
        if received is None:
            return False
        answer, accepted = sasl.answer(received)
        self.write(answer)
        if accepted:
            self._step = self._take_header
        else:
            self._leave()
        return True

    def _take_frame(self) -> bool:
        received = self._buffer.next_frame()
        if received is None:
            return False
        if received.type != AMQP_FRAME:
            raise AmqpError(conditions.FRAMING_ERROR, f"a frame of type {received.type}")
        if received.body:
            self._on_frame(received)
        return True

    def _on_frame(self, received: Frame) -> None:
        value, at = decode(received.body)
        performative = read_one_of(value, PERFORMATIVES)
        if self.closing:
            # What was under way when the emulator closed; only the answer to that counts.
            if isinstance(performative, Close):
                self._leave()
            return
        match performative:
            case Open():
                self._on_open(performative)
            case Close():
                self.close(None)
            case _ if not self._opened:
                raise AmqpError(conditions.NOT_ALLOWED, "the first performative must be an open")
            case Begin():
                self._on_begin(received.channel, performative)
            case _:
                self._on_session(received.channel, performative, bytes(received.body[at:]))

    def _on_open(self, opened: Open) -> None:
        if self._opened:
            raise AmqpError(conditions.NOT_ALLOWED, "the connection is open already")
        limits = self.service.limits
        self._opened = True
        self.container_id = opened.container_id
        self.send(
            0,
            Open(
                container_id=f"falcopy-eventhubs-{self.number}",
                max_frame_size=limits.max_frame_size,
                channel_max=_CHANNEL_MAX,
                idle_time_out=int(limits.idle_timeout * 500),
            ),
        )
        if opened.max_frame_size < MIN_MAX_FRAME_SIZE:
            raise AmqpError(
                conditions.INVALID_FIELD, f"max-frame-size {opened.max_frame_size} is below 512"
            )
        self.peer_max_frame_size = min(opened.max_frame_size, limits.max_frame_size)
        if opened.idle_time_out:
            self._beat(opened.idle_time_out / 2000)

    def _on_begin(self, channel: int, begin: Begin) -> None:
        if channel in self._sessions or channel > _CHANNEL_MAX:
            raise AmqpError(conditions.NOT_ALLOWED, f"begin on channel {channel}")
        self._ended_channels.discard(channel)
        self._sessions[channel] = Session(self, channel, begin)

    def _on_session(self, channel: int, performative: Composite, payload: bytes) -> None:
        session = self._sessions.get(channel)
        if session is None:
            # The Azure client ends its session first and detaches the links on it after.
            if channel not in self._ended_channels:
                raise AmqpError(conditions.NOT_ALLOWED, f"no session on channel {channel}")
            return
        error: AmqpError | None = None
        if not isinstance(performative, End):
            try:
                session.on_performative(performative, payload)
            except AmqpError as raised:
                error = raised
            else:
                return
        session.end(error)
        del self._sessions[channel]
        self._ended_channels.add(channel)

    # From sessions to octets.

    def send(self, channel: int, performative: Composite) -> None:
        """Send a performative on a channel."""
        self.write(frame(channel, performative))

    def pump(self) -> None:
        """Send what can be sent in every session."""
        for session in self.sessions:
            session.pump()

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The sessions that are open."""
        return tuple(self._sessions.values())

    # Silence, tokens, and the end.

    def _watch_silence(self) -> None:
        silent, limit = self._loop.time() - self._heard, self.service.limits.idle_timeout
        if silent >= limit and not self.service.stalled:
            raise AmqpError(
                conditions.RESOURCE_LIMIT_EXCEEDED,
                f"The connection was inactive for more than the allowed {limit} seconds.",
            )
        self.later(max(limit - silent, limit / 10), self._watch_silence)

    def unstall(self) -> None:
        """Read and write again; the time nothing was read does not count as silence."""
        self._heard = self._loop.time()
        super().unstall()

    def _beat(self, seconds: float) -> None:
        self.write(EMPTY_FRAME)
        self.later(seconds, lambda: self._beat(seconds))

    def expire(self) -> None:
        """End the links that no token covers any more, as the service does."""
        if not self.service.limits.authorize:
            return
        for session in self.sessions:
            for link in tuple(session.links.values()):
                served = link.record.kind in ("consumer", "producer")
                if served and not self.grants.allow(link.record.address):
                    link.detach(
                        AmqpError(
                            conditions.UNAUTHORIZED_ACCESS, "ExpiredToken: The token is expired."
                        )
                    )

    def close(self, error: AmqpError | None) -> None:
        """Close the connection, with an error from the emulator's side or as the client asked."""
        if self.closing:
            # What the client says to the emulator's close is of no interest, right or wrong.
            if error is None:
                self.abort()
            return
        self._drop_sessions()
        if error is not None:
            self.service.witness.conditions[error.condition] += 1
            _log.info("connection %d closed: %s", self.number, error)
        if self._opened:
            self.send(0, Close(None if error is None else wire_error(error)))
            if error is not None:
                self.shut(_CLOSE_TIMEOUT)
                return
        self._leave()

    def _leave(self) -> None:
        self._step = lambda: False
        self.shut()
