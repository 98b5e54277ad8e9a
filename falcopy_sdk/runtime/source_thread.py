"""Runs a source that is a generator, or an object with ``next_batch``, on the bridge's thread."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from falcopy_sdk.exceptions import SourceEnd
from falcopy_sdk.runtime.logs import bound_to
from falcopy_sdk.runtime.source import Normalizer, Outage, logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from falcopy_sdk.runtime._bridge import Feed, HostLink

__all__ = ["ThreadDriver", "close_object", "events_of_object"]

#: Seconds that an object which has nothing now is left alone.
_PAUSE = 0.03
_LONG = 3600.0
#: Seconds that the author's code has to come to a yield by itself when the source is closed.
_GRACE = 0.1


class SourceClosed(BaseException):
    """Raised in the source thread to leave the author's code when the host closes the source."""


def events_of_object(take: Callable[[], Any], pause: Callable[[], Any]) -> Iterator[Any]:
    """Yield what ``next_batch()`` of a taken source returns; None is "nothing now" and pauses."""
    source = take()
    try:
        while True:
            try:
                batch = source.next_batch()
            except StopIteration:
                return
            if batch is None:
                pause()
            elif isinstance(batch, Iterable) and not isinstance(batch, (bytes, str)):
                yield from batch
            else:
                yield batch
    finally:
        close_object(source)


def close_object(source: Any) -> None:
    """Call ``source.close()`` if there is one."""
    close = getattr(source, "close", None)
    if close is not None:
        close()


class ThreadDriver:
    """Publishes what an iterator yields until it ends or the host closes the source.

    Args:
        start: Makes the iterator; called again after an error.
        feed: The queue to the host.
        normalize: Turns items into events.
        link: Where log lines go.
        release: Called at the end, to let go of what was made for ``start`` and never used.
    """

    def __init__(
        self,
        start: Callable[[], Iterator[Any]],
        feed: Feed,
        normalize: Normalizer,
        link: HostLink,
        release: Callable[[], None] | None = None,
    ) -> None:
        self._start = start
        self._feed = feed
        self._normalize = normalize
        self._link = link
        self._release = release
        self._outage = Outage()
        self._ended = threading.Event()

    def run(self) -> None:
        """Run to the end. Raises only what the author calls fatal."""
        with bound_to(self._link):
            try:
                with contextlib.suppress(SourceEnd):
                    self._run_interruptibly()
                self._drain()
            finally:
                self._ended.set()
                self._call(self._feed.take_delivered())
                if self._release is not None:
                    self._release()

    def stop(self) -> None:
        """End the author's code; called by the closing thread.

        Code that soon yields ends there, with nothing half done; other code is interrupted at its
        next line of Python. Callbacks are left to finish, and so is what a generator does when it
        is closed at a yield: half a checkpoint is worse than none.
        """
        if not self._ended.wait(_GRACE):
            self._feed.interrupt(SourceClosed)

    def _run_interruptibly(self) -> None:
        try:
            try:
                self._run_until_end()
            finally:
                self._feed.forbid_interrupt()
        except SourceClosed:
            self._feed.forbid_interrupt()  # it may have come in front of the one above

    def _run_until_end(self) -> None:
        while self._feed.allow_interrupt():
            try:
                items = self._start()
                try:
                    for item in items:
                        self._publish(item)
                        if self._feed.closing:
                            break
                finally:
                    # It ends in order: what it does about that takes the time that it takes.
                    self._feed.forbid_interrupt()
                    close_object(items)  # an iterator that is no generator may have none
                return
            except SourceClosed:
                raise
            except BaseException as error:  # noqa: BLE001 - no class of it may end the host
                self._wait(self._outage.delay_after(error))

    def _publish(self, item: object) -> None:
        self._outage.over()
        events, delivered = self._normalize(item)
        at = 0
        while True:
            at = self._feed.publish(events, at, delivered)
            self._deliver()
            if at >= len(events) or self._feed.closing:
                return
            self._feed.wait_space(_LONG)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while seconds > 0 and not self._feed.sleep(seconds):
            self._deliver()  # sleep ends early for these
            seconds = until - time.monotonic()
        self._deliver()

    def _deliver(self) -> None:
        callbacks = self._feed.take_delivered()
        if callbacks:  # no interruption until they are done
            self._call(callbacks)
            if not self._feed.allow_interrupt():
                raise SourceClosed

    def _call(self, callbacks: list[Callable[[], Any]]) -> None:
        for callback in callbacks:
            try:
                callback()
            except BaseException:  # noqa: BLE001 - the next one is due all the same
                logger.exception("a callback for delivered events failed")

    def _drain(self) -> None:
        """Stay until the host has consumed the last event, so that its callback runs."""
        while not self._feed.closing and not self._feed.wait_drained(_LONG):
            self._call(self._feed.take_delivered())

    def pause(self) -> None:
        """Let a source that has nothing now rest for a moment."""
        self._wait(_PAUSE)
