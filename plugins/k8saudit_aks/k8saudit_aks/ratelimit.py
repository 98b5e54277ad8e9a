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
        """Wait until ``count`` events may pass; more than ``burst`` wait for the time they take."""
        now = time.monotonic()
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.per_second)
        self._at = now
        self._tokens -= count
        if self._tokens < 0:
            await asyncio.sleep(-self._tokens / self.per_second)
