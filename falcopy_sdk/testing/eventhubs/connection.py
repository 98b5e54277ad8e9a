"""Connections: handshakes, the way from octets to sessions, heartbeats and the end (transport 2.4).

Nothing here waits: octets come in by callback, answers are collected and written when the callback
has ended. The only timers are the two of the idle time-out and those of tokens.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import TYPE_CHECKING, cast

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

if TYPE_CHECKING:
    from collections.abc import Callable

    from .amqp.composite import Composite
    from .link import Replier
    from .service import Service

_log = logging.getLogger(__name__)
_CHANNEL_MAX = 255
_FLUSH_AT = 64 * 1024
_HIGH_WATER = 512 * 1024
_CLOSE_TIMEOUT = 1.0
"""Seconds the client has to answer a close before the socket is shut."""


class Connection(asyncio.Protocol):
    """One TCP connection.

    Attributes:
        number: Counts the emulator's connections from 1.
        container_id: What the client calls itself.
        peer_max_frame_size: Octets in the largest frame the client takes.
        replies: The open reply links, by the node they belong to.
    """

    _transport: asyncio.Transport

    def __init__(self, service: Service, connections: set[Connection]) -> None:
        self.service = service
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
        self._closing = False
        self._paused = False
        self._out: list[bytes] = []
        self._out_size = 0
        self._flush_scheduled = False
        self._timers: set[asyncio.TimerHandle] = set()

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start with the protocol header."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)
        self._loop = asyncio.get_running_loop()
        self._heard = self._loop.time()
        witness = self.service.witness
        witness.connections_opened += 1
        self.number = witness.connections_opened
        witness.connections.add(self.number)
        self._connections.add(self)
        self._watch_silence()
        if self.service.stalled:
            self.stall()
        witness.changed()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self._closing = True
        for timer in self._timers:
            timer.cancel()
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()
        self._connections.discard(self)
        self.service.witness.connections.discard(self.number)
        self.service.witness.changed()

    def data_received(self, data: bytes) -> None:
        """Handle the frames that are whole."""
        self._heard = self._loop.time()
        self._buffer.feed(data)
        self._guard(self._advance)

    def pause_writing(self) -> None:
        """Stop sending events: the client does not read as fast."""
        self._paused = True

    def resume_writing(self) -> None:
        """Send events again."""
        self._paused = False
        self.schedule(self.pump)

    def _guard(self, callback: Callable[[], object]) -> None:
        """Run something for this connection; what goes wrong ends this connection and no other."""
        try:
            callback()
        except AmqpError as error:
            self.close(error)
        except Exception as error:  # noqa: BLE001 - logged, recorded, and ends the connection
            _log.exception("connection %d: fault of the emulator", self.number)
            self.service.witness.internal_errors.append(traceback.format_exc())
            self.close(AmqpError(conditions.INTERNAL_ERROR, f"{type(error).__name__}: {error}"))

    def schedule(self, callback: Callable[[], None]) -> None:
        """Call back when the current callback has ended, unless the connection has."""
        self._loop.call_soon(self._if_alive, callback)

    def schedule_at(self, when: float, callback: Callable[[], None]) -> None:
        """Call back at a time in seconds since the epoch, if the connection still lives then."""
        # A day is further than any test lives, and loops take no delays of years.
        self._later(min(max(0.0, when - self.service.clock()), 86400.0), callback)

    def _later(self, seconds: float, callback: Callable[[], None]) -> None:
        def run() -> None:
            self._timers.discard(timer)
            self._if_alive(callback)

        timer = self._loop.call_later(seconds, run)
        self._timers.add(timer)

    def _if_alive(self, callback: Callable[[], None]) -> None:
        if not self._closing:
            self._guard(callback)

    # Octets out.

    @property
    def writable(self) -> bool:
        """Whether octets would go out without piling up."""
        return not (self._paused or self._closing or self.service.stalled)

    def send(self, channel: int, performative: Composite) -> None:
        """Send a performative on a channel."""
        self.write(frame(channel, performative))

    def write(self, octets: bytes) -> None:
        """Send octets, with those of the same callback in one go."""
        self._out.append(octets)
        self._out_size += len(octets)
        if self._out_size >= _FLUSH_AT:
            self._flush()
        elif not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_scheduled = False
        if self._out and not self.service.stalled and not self._transport.is_closing():
            octets = b"".join(self._out)
            self._out.clear()
            self._out_size = 0
            self._transport.write(octets)

    # Octets in.

    def _advance(self) -> None:
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
            self._shut()
            return False
        return True

    def _take_sasl(self) -> bool:
        received = next(self._buffer.frames(), None)
        if received is None:
            return False
        answer, accepted = sasl.answer(received)
        self.write(answer)
        if not accepted:
            self._shut()
            return False
        self._step = self._take_header
        return True

    def _take_frame(self) -> bool:
        received = next(self._buffer.frames(), None)
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
        if self._closing:
            # What was under way when the emulator closed; only the answer to that counts.
            if isinstance(performative, Close):
                self._shut()
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
        self.peer_max_frame_size = opened.max_frame_size
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

    # Silence, and the end.

    def _watch_silence(self) -> None:
        silent, limit = self._loop.time() - self._heard, self.service.limits.idle_timeout
        if silent >= limit and not self.service.stalled:
            raise AmqpError(
                conditions.RESOURCE_LIMIT_EXCEEDED,
                f"The connection was inactive for more than the allowed {limit} seconds.",
            )
        self._later(max(limit - silent, limit / 10), self._watch_silence)

    def _beat(self, seconds: float) -> None:
        if self._opened:
            self.write(EMPTY_FRAME)
        self._later(seconds, lambda: self._beat(seconds))

    def expire(self) -> None:
        """End the links that no token covers any more, as the service does."""
        if not self.service.limits.authorize:
            return
        for session in self._sessions.values():
            for link in session.links.values():
                record = link.record
                if record.kind in ("consumer", "producer") and not self.grants.allow(
                    record.address
                ):
                    link.detach(
                        AmqpError(
                            conditions.UNAUTHORIZED_ACCESS, "ExpiredToken: The token is expired."
                        )
                    )

    def pump(self) -> None:
        """Send what can be sent in every session."""
        for session in tuple(self._sessions.values()):
            session.pump()

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The sessions that are open."""
        return tuple(self._sessions.values())

    def stall(self) -> None:
        """Neither read nor write from now on."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def unstall(self) -> None:
        """Read and write again."""
        self._heard = self._loop.time()
        if not self._transport.is_closing():
            self._transport.resume_reading()
        self._flush()
        self.schedule(self.pump)

    def close(self, error: AmqpError | None) -> None:
        """Close the connection, with an error from the emulator's side or as the client asked."""
        if self._closing:
            if error is not None:
                self.abort()
            return
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()
        if error is not None:
            self.service.witness.conditions[error.condition] += 1
            _log.info("connection %d closed: %s", self.number, error)
        if self._opened:
            self.send(0, Close(None if error is None else wire_error(error)))
        if error is None or not self._opened:
            self._shut()
            return
        # Shutting the socket with the client's frames unread would reset the connection
        # and might cost the client our close.
        self._closing = True
        self._later_abort()

    def _later_abort(self) -> None:
        self._timers.add(self._loop.call_later(_CLOSE_TIMEOUT, self.abort))

    def _shut(self) -> None:
        self._closing = True
        self._step = lambda: False
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Reset the TCP connection."""
        self._closing = True
        self._step = lambda: False
        self._transport.abort()
