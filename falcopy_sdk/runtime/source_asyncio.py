"""Runs a source that is an async generator on an event loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from typing import TYPE_CHECKING, Any

from falcopy_sdk.exceptions import SourceEnd
from falcopy_sdk.runtime.logs import bound_to
from falcopy_sdk.runtime.source import FAILURES, Normalizer, Outage, logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from falcopy_sdk.runtime._bridge import Feed, HostLink

__all__ = ["AsyncioDriver", "events_of_async_object"]

_PAUSE = 0.03
#: Seconds for callbacks that are under way when the host closes the source.
_CALLBACK_GRACE = 5.0


async def events_of_async_object(source: Any) -> AsyncIterator[Any]:
    """Yield what ``await source.next_batch()`` returns; None is "nothing now" and pauses."""
    try:
        while True:
            try:
                batch = await source.next_batch()
            except StopAsyncIteration:
                return
            if batch is None:
                await asyncio.sleep(_PAUSE)
            elif isinstance(batch, (list, tuple)):
                for item in batch:
                    yield item
            else:
                yield batch
    finally:
        close = getattr(source, "close", None)
        if close is not None:
            result = close()
            if inspect.isawaitable(result):
                await result


class AsyncioDriver:
    """Publishes what an async iterator yields until it ends or the host closes the source.

    The loop is never blocked by a slow host: publishing waits for the queue's file descriptor.

    Args:
        start: Makes the async iterator; called again after an error.
        feed: The queue to the host.
        normalize: Turns items into events.
        link: Where log lines go.
    """

    def __init__(
        self,
        start: Callable[[], AsyncIterator[Any]],
        feed: Feed,
        normalize: Normalizer,
        link: HostLink,
    ) -> None:
        self._start = start
        self._feed = feed
        self._normalize = normalize
        self._link = link
        self._outage = Outage()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = asyncio.Event()
        self._progress = asyncio.Event()
        self._callbacks: set[asyncio.Task[None]] = set()

    def run(self) -> None:
        """Run to the end. Raises only what the author calls fatal."""
        with bound_to(self._link), contextlib.suppress(SourceEnd):
            asyncio.run(self._main())

    def stop(self) -> None:
        """Cancel the author's code; called by the closing thread."""
        loop = self._loop
        if loop is not None:
            # The loop may end by itself at this moment.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._closing.set)

    async def _main(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._feed.fileno(), self._on_progress)
        self._loop = loop
        if self._feed.closing:
            return
        pump = asyncio.create_task(self._pump())
        closing = asyncio.create_task(self._closing.wait())
        try:
            await asyncio.wait({pump, closing}, return_when=asyncio.FIRST_COMPLETED)
            await self._finish_callbacks()
            pump.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pump
            await self._finish_callbacks()
        finally:
            closing.cancel()
            loop.remove_reader(self._feed.fileno())

    async def _pump(self) -> None:
        ended: BaseException | None = None
        try:
            await self._run_until_end()
        except SourceEnd as error:
            ended = error
        await self._drain()
        if ended is not None:
            raise ended

    async def _run_until_end(self) -> None:
        while True:
            try:
                async with contextlib.aclosing(self._start()) as items:  # type: ignore[type-var]
                    async for item in items:
                        await self._publish(item)
                return
            except FAILURES as error:
                await asyncio.sleep(self._outage.delay_after(error))

    async def _publish(self, item: object) -> None:
        self._outage.over()
        events, delivered = self._normalize(item)
        at = 0
        while True:
            self._progress.clear()
            at = self._feed.publish(events, at, delivered)
            if at >= len(events):
                # A source that never waits for anything must not starve its callbacks.
                await asyncio.sleep(0)
                return
            await self._progress.wait()

    async def _drain(self) -> None:
        """Stay until the host has consumed the last event, so that its callback runs."""
        while not self._feed.wait_drained(0):
            await asyncio.sleep(_PAUSE)
            self._on_progress()

    def _on_progress(self) -> None:
        for callback in self._feed.take_delivered():
            task = asyncio.ensure_future(self._call(callback))
            self._callbacks.add(task)
            task.add_done_callback(self._callbacks.discard)
        self._progress.set()

    async def _call(self, callback: Callable[[], Any]) -> None:
        try:
            result = callback()
            if inspect.isawaitable(result):
                await result
        except FAILURES:
            logger.exception("a callback for delivered events failed")

    async def _finish_callbacks(self) -> None:
        self._on_progress()
        if self._callbacks:
            await asyncio.wait(set(self._callbacks), timeout=_CALLBACK_GRACE)
