"""Keeps what was passed over as bad: beside the stream, within bounds, never in its way.

A letter is one line of JSON: why and where, and the body as text or, if it is no UTF-8, as base64.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from k8saudit_aks.log import StateLog
from k8saudit_aks.rejects import HubPlace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterable

    from azure.core.credentials_async import AsyncTokenCredential

    from k8saudit_aks.rejects import Place, Reason
    from k8saudit_aks.settings import HubSettings
    from k8saudit_aks.stats import Stats

__all__ = ["DeadLetters", "Sink", "letter", "open_sinks"]

#: Seconds between two looks at a sink that cannot be used and has no letter to keep yet.
_LOOK_AGAIN = 60.0
#: Bytes of letters that wait for one sink; more are lost, and counted.
_WAITING_BYTES = 8 << 20


class Sink(Protocol):
    """Where letters are kept."""

    #: Seconds between two writes.
    pause: float

    async def check(self) -> None:
        """Find out, before the first letter, whether any could be kept; raises if not."""

    async def write(self, letters: bytes) -> None:
        """Keep whole lines; whatever it raises, they come again."""

    def explain(self, error: BaseException) -> str:
        """A sentence for the user: what happened and what to do."""

    async def aclose(self) -> None:
        """Let go of connections."""


def letter(data: bytes, place: Place, reason: Reason) -> bytes:
    """One line of JSON, with its end."""
    line: dict[str, Any] = {"reason": f"{reason.what}: {reason.text}"}
    if isinstance(place, HubPlace):
        line |= {
            "partition": place.partition,
            "offset": place.offset,
            "sequence_number": place.sequence_number,
            "enqueued_time": place.enqueued,
        }
    else:
        line |= {"path": place.path, "line": place.line}
    try:
        line["body"] = data.decode()
    except UnicodeDecodeError:
        line["body_base64"] = base64.b64encode(data).decode()
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


class DeadLetters:
    """A :class:`~k8saudit_aks.rejects.DeadLetter` that hands letters to sinks in the background.

    Whatever happens to a sink, the stream goes on: letters wait up to a bound, then are lost.
    """

    def __init__(self, stats: Stats) -> None:
        self._stats = stats
        self._workers: list[_Worker] = []

    def __call__(self, data: bytes, place: Place, reason: Reason) -> None:
        """Take a letter; before :meth:`deliver` and after its end there is nobody to give it to."""
        line = letter(data, place, reason)
        for worker in self._workers:
            worker.take(line)

    @contextlib.asynccontextmanager
    async def deliver(self, sinks: Iterable[Sink], within: float) -> AsyncIterator[None]:
        """Write to ``sinks`` until the end of the block, then what waits, ``within`` seconds."""
        self._workers = [_Worker(sink, self._stats) for sink in sinks]
        tasks = [asyncio.create_task(worker.run()) for worker in self._workers]
        try:
            yield
        finally:
            for worker in self._workers:
                worker.end()
            if tasks:
                _, late = await asyncio.wait(tasks, timeout=within)
                for task in late:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            for worker in self._workers:
                await worker.sink.aclose()
            self._workers = []


class _Worker:
    def __init__(self, sink: Sink, stats: Stats) -> None:
        self.sink, self._stats = sink, stats
        self._letters: deque[bytes] = deque()
        self._bytes = 0
        self._arrived, self._ending = asyncio.Event(), asyncio.Event()
        self._health = StateLog("dead letters: kept again")

    def take(self, line: bytes) -> None:
        if self._bytes + len(line) > _WAITING_BYTES:
            self._stats.dead_letters_lost += 1
            return
        self._letters.append(line)
        self._bytes += len(line)
        self._arrived.set()

    def end(self) -> None:
        self._ending.set()
        self._arrived.set()

    async def run(self) -> None:
        """Write what comes, until the end; there, once more."""
        try:
            # Its settings may be wrong: told now, and not weeks later with the first letter.
            while not self._arrived.is_set() and not await self._works(self.sink.check()):
                await _within(_LOOK_AGAIN, self._arrived)
            while not self._ending.is_set():
                await self._arrived.wait()
                await self._write()
                await _within(self.sink.pause, self._ending)
            await self._write()
        finally:
            self._stats.dead_letters_lost += len(self._letters)

    async def _write(self) -> None:
        count, size = len(self._letters), self._bytes
        if not count or not await self._works(self.sink.write(b"".join(self._letters))):
            return
        # More may have come meanwhile.
        for _ in range(count):
            self._letters.popleft()
        self._bytes -= size
        self._stats.dead_letters += count
        if not self._letters:
            self._arrived.clear()

    async def _works(self, use: Awaitable[None]) -> bool:
        try:
            await use
        except Exception as error:  # noqa: BLE001 - no sink may stand in the stream's way
            self._health.down(f"{self.sink.explain(error)}. Events flow on; dead letters wait")
            return False
        self._health.up()
        return True


async def _within(seconds: float, event: asyncio.Event) -> None:
    """Wait for ``event``, so long at most."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def open_sinks(hub: HubSettings, credential: AsyncTokenCredential | None) -> list[Sink]:
    """The sinks that the settings name; needs a running loop."""
    sinks: list[Sink] = []
    if hub.dead_letters.file:
        from k8saudit_aks.deadletter_file import DeadLetterFile

        sinks.append(DeadLetterFile(hub.dead_letters.file, hub.dead_letters.file_max_bytes))
    if hub.dead_letters.blob:
        from k8saudit_aks.deadletter_blob import DeadLetterContainer

        sinks.append(DeadLetterContainer(hub, hub.dead_letters.blob, credential))
    return sinks
