"""Memory: what happens when there is none, and that none is lost over time.

Not under AddressSanitizer, whose allocator neither fails nor gives memory back.
"""

from __future__ import annotations

import gc
import resource
import threading
import time
import tracemalloc
import weakref
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from falcopy_sdk import Batch, Event, extract, plugin, source

ABOUT = {"version": "0.1.0", "description": "For tests", "contact": "https://example.org"}


@plugin(name="large", id=999, event_source="large", **ABOUT)
class Large:
    go_on: ClassVar[threading.Event] = threading.Event()
    delivered: ClassVar[list[int]] = []

    @source
    def events(self) -> Iterator[Batch]:
        self.go_on.wait(10)
        data = b"x" * (15 * 1024 * 1024)
        yield Batch([data] * 6, lambda: self.delivered.append(1))


def test_events_that_found_no_memory_are_given_again_not_acknowledged(
    opened: Any, log: Any
) -> None:
    Large.go_on.clear()
    Large.delivered.clear()
    _, instance = opened(Large)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + 40 * 1024 * 1024, hard))
    try:
        Large.go_on.set()
        deadline = time.monotonic() + 10
        while not log.texts():
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert any("trying again" in text and "MemoryError" in text for text in log.texts("WARNING"))
    given = sum(1 for _ in instance.events())
    assert given > 6
    assert Large.delivered == [1]


@plugin(name="acknowledged", id=999, event_source="acknowledged", **ABOUT)
class Acknowledged:
    """Like an Event Hubs reader: many batches, each acknowledged, fields computed ahead."""

    delivered: ClassVar[int] = 0

    @source
    async def events(self, params: str) -> AsyncIterator[Batch]:
        for i in range(int(params)):
            events: list[Event | bytes | str] = [
                Event(b'{"n":%d,"l":["a","b"]}' % (i * 100 + j)) for j in range(100)
            ]
            yield Batch(events, self.count)

    def count(self) -> None:
        type(self).delivered += 1

    n = extract.path("a.n", "n", type=int, desc="Number")
    texts = extract.path("a.l", "l", type=list[str], desc="Texts")

    @extract("a.key")
    def key(self, event: Event, key: str) -> str:
        """Key"""
        return key + str(event.json["n"])


def _resident() -> int:
    """KiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024


def _stream(plugin_: Any, batches: int) -> int:
    requests = [plugin_.request(name) for name in ("a.n", "a.l", "a.key[k]")]
    count = 0
    with plugin_.open(str(batches)) as instance:
        for event in instance.events():
            for request in requests:
                plugin_.extract(event, request)
            count += 1
    return count


@pytest.mark.slow
def test_memory_does_not_grow_with_events(start: Any) -> None:
    plugin_ = start(Acknowledged)
    _stream(plugin_, 200)
    gc.collect()
    before = _resident()
    Acknowledged.delivered = 0
    assert _stream(plugin_, 1000) == 100_000
    gc.collect()
    assert Acknowledged.delivered == 1000
    assert _resident() - before < 4096


@pytest.mark.slow
def test_memory_and_objects_do_not_grow_with_opening_and_closing(start: Any) -> None:
    plugin_ = start(Acknowledged)

    def cycle(times: int) -> None:
        for i in range(times):
            with plugin_.open("5") as instance:
                for _ in instance.events(limit=i % 300):
                    pass

    cycle(20)
    gc.collect()
    files, resident = len(list(Path("/proc/self/fd").iterdir())), _resident()
    tracemalloc.start()
    cycle(5)
    gc.collect()
    traced, objects = tracemalloc.get_traced_memory()[0], len(gc.get_objects())
    cycle(200)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - traced
    tracemalloc.stop()
    assert len(gc.get_objects()) - objects < 200
    assert grown < 200 * 200
    assert len(list(Path("/proc/self/fd").iterdir())) == files
    assert _resident() - resident < 16 * 1024


@plugin(name="cyclic", id=999, event_source="cyclic", **ABOUT)
class Cyclic:
    live: ClassVar[weakref.WeakSet[Cyclic]] = weakref.WeakSet()

    def __init__(self) -> None:
        self.itself = self
        self.live.add(self)

    @source
    def events(self) -> Iterator[Event]:
        yield Event({})


def test_a_destroyed_state_is_gone_at_once_even_if_it_holds_itself(start: Any) -> None:
    usual = gc.get_threshold()
    gc.set_threshold(1_000_000)
    try:
        with start(Cyclic):
            assert len(Cyclic.live) == 1
        assert len(Cyclic.live) == 0
    finally:
        gc.set_threshold(*usual)
