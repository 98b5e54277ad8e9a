"""What the threaded and the asyncio drivers of a source share: reactions to its errors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from falcopy_sdk.declare.event import Batch, Event
from falcopy_sdk.exceptions import SourceEnd, SourceFatal, SourceRetry, SourceSkip
from falcopy_sdk.runtime.logs import describe

__all__ = ["Normalizer", "Outage", "Published"]

logger = logging.getLogger("falcopy.source")

#: Events and the callback that is due once the host has consumed them.
Published = tuple[list[Event], Callable[[], Any] | None]

_FIRST_DELAY = 1.0
_LONGEST_DELAY = 60.0


class Outage:
    """Decides how long to wait after an error of the source, and tells a change only once."""

    def __init__(self) -> None:
        self._failures = 0

    def delay_after(self, error: BaseException) -> float:
        """Return the seconds to wait before the source is started again.

        Raises:
            SourceEnd: There is nothing more to come.
            SourceFatal: The author says that it can never work.
        """
        if isinstance(error, (SourceEnd, SourceFatal)):
            raise error
        if isinstance(error, SourceSkip) and self._failures == 0:
            logger.info("the source passes over something: %s", describe(error))
            self._failures = 1
            return 0.0
        delay = min(_FIRST_DELAY * 2.0 ** min(self._failures, 10), _LONGEST_DELAY)
        if isinstance(error, SourceRetry) and error.after is not None:
            delay = error.after
        self._failures += 1
        level = logging.WARNING if self._failures == 1 else logging.DEBUG
        logger.log(level, "the source failed, trying again in %g s: %s", delay, describe(error))
        if self._failures == 1 and not isinstance(error, SourceRetry):
            logger.debug("where the source failed", exc_info=error)
        return delay

    def over(self) -> None:
        """Note that the source has given something."""
        if self._failures > 1:
            logger.info("the source works again, after %d failed attempts", self._failures)
        self._failures = 0


class Normalizer:
    """Turns what a source yields into events with the plugin's decoder and source name."""

    def __init__(self, source: str, decode: Callable[[bytes], Any] | None) -> None:
        self._source = source
        self._decode = decode
        self._refused = 0

    def __call__(self, item: object) -> Published:
        """Return the events of one item; what is no event is logged once and passed over."""
        if isinstance(item, Batch):
            return self._events(item.events), item.delivered
        if item is None:
            return [], None
        return self._events((item,)), None

    def _events(self, items: Iterable[object]) -> list[Event]:
        events = []
        decode = self._decode
        for item in items:
            try:
                event = item if item.__class__ is Event else Event(item)  # type: ignore[arg-type]
            except (TypeError, ValueError) as error:
                self._refuse(error)
                continue
            if decode is not None:
                event._decode = decode
            event.source = self._source
            events.append(event)
        return events

    def _refuse(self, error: Exception) -> None:
        self._refused += 1
        if self._refused == 1:
            logger.error(
                "the source gave something that is no event; it is passed over "
                "(further cases are only counted): %s",
                error,
            )
