"""Asynchronous events between the plugin's threads and the host's loop."""

from __future__ import annotations

import heapq
import itertools
import logging
import struct
import threading
import time
from typing import TYPE_CHECKING, Any

from falcopy_sdk.abi import ASYNC_EVENT_CODE, UINT64_MAX, ffi
from falcopy_sdk.exceptions import ContractError
from falcopy_sdk.host.events import check_event

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["AsyncQueue"]

logger = logging.getLogger(__name__)

#: libsinsp's sinsp.cpp: the queue's size, and how far ahead an event may lie.
_CAPACITY = 4096
_FUTURE_NS = 10_000_000_000


class AsyncQueue:
    """Takes events from any thread, gives them back in the order of their timestamps.

    Args:
        names: the plugin's ``get_async_events``.
        sources: its ``get_async_event_sources``; empty: all.
        source: the event source that is open, "syscall" without one.
        plugin_id: id of the plugin whose source is open, 0 without one.
    """

    def __init__(
        self, names: Collection[str], sources: Collection[str], source: str, plugin_id: int
    ) -> None:
        self._names = names
        self._sources = sources
        self._source = source
        self._plugin_id = plugin_id
        self._heap: list[tuple[int, int, bytes]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        #: Events that a host drops without telling the plugin.
        self.dropped = 0

    def push(self, pointer: Any) -> str | None:
        """Checks and takes a copy of an event.

        Args:
            pointer: ``const ss_plugin_event *``.

        Returns:
            None, or why the event is refused; the texts are libsinsp's.
        """
        if pointer.type != ASYNC_EVENT_CODE or pointer.nparams != 3:
            return "malformed async event produced by plugin"
        try:
            check_event(pointer)
        except ContractError as error:
            return f"malformed async event produced by plugin: {error}"
        raw = bytearray(ffi.buffer(ffi.cast("const char *", pointer), pointer.len))
        name = bytes(raw[42:]).split(b"\0", 1)[0].decode(errors="replace")
        if name not in self._names:
            return f"incompatible async event '{name}' produced by plugin"
        if self._sources and self._source not in self._sources:
            return f"async event '{name}' is not compatible with open event source '{self._source}'"
        if self._plugin_id and pointer.tid != UINT64_MAX:
            return f"async event '{name}' has a thread id while a plugin's source is open"
        now = time.time_ns()
        ts = now if pointer.ts == UINT64_MAX else int(pointer.ts)
        struct.pack_into("=Q", raw, 0, ts)
        struct.pack_into("=I", raw, 38, self._plugin_id)
        with self._changed:
            if ts > now + _FUTURE_NS or len(self._heap) >= _CAPACITY:
                self.dropped += 1
                logger.warning("dropped async event %r: too far ahead, or the queue is full", name)
                return None
            heapq.heappush(self._heap, (ts, next(self._order), bytes(raw)))
            self._changed.notify()
        return None

    def pop(self, until: int | None = None, timeout: float = 0.0) -> bytes | None:
        """Takes the oldest event.

        Args:
            until: only if its timestamp is not later than this.
            timeout: seconds to wait for one.
        """
        with self._changed:
            if not self._heap and timeout:
                self._changed.wait(timeout)
            if not self._heap or (until is not None and self._heap[0][0] > until):
                return None
            return heapq.heappop(self._heap)[2]
