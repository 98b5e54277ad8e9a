"""The emulator in a thread of its own, for programs without an event loop."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from .server import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping

T = TypeVar("T")


class EmulatorThread:
    """A started emulator whose loop runs in a thread.

    The emulator itself is not safe to touch from other threads: `call` runs a function on its
    thread, with the emulator as the argument.

    Args:
        hubs: Name and number of partitions of each hub.
        options: As `Emulator` takes them.

    Raises:
        ValueError: When the hubs are none, or one has no partition.
        OSError: When the address cannot be had.
    """

    def __init__(self, hubs: Mapping[str, int], **options: Any) -> None:
        self._emulator = Emulator(hubs, **options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="eventhubs-emulator", daemon=True
        )
        self._thread.start()
        try:
            self._run(self._emulator.start())
        except BaseException:
            self._end()
            raise

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def close(self) -> None:
        """Close the emulator and end the thread."""
        try:
            self._run(self._emulator.aclose())
        finally:
            self._end()

    def call(self, function: Callable[[Emulator], T]) -> T:
        """Run a function on the emulator's thread and return what it returns."""

        async def run() -> T:
            return function(self._emulator)

        return self._run(run())

    def wait_until(self, predicate: Callable[[Emulator], bool], seconds: float = 10.0) -> None:
        """Wait until a condition on what the emulator saw holds.

        Raises:
            TimeoutError: When it does not hold in time.
        """
        self._run(self._emulator.wait_until(lambda: predicate(self._emulator), seconds))

    def stop_listening(self) -> None:
        """See `Emulator.stop_listening`."""
        self.call(lambda emulator: emulator.stop_listening())

    def resume_listening(self) -> None:
        """See `Emulator.resume_listening`."""
        self._run(self._emulator.resume_listening())

    def connection_string(self, hub: str | None = None, *, key: str | None = None) -> str:
        """See `Emulator.connection_string`."""
        return self._emulator.connection_string(hub, key=key)

    @property
    def fully_qualified_namespace(self) -> str:
        """See `Emulator.fully_qualified_namespace`."""
        return self._emulator.fully_qualified_namespace

    @property
    def port(self) -> int:
        """The port."""
        return self._emulator.port


@contextmanager
def run_in_thread(hubs: Mapping[str, int], **options: Any) -> Iterator[EmulatorThread]:
    """Run an emulator in a thread for as long as the context lasts.

    Args:
        hubs: Name and number of partitions of each hub.
        options: As `Emulator` takes them.
    """
    thread = EmulatorThread(hubs, **options)
    try:
        yield thread
    finally:
        thread.close()
