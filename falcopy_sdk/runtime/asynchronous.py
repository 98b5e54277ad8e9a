"""Runs an author's ``@async_events`` method on the bridge's thread."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from typing import TYPE_CHECKING, Any

from falcopy_sdk.runtime.logs import bound_to

if TYPE_CHECKING:
    from collections.abc import Callable

    from falcopy_sdk.runtime._bridge import Emitter, HostLink

__all__ = ["AsyncEventsDriver"]


class AsyncEventsDriver:
    """Owns the run of one method between two calls of set_async_event_handler."""

    def __init__(self, method: Callable[[Emitter], Any], emitter: Emitter, link: HostLink) -> None:
        self._method = method
        self._emitter = emitter
        self._link = link
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None

    def run(self) -> None:
        """Run the method until it returns or the host stops it."""
        with bound_to(self._link):
            try:
                if inspect.iscoroutinefunction(self._method):
                    asyncio.run(self._main())
                else:
                    self._method(self._emitter)
            except Exception:
                # Emitting after the host's stop fails, and that is how most methods end.
                if not self._emitter.closed:
                    raise

    async def _main(self) -> None:
        self._task = asyncio.ensure_future(self._method(self._emitter))
        self._loop = asyncio.get_running_loop()
        if self._emitter.closed:
            self._task.cancel()
        try:
            await self._task
        except asyncio.CancelledError:
            if not self._emitter.closed:
                raise

    def stop(self) -> None:
        """Interrupt a coroutine; a plain method sees ``emit.closed`` and ``emit.wait()``."""
        if self._loop is not None and self._task is not None:
            # The loop may end by itself at this moment.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._task.cancel)
