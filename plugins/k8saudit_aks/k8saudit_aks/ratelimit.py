"""The Go plugin's ``rate_limit_*`` settings: a token bucket, off unless set."""

from __future__ import annotations

import asyncio
import time

__all__ = ["RateLimit"]


class RateLimit:
    """At most ``per_second`` events on average, ``burst`` at once."""

    def __init__(self, per_second: int, burst: int) -> None:
        self.per_second = per_second
        self.burst = max(1, burst)
        self._tokens = float(self.burst)
        self._at = time.monotonic()

    async def take(self, count: int) -> None:
        """Wait until ``count`` events may pass.

        More than ``burst`` at once go into debt, which the next call waits off: the average holds.
        """
        now = time.monotonic()
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.per_second)
        self._at = now
        if self._tokens < min(count, self.burst):
            missing = min(count, self.burst) - self._tokens
            await asyncio.sleep(missing / self.per_second)
            self._tokens += missing
            self._at = time.monotonic()
        self._tokens -= count
