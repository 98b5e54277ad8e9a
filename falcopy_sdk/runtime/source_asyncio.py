"""Runs a source that is an async generator on an event loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from falcopy_sdk.exceptions import SourceEnd
from falcopy_sdk.runtime.logs import bound_to
from falcopy_sdk.runtime.source import Normalizer, Outage, logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from falcopy_sdk.runtime._bridge import Feed, HostLink

__all__ = ["AsyncioDriver", "close_async_object", "events_of_async_object"]

_PAUSE = 0.03
#: Seconds for callbacks that are under way when the host closes the source.
_CALLBACK_GRACE = 5.0
#: Seconds until a source that went on in spite of its cancellation is cancelled again.
_CANCEL_AGAIN = 10.0


async def events_of_async_object(take: Callable[[], Any]) -> AsyncIterator[Any]:
    """Yield what ``next_batch()`` of a taken source gives; None is "nothing now" and pauses."""
    source = take()
    try:
        while True:
            try:
                batch = await source.next_batch()
            except StopAsyncIteration:
                return
            if batch is None:
                await asyncio.sleep(_PAUSE)
            elif isinstance(batch, Iterable) and not isinstance(batch, (bytes, str)):
                for item in batch:
                    yield item
            else:
                yield batch
    finally:
        await close_async_object(source)


async def close_async_object(source: Any) -> None:
    """Call ``source.close()``, a coroutine function or not, if there is one."""
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
        release: Awaited at the end, to let go of what was made for ``start`` and never used.
    """

    def __init__(
        self,
        start: Callable[[], AsyncIterator[Any]],
        feed: Feed,
        normalize: Normalizer,
        link: HostLink,
        release: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._start = start
        self._release = release
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
        try:
            await self._run()
        finally:
            if self._release is not None:
                await self._release()

    async def _run(self) -> None:
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
            while not pump.done():
                pump.cancel()
                await asyncio.wait({pump}, timeout=_CANCEL_AGAIN)
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
                items = self._start()
                try:
                    async for item in items:
                        await self._publish(item)
                        if self._feed.closing:
                            break
                finally:
                    aclose = getattr(items, "aclose", None)
                    if aclose is not None:
                        await aclose()
                return
            except BaseException as error:  # noqa: BLE001 - no class of it may end the host
                # A cancellation is ours only then; else it is of something beneath the source.
                if self._feed.closing:
                    return
                await asyncio.sleep(self._outage.delay_after(error))

    async def _publish(self, item: object) -> None:
        self._outage.over()
        events, delivered = self._normalize(item)
        at = 0
        while True:
            self._progress.clear()
            at = self._feed.publish(events, at, delivered)
            if at >= len(events) or self._feed.closing:
                # A source that never waits for anything must not starve its callbacks.
                await asyncio.sleep(0)
                return
            await self._progress.wait()

    async def _drain(self) -> None:
        """Stay until the host has consumed the last event, so that its callback runs."""
        while not self._feed.closing and not self._feed.wait_drained(0):
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
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and self._feed.closing:
                raise  # the loop ends before it has
            logger.exception("a callback for delivered events failed")

    async def _finish_callbacks(self) -> None:
        self._on_progress()
        if self._callbacks:
            await asyncio.wait(set(self._callbacks), timeout=_CALLBACK_GRACE)
