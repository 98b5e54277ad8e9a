"""A TCP proxy on loopback that does to connections what networks do."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Self


class FaultProxy:
    """Forwards to ``port`` of this machine until told to do something else.

    The attributes may be changed at any time, and hold for open connections too.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self.port = 0
        #: Nothing is forwarded, connections stay and are accepted: a peer that froze.
        self.frozen = False
        #: The same for what goes to the target only, or comes from it only.
        self.deaf = False
        self.mute = False
        #: Bytes a second from the target, None: as they come.
        self.rate: float | None = None
        #: What every new connection is answered instead of being forwarded, as HTTP servers do.
        self.answer: bytes | None = None
        #: What every new connection gets at once, as from a server of another protocol.
        self.greeting: bytes | None = None
        #: Reset a connection after so many more bytes from the target.
        self.cut_after: int | None = None
        self.accepted = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()
        self.reset()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def listen(self) -> None:
        """Accept connections, from now or again."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Refuse new connections; those that are open stay."""
        if self._server:
            self._server.close()
            self._server = None

    def reset(self) -> None:
        """Reset all connections (RST)."""
        for writer in tuple(self._writers):
            _reset(writer)

    async def away(self) -> None:
        """Be gone: refuse new connections and reset those that are open."""
        await self.refuse()
        self.reset()

    @property
    def open(self) -> int:
        """Connections of clients, and as many to the target."""
        return len(self._writers) // 2

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.accepted += 1
        with (
            contextlib.closing(writer),
            contextlib.suppress(OSError, asyncio.CancelledError),
        ):
            if self.greeting is not None:
                writer.write(self.greeting)
                await reader.read()
            elif self.answer is not None:
                await self._answer(reader, writer)
            else:
                await self._forward(reader, writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self.answer or b"")
            await writer.drain()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, back}
        try:
            await asyncio.gather(self._pump(reader, back, True), self._pump(there, writer, False))
        finally:
            for end in (writer, back):
                self._writers.discard(end)
                end.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, out: bool
    ) -> None:
        while data := await reader.read(4096):
            while self.frozen or (self.deaf if out else self.mute):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            if self.cut_after is not None and not out:
                part, self.cut_after = data[: self.cut_after], self.cut_after - len(data)
                if self.cut_after <= 0:
                    self.cut_after = None
                    writer.write(part)
                    await writer.drain()
                    _reset(writer)
                    return
            if self.answer is not None:
                # An HTTP client keeps its connections: end this one, it comes with a new one.
                _reset(writer)
                return
            if self.rate and not out:
                for at in range(0, len(data), 16):
                    writer.write(data[at : at + 16])
                    await writer.drain()
                    await asyncio.sleep(16 / self.rate)
            else:
                writer.write(data)
                await writer.drain()
        writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        # Lingering for zero seconds: the kernel sends RST instead of FIN (socket(7)).
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
