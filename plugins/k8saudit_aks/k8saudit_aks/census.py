"""Which partitions the event hub has: in the Premium and Dedicated tiers their number may grow.

The client asks once in its life. One that got none of them is not even noticed when it is cut off:
no link of its own could fall silent.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from k8saudit_aks.trouble import Unavailable

if TYPE_CHECKING:
    from collections.abc import Collection

    from k8saudit_aks.client import HubClient
    from k8saudit_aks.timing import Timing

__all__ = ["Census"]


class Census:
    """Asks the event hub from time to time."""

    def __init__(self, client: HubClient, timing: Timing, known: Collection[str]) -> None:
        """``known``: ids of the partitions that there were at the start."""
        self._client, self._timing, self._known = client, timing, frozenset(known)
        self._asked = time.monotonic()

    def due(self, ours: int) -> bool:
        """Whether it is time to ask; sooner for a client with no partition of its own."""
        pause = self._timing.census if ours else self._timing.idle
        return time.monotonic() - self._asked > pause

    async def added(self, ours: int) -> list[str]:
        """Ids of the partitions that are new.

        Raises:
            Unavailable: Event Hubs does not answer, and no partition is ours: trouble with those
                is found, and judged, by their links.
        """
        self._asked = time.monotonic()
        try:
            found = await self._client.partition_ids(self._timing.look_up)
        except Unavailable:
            if not ours:
                raise
            return []
        return sorted(set(found) - self._known)
