"""Runs a source that is a generator, or an object with ``next_batch``, on the bridge's thread."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from falcopy_sdk.exceptions import SourceEnd
from falcopy_sdk.runtime import _bridge
from falcopy_sdk.runtime.logs import bound_to
from falcopy_sdk.runtime.source import FAILURES, Normalizer, Outage, logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from falcopy_sdk.runtime._bridge import Feed, HostLink

__all__ = ["ThreadDriver", "events_of_object"]

#: Seconds that an object which has nothing now is left alone.
_PAUSE = 0.03
_LONG = 3600.0


class SourceClosed(BaseException):
    """Raised in the source thread to leave the author's code when the host closes the source."""


def events_of_object(source: Any, pause: Callable[[], Any]) -> Iterator[Any]:
    """Yield what ``source.next_batch()`` returns; None is "nothing now" and pauses."""
    try:
        while True:
            try:
                batch = source.next_batch()
            except StopIteration:
                return
            if batch is None:
                pause()
            elif isinstance(batch, (list, tuple)):
                yield from batch
            else:
                yield batch
    finally:
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
    """

    def __init__(
        self,
        start: Callable[[], Iterator[Any]],
        feed: Feed,
        normalize: Normalizer,
        link: HostLink,
    ) -> None:
        self._start = start
        self._feed = feed
        self._normalize = normalize
        self._link = link
        self._outage = Outage()
        self._thread = 0

    def run(self) -> None:
        """Run to the end. Raises only what the author calls fatal."""
        self._thread = threading.get_ident()
        with bound_to(self._link), contextlib.suppress(SourceClosed, SourceEnd):
            try:
                self._run_until_end()
            finally:
                self._deliver()
        if not self._feed.closing:
            self._drain()

    def stop(self) -> None:
        """Interrupt the author's code at its next line of Python; called by the closing thread."""
        if self._thread:
            _bridge.interrupt(self._thread, SourceClosed)

    def _run_until_end(self) -> None:
        while not self._feed.closing:
            try:
                with contextlib.closing(self._start()) as items:  # type: ignore[type-var]
                    for item in items:
                        self._publish(item)
                        if self._feed.closing:
                            return
                return
            except FAILURES as error:
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
        if seconds > 0:
            self._feed.sleep(seconds)
        self._deliver()

    def _deliver(self) -> None:
        for callback in self._feed.take_delivered():
            try:
                callback()
            except FAILURES:
                logger.exception("a callback for delivered events failed")

    def _drain(self) -> None:
        """Stay until the host has consumed the last event, so that its callback runs."""
        with contextlib.suppress(SourceClosed):
            while not self._feed.closing and not self._feed.wait_drained(_LONG):
                self._deliver()
        self._deliver()

    def pause(self) -> None:
        """Let a source that has nothing now rest for a moment."""
        self._wait(_PAUSE)
