"""What becomes of an author's code and callbacks when the host closes, at any moment."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar

import pytest

from falcopy_sdk import Batch, plugin, source

ABOUT = {
    "id": 999,
    "event_source": "closing",
    "version": "0.1.0",
    "description": "For tests",
    "contact": "https://example.org",
}


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@plugin(name="swallowing", **ABOUT)
class Swallowing:
    """Takes a cancellation for an ordinary failure, as a broad handler does, and goes on."""

    @source
    async def events(self, params: str) -> AsyncIterator[bytes | None]:
        yield b"first"
        while True:
            try:
                await asyncio.sleep(3600)
            except BaseException:  # noqa: BLE001 - what the test is about
                yield b"more" if params == "event" else None


@pytest.mark.parametrize("params", ["event", "nothing"])
def test_an_async_source_that_swallows_its_cancellation_ends_at_its_next_yield(
    start: Any, params: str
) -> None:
    with start(Swallowing).open(params) as instance:
        assert [event.data for event in instance.events(limit=1)] == [b"first"]
        assert instance.next() is None
        began = time.monotonic()
    assert time.monotonic() - began < 5


@plugin(name="slowcallback", **ABOUT)
class SlowCallback:
    """Its callbacks take a while, like one that writes a checkpoint."""

    begun: ClassVar[threading.Event] = threading.Event()
    done: ClassVar[list[int]] = []

    @source
    def events(self) -> Iterator[Batch | None]:
        def note(i: int) -> None:
            self.begun.set()
            for _ in range(30):
                time.sleep(0.01)
            self.done.append(i)

        yield Batch([b"a"], lambda: note(0))
        yield Batch([b"b"], lambda: note(1))
        yield b"c"
        while True:
            time.sleep(0.1)
            yield None


def test_closing_does_not_interrupt_a_callback_nor_lose_the_next_one(start: Any) -> None:
    SlowCallback.begun.clear()
    SlowCallback.done.clear()
    with start(SlowCallback).open() as instance:
        list(instance.events(limit=3))
        assert instance.next() is None
        wait_for(SlowCallback.begun.is_set)
    assert SlowCallback.done == [0, 1]


@plugin(name="tidy", **ABOUT)
class Tidy:
    """Takes longer to end than it is given to come to a yield."""

    tidied: ClassVar[list[bool]] = []

    @source
    def events(self) -> Iterator[bytes | None]:
        try:
            yield b"first"
            while True:
                time.sleep(0.01)
                yield None
        finally:
            for _ in range(50):
                time.sleep(0.01)
            self.tidied.append(True)


def test_a_source_that_is_closed_at_a_yield_ends_undisturbed(start: Any, log: Any) -> None:
    Tidy.tidied.clear()
    with start(Tidy).open() as instance:
        assert [event.data for event in instance.events(limit=1)] == [b"first"]
    assert Tidy.tidied == [True]
    assert log.texts("WARNING") == []


class _Reader:
    made: ClassVar[int] = 0
    closed: ClassVar[int] = 0

    def __init__(self) -> None:
        type(self).made += 1

    def next_batch(self) -> list[bytes]:
        return [b"x"]

    def close(self) -> None:
        type(self).closed += 1


class _AsyncReader(_Reader):
    made: ClassVar[int] = 0
    closed: ClassVar[int] = 0

    async def next_batch(self) -> list[bytes]:  # type: ignore[override]
        return [b"x"]

    async def close(self) -> None:  # type: ignore[override]
        type(self).closed += 1


@plugin(name="reading", **ABOUT)
class Reading:
    reader: ClassVar[type[_Reader]] = _Reader

    @source
    def events(self) -> _Reader:
        return self.reader()


@pytest.mark.parametrize("reader", [_Reader, _AsyncReader])
def test_every_source_object_is_closed_however_soon_the_host_closes(
    start: Any, monkeypatch: pytest.MonkeyPatch, reader: type[_Reader]
) -> None:
    monkeypatch.setattr(Reading, "reader", reader)
    monkeypatch.setattr(reader, "made", 0)
    monkeypatch.setattr(reader, "closed", 0)
    plugin_ = start(Reading)
    moments = random.Random(1)
    for _ in range(100):
        with plugin_.open():
            time.sleep(moments.choice([0, 0, 0.0001, 0.001, 0.003]))
    assert reader.made >= 100
    assert reader.closed == reader.made


@plugin(name="strayed", **ABOUT)
class Strayed:
    """Something beneath it is cancelled, which it does not know of."""

    error: ClassVar[type[BaseException]] = asyncio.CancelledError
    attempts: ClassVar[int] = 0

    @source
    def events(self) -> Iterator[bytes]:
        type(self).attempts += 1
        if self.attempts == 1:
            raise self.error
        yield b"works"


@plugin(name="astrayed", **ABOUT)
class AsyncStrayed(Strayed):
    @source
    async def events(self) -> AsyncIterator[bytes]:  # type: ignore[override]
        for item in Strayed.events(self):
            yield item


class Odd(BaseException):
    """No Exception, as the cancellations of some libraries."""


@pytest.mark.parametrize("error", [asyncio.CancelledError, GeneratorExit, Odd])
@pytest.mark.parametrize("cls", [Strayed, AsyncStrayed])
def test_a_source_survives_exceptions_that_are_no_exception(
    opened: Any, log: Any, monkeypatch: pytest.MonkeyPatch, cls: Any, error: type[BaseException]
) -> None:
    monkeypatch.setattr(Strayed, "error", error)
    monkeypatch.setattr(cls, "attempts", 0)
    _, instance = opened(cls)
    assert [event.data for event in instance.events()] == [b"works"]
    (warning,) = log.texts("WARNING")
    assert error.__name__ in warning


@plugin(name="oddcallback", **ABOUT)
class OddCallback:
    @source
    def events(self) -> Iterator[Batch]:
        yield Batch([b"a"], self.fail)
        yield Batch([b"b"], self.fail)

    def fail(self) -> None:
        raise Odd("on purpose")


@plugin(name="aoddcallback", **ABOUT)
class AsyncOddCallback(OddCallback):
    @source
    async def events(self) -> AsyncIterator[Batch]:  # type: ignore[override]
        for item in OddCallback.events(self):
            yield item


@pytest.mark.parametrize("cls", [OddCallback, AsyncOddCallback])
def test_a_callback_that_raises_no_exception_is_logged_and_stops_nothing(
    opened: Any, log: Any, cls: Any
) -> None:
    _, instance = opened(cls)
    assert [event.data for event in instance.events()] == [b"a", b"b"]
    assert len([t for t in log.texts("ERROR") if "callback" in t and "Odd" in t]) == 2


@plugin(name="iterating", **ABOUT)
class Iterating:
    @source
    def events(self) -> Any:
        return iter([b"a", b"b"])


def test_a_source_may_return_an_iterator_that_cannot_be_closed(opened: Any, log: Any) -> None:
    _, instance = opened(Iterating)
    assert [event.data for event in instance.events()] == [b"a", b"b"]
    assert log.texts("WARNING") == []


@plugin(name="deaf", **ABOUT)
class Deaf:
    """Its first interruption ends in a handler that takes everything."""

    @source
    def events(self) -> Iterator[bytes]:
        yield b"first"
        for _ in range(2):
            try:
                while True:
                    time.sleep(0.01)
            except BaseException:  # noqa: BLE001 - what the test is about
                pass


@pytest.mark.slow
def test_a_source_that_swallows_its_interruption_is_interrupted_again(start: Any, log: Any) -> None:
    with start(Deaf).open() as instance:
        assert [event.data for event in instance.events(limit=1)] == [b"first"]
        assert instance.next() is None
        began = time.monotonic()
    assert 5 < time.monotonic() - began < 20
    assert log.texts("ERROR") == []
