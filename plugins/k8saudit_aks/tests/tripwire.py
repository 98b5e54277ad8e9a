"""A TCP proxy in front of Blob Storage that tells of each request, before or after it took effect.

With it a test can act at the very moment at which a checkpoint or a claim is written.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

#: Given the first line of a request: ``PUT /account/container/blob?comp=metadata HTTP/1.1``.
Watcher = "Callable[[str], Awaitable[None]]"


class Tripwire:
    """Forwards connections; requests here are without bodies, each a packet of its own.

    Attributes:
        before: Awaited with a request's first line before the request is passed on.
        after: The same, once the answer is there and before it is passed back.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self.before: Callable[[str], Awaitable[None]] = _ignore
        self.after: Callable[[str], Awaitable[None]] = _ignore
        self.port = 0

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Tripwire]:
        """Listen on a port of the system's choice."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked: asyncio.Queue[str] = asyncio.Queue()
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            back, there = await asyncio.open_connection("127.0.0.1", self._to)
            try:
                answers = asyncio.create_task(self._answers(back, writer, asked))
                while data := await reader.read(65536):
                    line = data.split(b"\r\n", 1)[0].decode("latin-1")
                    await self.before(line)
                    asked.put_nowait(line)
                    there.write(data)
                answers.cancel()
                await asyncio.wait({answers})
            finally:
                there.close()

    async def _answers(
        self, back: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: asyncio.Queue[str]
    ) -> None:
        while data := await back.read(65536):
            while not asked.empty():
                await self.after(asked.get_nowait())
            with contextlib.suppress(ConnectionError):
                writer.write(data)
        writer.close()


async def _ignore(line: str) -> None:
    pass
