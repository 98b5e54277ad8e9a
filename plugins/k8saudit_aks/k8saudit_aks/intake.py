"""Between the client's callbacks, one a partition, and the one stream towards the host."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

__all__ = ["Intake"]

Item = TypeVar("Item")


class Intake(Generic[Item]):
    """A queue bounded by bytes: Event Hubs events vary from 1 KB to 1 MB.

    A full intake makes the callbacks wait; then the client stops reading, its credit runs out and
    the events stay in Event Hubs.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._items: deque[tuple[Item, int]] = deque()
        self._changed = asyncio.Condition()

    def __len__(self) -> int:
        return len(self._items)

    async def put(self, item: Item, size: int) -> None:
        """Append ``item`` of ``size`` bytes, waiting for room.

        An item larger than the bound is let in when the intake is empty. Cancelled while waiting,
        the item is not appended.
        """
        async with self._changed:
            while self._items and self._bytes + size > self._max_bytes:
                await self._changed.wait()
            self._items.append((item, size))
            self._bytes += size
            self._changed.notify_all()

    async def get(self) -> Item:
        """Take the oldest item, waiting for one."""
        async with self._changed:
            while not self._items:
                await self._changed.wait()
            item, size = self._items.popleft()
            self._bytes -= size
            self._changed.notify_all()
            return item
