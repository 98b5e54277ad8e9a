"""How sources run, end, fail, wait and are closed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar

import pytest

from falcopy_sdk import Batch, Event, plugin, source
from falcopy_sdk.exceptions import (
    PluginFailedError,
    SourceEnd,
    SourceFatal,
    SourceRetry,
    SourceSkip,
)

ABOUT = {
    "id": 999,
    "event_source": "tests",
    "version": "0.1.0",
    "description": "For tests",
    "contact": "https://example.org",
}


def payloads(instance: Any, limit: int | None = None) -> list[bytes]:
    return [event.data for event in instance.events(limit=limit)]


@plugin(name="plain", **ABOUT)
class Plain:
    @source
    def events(self, params: str) -> Iterator[Any]:
        yield b"bytes"
        yield "text"
        yield None
        yield Event({"a": 1}, ts=5)
        yield Batch([b"one", Event("two")])
        yield Batch([])
        yield params


@plugin(name="aplain", **ABOUT)
class AsyncPlain:
    @source
    async def events(self, params: str) -> AsyncIterator[Any]:
        for item in Plain().events(params):
            await asyncio.sleep(0)
            yield item


class _Reader:
    def __init__(self, params: str) -> None:
        self.items = list(Plain().events(params))
        # Any iterable of events will do.
        self.items[0] = (item for item in [self.items[0]])
        self.items[1] = [self.items[1]]
        self.closed = False

    def next_batch(self) -> Any:
        if not self.items:
            raise StopIteration
        return self.items.pop(0)


class _AsyncReader(_Reader):
    async def next_batch(self) -> Any:  # type: ignore[override]
        if not self.items:
            raise StopAsyncIteration
        return self.items.pop(0)


@plugin(name="object", **ABOUT)
class Object:
    @source
    def events(self, params: str) -> _Reader:
        return _Reader(params)


@plugin(name="aobject", **ABOUT)
class AsyncObject:
    @source
    def events(self, params: str) -> _AsyncReader:
        return _AsyncReader(params)


@pytest.mark.parametrize("cls", [Plain, AsyncPlain, Object, AsyncObject])
def test_every_kind_of_source_gives_every_kind_of_item_in_order(opened: Any, cls: type) -> None:
    _, instance = opened(cls, params="last")
    assert payloads(instance) == [b"bytes", b"text", b'{"a":1}', b"one", b"two", b"last"]


def test_the_time_of_an_event_is_given_to_the_host(opened: Any) -> None:
    before = time.time_ns()
    _, instance = opened(Plain, params="last")
    times = [event.ts for event in instance.events()]
    assert times[2] == 5
    assert all(before <= ts <= time.time_ns() for i, ts in enumerate(times) if i != 2)


@plugin(name="many", **ABOUT)
class Many:
    produced: ClassVar[int] = 0

    @source
    def events(self, params: str) -> Iterator[bytes]:
        for i in range(int(params)):
            type(self).produced = i + 1
            yield b"%d" % i


@plugin(name="amany", **ABOUT)
class AsyncMany:
    produced: ClassVar[int] = 0

    @source
    async def events(self, params: str) -> AsyncIterator[bytes]:
        for i in range(int(params)):
            type(self).produced = i + 1
            yield b"%d" % i


@pytest.mark.parametrize("cls", [Many, AsyncMany])
def test_no_event_is_lost_or_repeated_among_many(opened: Any, cls: type) -> None:
    _, instance = opened(cls, params="20000")
    assert payloads(instance) == [b"%d" % i for i in range(20000)]


@pytest.mark.parametrize("cls", [Many, AsyncMany])
def test_a_host_that_does_not_read_stops_the_source(opened: Any, cls: Any) -> None:
    cls.produced = 0
    _, instance = opened(cls, params="100000")
    before = -1
    deadline = time.monotonic() + 10
    while cls.produced != before or before <= 0:
        assert time.monotonic() < deadline
        before = cls.produced
        time.sleep(0.2)
    assert before < 2000
    assert len(payloads(instance, limit=5000)) == 5000
    assert cls.produced >= 5000


@plugin(name="ackd", **ABOUT)
class Acknowledged:
    delivered: ClassVar[list[int]] = []

    @source
    def events(self) -> Iterator[Batch]:
        for i in range(4):
            yield Batch(
                [b"%d.%d" % (i, j) for j in range(300)], lambda i=i: self.delivered.append(i)
            )
        yield Batch([], lambda: self.delivered.append(99))


@plugin(name="aackd", **ABOUT)
class AsyncAcknowledged:
    delivered: ClassVar[list[int]] = []

    @source
    async def events(self) -> AsyncIterator[Batch]:
        async def note(i: int) -> None:
            await asyncio.sleep(0)
            self.delivered.append(i)

        for i in range(4):
            yield Batch([b"%d.%d" % (i, j) for j in range(300)], lambda i=i: note(i))
        yield Batch([], lambda: self.delivered.append(99))


@pytest.mark.parametrize("cls", [Acknowledged, AsyncAcknowledged])
def test_a_batch_is_delivered_only_once_the_host_has_finished_with_its_last_event(
    opened: Any, cls: Any
) -> None:
    cls.delivered.clear()
    _, instance = opened(cls)
    for number, event in enumerate(instance.events()):
        batch = number // 300
        assert event.data == b"%d.%d" % (batch, number % 300)
        assert all(i < batch for i in cls.delivered)
    assert sorted(cls.delivered) == [0, 1, 2, 3, 99]


@pytest.mark.parametrize("cls", [Acknowledged, AsyncAcknowledged])
def test_events_that_a_closing_host_still_holds_do_not_count_as_delivered(
    start: Any, cls: Any
) -> None:
    cls.delivered.clear()
    plugin_ = start(cls)
    with plugin_.open() as instance:
        assert len(payloads(instance, limit=310)) == 310
    assert cls.delivered in ([], [0])


@plugin(name="blocked", **ABOUT)
class Blocked:
    finished: ClassVar[threading.Event] = threading.Event()

    @source
    def events(self) -> Iterator[bytes]:
        yield b"first"
        try:
            while True:
                time.sleep(0.01)
        finally:
            self.finished.set()


@plugin(name="ablocked", **ABOUT)
class AsyncBlocked:
    finished: ClassVar[threading.Event] = threading.Event()

    @source
    async def events(self) -> AsyncIterator[bytes]:
        yield b"first"
        try:
            await asyncio.sleep(3600)
        finally:
            self.finished.set()


@pytest.mark.parametrize("cls", [Blocked, AsyncBlocked])
def test_closing_interrupts_a_source_that_waits(start: Any, cls: Any) -> None:
    cls.finished.clear()
    plugin_ = start(cls)
    with plugin_.open() as instance:
        assert payloads(instance, limit=1) == [b"first"]
        assert instance.next() is None
        began = time.monotonic()
    assert cls.finished.is_set()
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("cls", [Many, AsyncMany])
def test_closing_frees_a_source_that_waits_for_space(start: Any, cls: Any) -> None:
    plugin_ = start(cls)
    with plugin_.open("100000") as instance:
        assert payloads(instance, limit=1) == [b"0"]


def test_a_source_can_be_opened_again(start: Any) -> None:
    plugin_ = start(Many)
    for _ in range(3):
        with plugin_.open("5") as instance:
            assert len(payloads(instance)) == 5


@plugin(name="failing", **ABOUT)
class Failing:
    """Fails as its params say, then works."""

    attempts: ClassVar[int] = 0

    @source
    def events(self, params: str) -> Iterator[bytes]:
        type(self).attempts += 1
        if self.attempts <= 2:
            if params == "retry":
                raise SourceRetry("the hub is away", after=0.01)
            if params == "skip":
                raise SourceSkip("a bad page")
            if params == "end":
                yield b"one"
                raise SourceEnd("that was all")
            if params == "fatal":
                raise SourceFatal("the key is wrong")
            if params == "any":
                raise ConnectionError("reset")
        yield b"works"


@plugin(name="afailing", **ABOUT)
class AsyncFailing:
    attempts: ClassVar[int] = 0

    @source
    async def events(self, params: str) -> AsyncIterator[bytes]:
        type(self).attempts += 1
        inner = Failing()
        type(inner).attempts = self.attempts - 1
        for item in inner.events(params):
            yield item


@pytest.mark.parametrize("cls", [Failing, AsyncFailing])
def test_a_source_that_asks_for_it_is_tried_again_and_the_change_is_told_once(
    opened: Any, log: Any, cls: Any
) -> None:
    cls.attempts = 0
    _, instance = opened(cls, params="retry")
    assert payloads(instance) == [b"works"]
    assert cls.attempts == 3
    assert log.texts("WARNING") == ["the source failed, trying again in 0.01 s: the hub is away"]


@pytest.mark.parametrize("cls", [Failing, AsyncFailing])
def test_an_unknown_error_is_tried_again_and_never_stops_the_host(
    opened: Any, log: Any, cls: Any
) -> None:
    cls.attempts = 1
    _, instance = opened(cls, params="any")
    assert payloads(instance) == [b"works"]
    (warning,) = log.texts("WARNING")
    assert warning.startswith("the source failed, trying again in 1 s: ConnectionError: reset")


@pytest.mark.parametrize("cls", [Failing, AsyncFailing])
def test_skipping_goes_on_at_once(opened: Any, cls: Any) -> None:
    cls.attempts = 1
    _, instance = opened(cls, params="skip")
    began = time.monotonic()
    assert payloads(instance) == [b"works"]
    assert time.monotonic() - began < 0.9


@pytest.mark.parametrize("cls", [Failing, AsyncFailing])
def test_ending_is_an_end_of_file_for_the_host(opened: Any, cls: Any) -> None:
    cls.attempts = 0
    _, instance = opened(cls, params="end")
    assert payloads(instance) == [b"one"]


@pytest.mark.parametrize("cls", [Failing, AsyncFailing])
def test_only_what_the_author_calls_fatal_stops_the_host(opened: Any, cls: Any) -> None:
    cls.attempts = 0
    _, instance = opened(cls, params="fatal")
    with pytest.raises(PluginFailedError, match="the key is wrong"):
        payloads(instance)


@plugin(name="junk", **ABOUT)
class Junk:
    @source
    def events(self) -> Iterator[Any]:
        yield 5
        yield Batch([b"good", 7, Event(b"x" * (17 * 1024 * 1024))])  # type: ignore[list-item]
        yield b"last"


def test_what_is_no_event_is_passed_over_and_told(opened: Any, log: Any) -> None:
    _, instance = opened(Junk)
    assert payloads(instance) == [b"good", b"last"]
    errors = log.texts("ERROR")
    assert len(errors) == 2
    assert all("passed over" in text for text in errors)


def test_a_failing_callback_is_logged_and_stops_nothing(opened: Any, log: Any) -> None:
    @plugin(name="badcallback", **ABOUT)
    class BadCallback:
        @source
        def events(self) -> Iterator[Batch]:
            yield Batch([b"a"], lambda: 1 / 0)  # type: ignore[arg-type,return-value]
            yield Batch([b"b"])

    globals()["BadCallback"] = BadCallback
    BadCallback.__qualname__ = "BadCallback"
    _, instance = opened(BadCallback)
    assert payloads(instance) == [b"a", b"b"]
    assert any("callback" in t and "ZeroDivisionError" in t for t in log.texts("ERROR"))
