"""One TCP connection below AMQP: octets in and out, timers, and what happens when code fails.

Nothing here waits: octets come in by callback, answers are collected and written when the callback
has ended.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import traceback
from typing import TYPE_CHECKING, cast

from .amqp import conditions
from .amqp.conditions import AmqpError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .service import Service

_log = logging.getLogger(__name__)
_FLUSH_AT = 64 * 1024
_HIGH_WATER = 512 * 1024
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_LONGEST_TIMER = 86400.0
"""A day is further than any test lives, and event loops take no delays of years."""


class Wire(asyncio.Protocol):
    """One TCP connection.

    Attributes:
        service: What all connections share.
        number: Counts the emulator's connections from 1.
        closing: Whether the connection is about to end, or has.
    """

    _transport: asyncio.Transport

    def __init__(self, service: Service) -> None:
        self.service = service
        self.number = 0
        self.closing = False
        self._paused = False
        self._out: list[bytes] = []
        self._out_size = 0
        self._flush_scheduled = False
        self._timers: set[asyncio.TimerHandle] = set()

    def received(self, data: bytes) -> None:
        """Take octets from the client.

        Raises:
            AmqpError: Closes the connection.
        """
        raise NotImplementedError

    def close(self, error: AmqpError | None) -> None:
        """Close the connection, with an error or without."""
        raise NotImplementedError

    def pump(self) -> None:
        """Send what can be sent."""
        raise NotImplementedError

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection into the books."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)
        self._loop = asyncio.get_running_loop()
        witness = self.service.witness
        witness.connections_opened += 1
        self.number = witness.connections_opened
        witness.connections.add(self.number)
        if self.service.stalled:
            self.stall()
        witness.changed()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the connection out of the books."""
        self.closing = True
        for timer in self._timers:
            timer.cancel()
        self.service.witness.connections.discard(self.number)
        self.service.witness.changed()

    def data_received(self, data: bytes) -> None:
        """Take octets from the client."""
        self._guard(lambda: self.received(data))

    def pause_writing(self) -> None:
        """Stop sending events: the client does not read as fast."""
        self._paused = True

    def resume_writing(self) -> None:
        """Send events again."""
        self._paused = False
        self.schedule(self.pump)

    # Callbacks.

    def _guard(self, callback: Callable[[], None]) -> None:
        """Run something for this connection; what goes wrong ends this connection and no other."""
        try:
            callback()
        except AmqpError as error:
            self.close(error)
        except Exception as error:  # noqa: BLE001 - logged, recorded, and ends the connection
            _log.exception("connection %d: fault of the emulator", self.number)
            self.service.witness.internal_errors.append(traceback.format_exc())
            self.close(AmqpError(conditions.INTERNAL_ERROR, f"{type(error).__name__}: {error}"))

    def _if_alive(self, callback: Callable[[], None]) -> None:
        if not self.closing:
            self._guard(callback)

    def schedule(self, callback: Callable[[], None]) -> None:
        """Call back when the current callback has ended, unless the connection has."""
        self._loop.call_soon(self._if_alive, callback)

    def schedule_at(self, when: float, callback: Callable[[], None]) -> None:
        """Call back at a time in seconds since the epoch, if the connection still lives then."""
        self.later(min(max(0.0, when - self.service.clock()), _LONGEST_TIMER), callback)

    def later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back after some seconds, if the connection still lives then."""

        def run() -> None:
            self._timers.discard(timer)
            self._if_alive(callback)

        timer = self._loop.call_later(seconds, run)
        self._timers.add(timer)

    # Octets out.

    @property
    def writable(self) -> bool:
        """Whether octets would go out without piling up."""
        return not (self._paused or self.closing or self.service.stalled)

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

    # Freezing, and the end.

    def stall(self) -> None:
        """Neither read nor write from now on."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def unstall(self) -> None:
        """Read and write again."""
        if not self._transport.is_closing():
            self._transport.resume_reading()
        self._flush()
        self.schedule(self.pump)

    def shut(self, seconds: float = 0.0) -> None:
        """Close the TCP connection once all octets are out.

        Args:
            seconds: How long the client has to close it first. A socket that is closed with
                octets unread resets the connection, and that may cost the client our last frame.
        """
        self.closing = True
        if seconds:
            self._timers.add(self._loop.call_later(seconds, self.abort))
        else:
            self._flush()
            self._transport.close()

    def abort(self) -> None:
        """Reset the TCP connection."""
        self.closing = True
        if not self._transport.is_closing():
            peer: socket.socket = self._transport.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()
