"""The listening socket, which can be closed and opened again on the same port."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

_BACKLOG = 128


class Listener:
    """Accepts connections on one port, which it keeps for itself even while it does not listen.

    Attributes:
        port: The port, once `start` has returned.
    """

    def __init__(
        self,
        host: str,
        port: int,
        factory: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._host = host
        self._tls = tls
        self._factory = factory
        self._server: asyncio.Server | None = None
        self._reserved: socket.socket | None = None
        self.port = port

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((self._host, self.port))
        except OSError:
            bound.close()
            raise
        return bound

    async def start(self) -> None:
        """Listen, from the first time on or again.

        Raises:
            OSError: When the address cannot be had.
        """
        if self._server is None:
            bound = self._reserved or self._bind()
            self._reserved = None
            self.port = bound.getsockname()[1]
            self._server = await asyncio.get_running_loop().create_server(
                self._factory, sock=bound, backlog=_BACKLOG, ssl=self._tls
            )

    def stop(self) -> None:
        """Refuse connections from now on; those that are open stay open."""
        if self._server is not None:
            self._server.close()
            self._server = None
            # A socket that is bound and does not listen: clients are refused, and neither another
            # program nor a client's own end (a port the kernel picks) can take the port.
            self._reserved = self._bind()

    def close(self) -> None:
        """Give up the port."""
        self.stop()
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None
