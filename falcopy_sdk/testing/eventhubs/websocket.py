"""AMQP over web sockets, as the service offers it on port 443.

"AMQP over WebSocket" (OASIS "AMQP WebSocket Binding 1.0") names the subprotocol; the path is the
Azure clients' own. Needs the package websockets.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

if TYPE_CHECKING:
    from collections.abc import Callable

_PATH = "/$servicebus/websocket"
_SUBPROTOCOL = Subprotocol("AMQPWSB10")
_DATA = (Opcode.BINARY, Opcode.CONT)


class WebSocket(asyncio.Protocol):
    """One TCP connection whose octets travel in the frames of a web socket.

    Args:
        factory: Makes the protocol above, once the web socket is open.
        max_size: Octets in a message.
    """

    _raw: asyncio.Transport

    def __init__(self, factory: Callable[[], asyncio.Protocol], max_size: int) -> None:
        self._factory = factory
        self._protocol = ServerProtocol(subprotocols=[_SUBPROTOCOL], max_size=max_size)
        self._above: asyncio.Protocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the request."""
        self._raw = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take octets of the web socket."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._open(event)
            elif isinstance(event, Frame) and event.opcode in _DATA and self._above is not None:
                self._above.data_received(bytes(event.data))
        self.flush()

    def _open(self, request: Request) -> None:
        if request.path.partition("?")[0] == _PATH:
            response = self._protocol.accept(request)
        else:
            response = self._protocol.reject(404, f"There is no {request.path} here.\n")
        self._protocol.send_response(response)
        self.flush()
        if response.status_code == 101:
            self._above = self._factory()
            self._above.connection_made(_Transport(self, self._raw))

    def send(self, octets: bytes) -> None:
        """Send octets of the protocol above; like TCP, none after the end."""
        if self.is_open:
            self._protocol.send_binary(octets)
            self.flush()

    @property
    def is_open(self) -> bool:
        """Whether octets still go out."""
        return self._protocol.state is State.OPEN

    def end(self) -> None:
        """Close the web socket, and the connection below it."""
        if self.is_open:
            self._protocol.send_close()
            self.flush()
        self._raw.close()

    def flush(self) -> None:
        """Write what the web socket has to say; its empty octets mean the end."""
        for octets in self._protocol.data_to_send():
            if octets:
                self._raw.write(octets)
            else:
                self._raw.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the protocol above."""
        if self._above is not None:
            self._above.connection_lost(exc)

    def pause_writing(self) -> None:
        """Tell the protocol above."""
        if self._above is not None:
            self._above.pause_writing()

    def resume_writing(self) -> None:
        """Tell the protocol above."""
        if self._above is not None:
            self._above.resume_writing()


class _Transport(asyncio.Transport):
    """What the protocol above writes to."""

    def __init__(self, socket: WebSocket, raw: asyncio.Transport) -> None:
        super().__init__()
        self._socket, self._raw = socket, raw

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._socket.send(bytes(data))

    def close(self) -> None:
        self._socket.end()

    def abort(self) -> None:
        self._raw.abort()

    def is_closing(self) -> bool:
        return self._raw.is_closing() or not self._socket.is_open

    def pause_reading(self) -> None:
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        self._raw.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._raw.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._raw.get_extra_info(name, default)
