"""Cancellations that a library has swallowed.

``asyncio.wait_for`` of Python 3.11 returns a result that comes in the moment of a cancellation, and
the cancellation is lost (python/cpython#86296, mended in 3.12). The AMQP client reads its frames by
it, so every wait for Event Hubs may end so.
"""

from __future__ import annotations

import asyncio

__all__ = ["heed"]


def heed() -> None:
    """Raise the cancellation that the current task was asked for, if it is still running.

    Raises:
        asyncio.CancelledError: it was.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
