"""Hosts in processes of their own, which may be killed at any moment and leave notes behind.

As a program it is a server that forks hosts, which makes a start cheap: it takes orders as lines of
JSON and answers ``started PID`` and ``ended PID STATUS``. A host drives the built plugin library
through `falcopy_sdk.host`. Each event it has finished with is one line in a file, written before it
asks for the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import sys
import time
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

#: Asked for of each event, as rules would; the first is what is noted.
FIELDS = ("ka.auditid", "ka.verb", "ka.user.name", "ka.target.resource", "ka.target.namespace")


@dataclass(frozen=True)
class Order:
    """What a host is to do.

    Attributes:
        library: The built plugin.
        config: Its ``init_config``.
        notes: The file for its notes; the host's log goes beside it, as ``.log``.
        cache: Where the library unpacks itself.
        seconds_an_event: How long the host is busy with an event.
    """

    library: str
    config: dict[str, Any]
    notes: str
    cache: str
    seconds_an_event: float = 0.0


class HostProcess:
    """A running host, or one that has ended."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.pid = 0
        self.status: int | None = None
        self.ended = asyncio.Event()
        self._killed = False
        self.notes = Path(order.notes)
        self.notes.touch()

    @property
    def alive(self) -> bool:
        """Whether it runs, as far as is known."""
        return not self.ended.is_set()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; SIGTERM makes it close its source and end."""
        # Once: the server may have reaped it, and its id may be another's.
        if self.alive and not self._killed:
            self._killed = number == signal.SIGKILL
            os.kill(self.pid, number)

    @property
    def size(self) -> int:
        """Of its notes, in bytes: grows with each event."""
        return self.notes.stat().st_size

    @property
    def is_open(self) -> bool:
        """Whether the source is open."""
        return self.size > 0

    @property
    def log(self) -> str:
        """What the plugin logged."""
        path = self.notes.with_suffix(".log")
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @property
    def finished(self) -> list[str]:
        """The ids of the events it has finished with, in order."""
        # A line over a page's end is seen, and may be cut, in two parts: the host was not through.
        text, _, _ = self.notes.read_text(encoding="ascii").rpartition("\n")
        return [line for line in text.splitlines() if line not in ("opened", "closed")]


@dataclass
class Hosts:
    """The server, from the side of the tests."""

    _server: asyncio.subprocess.Process
    _ordered: deque[tuple[HostProcess, asyncio.Event]] = field(default_factory=deque)
    _running: dict[int, HostProcess] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def serving(cls) -> AsyncIterator[Hosts]:
        """Run the server; its hosts end with it."""
        pipe = asyncio.subprocess.PIPE
        server = await asyncio.create_subprocess_exec(
            sys.executable, __file__, stdin=pipe, stdout=pipe
        )
        hosts = cls(server)
        reading = asyncio.create_task(hosts._read())
        try:
            yield hosts
        finally:
            assert server.stdin is not None
            server.stdin.close()
            await reading
            await server.wait()

    async def start(self, order: Order) -> HostProcess:
        """Fork a host; returns at once."""
        host = HostProcess(order)
        assert self._server.stdin is not None
        started = asyncio.Event()
        self._ordered.append((host, started))
        self._server.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        await started.wait()
        return host

    async def _read(self) -> None:
        assert self._server.stdout is not None
        async for line in self._server.stdout:
            what, pid, *status = line.split()
            if what == b"started":
                host, started = self._ordered.popleft()
                host.pid = int(pid)
                self._running[host.pid] = host
                started.set()
            else:
                host = self._running.pop(int(pid))
                host.status = int(status[0])
                host.ended.set()


def run_host(order: Order) -> None:
    """Be a host until killed."""
    from falcopy_sdk.host import Library

    os.environ["FALCOPY_CACHE_DIR"] = order.cache
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    notes = os.open(order.notes, append, 0o600)
    log = os.open(Path(order.notes).with_suffix(".log"), append, 0o600)
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))

    def logged(component: str | None, message: str, severity: int) -> None:
        os.write(log, f"{time.time():.3f} {severity} {message}\n".encode())

    with (
        Library.load(order.library) as library,
        library.init(order.config, log=logged) as plugin,
        plugin.open("") as instance,
    ):
        os.write(notes, b"opened\n")
        for event in instance.events(stop=lambda: bool(ended)):
            values = [plugin.extract(event, name) for name in FIELDS]
            if order.seconds_an_event:
                time.sleep(order.seconds_an_event)
            os.write(notes, f"{values[0]}\n".encode())
    os.write(notes, b"closed\n")


def _lines(wake: int) -> Iterator[bytes | None]:
    """Lines of standard input; None whenever a child may have ended."""
    rest = b""
    while True:
        readable, _, _ = select.select([0, wake], [], [])
        if wake in readable:
            os.read(wake, 4096)
            yield None
        if 0 in readable:
            data = os.read(0, 65536)
            if not data:
                return
            *whole, rest = (rest + data).split(b"\n")
            yield from whole


def main() -> None:
    """Fork hosts as told, until standard input ends."""
    import falcopy_sdk.host  # noqa: F401 - once, here, for all that are forked

    running: set[int] = set()
    wake, ring = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(ring)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        for line in _lines(wake):
            if line:
                pid = os.fork()
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    _be(Order(**json.loads(line)))
                running.add(pid)
                os.write(1, f"started {pid}\n".encode())
            while running:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                running.discard(pid)
                os.write(1, f"ended {pid} {os.waitstatus_to_exitcode(status)}\n".encode())
    finally:
        for pid in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _be(order: Order) -> None:
    code = 1
    try:
        run_host(order)
        code = 0
    except BaseException as error:  # noqa: BLE001 - the parent's loop must not go on in here
        with open(Path(order.notes).with_suffix(".log"), "a", encoding="utf-8") as log:
            log.write(f"{error!r}\n")
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
