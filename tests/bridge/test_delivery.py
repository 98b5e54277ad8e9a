"""Acknowledgement under stress: no callback is lost, early, twice or in the way."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar

import pytest

from falcopy_sdk import Batch, plugin, source
from falcopy_sdk.exceptions import SourceRetry

ABOUT = {
    "id": 999,
    "event_source": "delivery",
    "version": "0.1.0",
    "description": "For tests",
    "contact": "https://example.org",
}
#: loader_c/bridge/queue.h
BATCH_EVENTS, QUEUE_BATCHES = 128, 8


@plugin(name="random", **ABOUT)
class Random:
    delivered: ClassVar[list[int]] = []

    @source
    def events(self, params: str) -> Iterator[Batch]:
        moments = random.Random(params)
        for i in range(400):
            if moments.random() < 0.1:
                time.sleep(moments.random() / 500)
            size = moments.choice([0, 1, 1, 2, 100, 127, 128, 129, 300])
            yield Batch([b"%d" % i] * size, lambda i=i: self.delivered.append(i))


@plugin(name="arandom", **ABOUT)
class AsyncRandom:
    delivered: ClassVar[list[int]] = []

    @source
    async def events(self, params: str) -> AsyncIterator[Batch]:
        moments = random.Random(params)
        for i in range(400):
            if moments.random() < 0.1:
                await asyncio.sleep(moments.random() / 500)
            size = moments.choice([0, 1, 1, 2, 100, 127, 128, 129, 300])
            yield Batch([b"%d" % i] * size, lambda i=i: self.delivered.append(i))


@pytest.mark.parametrize("seed", ["1", "2", "3"])
@pytest.mark.parametrize("cls", [Random, AsyncRandom])
def test_every_callback_comes_once_in_order_and_not_early_whatever_the_timing(
    opened: Any, cls: Any, seed: str
) -> None:
    cls.delivered.clear()
    moments = random.Random(seed)
    _, instance = opened(cls, params=seed)
    for event in instance.events():
        at = int(event.data)
        assert all(i < at for i in cls.delivered[-3:])
        if moments.random() < 0.001:
            time.sleep(moments.random() / 20)
    assert cls.delivered == list(range(400))


@plugin(name="counted", **ABOUT)
class Counted:
    produced: ClassVar[int] = 0

    @source
    def events(self) -> Iterator[bytes]:
        while True:
            type(self).produced += 1
            yield b"x"


def test_at_most_eight_full_batches_wait_beside_the_one_with_the_host(opened: Any) -> None:
    Counted.produced = 0
    _, instance = opened(Counted)
    for _ in range(5000):
        assert instance.next() is not None
    before = -1
    deadline = time.monotonic() + 10
    while Counted.produced != before:
        assert time.monotonic() < deadline
        before = Counted.produced
        time.sleep(0.2)
    in_hand = 1  # what the source has given and waits to add
    assert before <= 5000 + (1 + QUEUE_BATCHES) * BATCH_EVENTS + in_hand


@plugin(name="bursts", **ABOUT)
class Bursts:
    @source
    def events(self) -> Iterator[list[Any] | Batch]:
        for _ in range(50):
            time.sleep(0.01)
            yield Batch([b"x"] * 100)


def test_a_burst_for_a_waiting_host_is_not_cut_into_single_events(opened: Any) -> None:
    _, instance = opened(Bursts)
    fetched = 0
    fetch = instance._fetch

    def count() -> int:
        nonlocal fetched
        rc = fetch()
        fetched += rc == 0
        return int(rc)

    instance._fetch = count
    assert sum(1 for _ in instance.events()) == 5000
    assert fetched <= 50 * 3


@plugin(name="backoff", **ABOUT)
class Backoff:
    """Fails after a batch; its callback comes due while the runtime waits to try again."""

    attempts: ClassVar[list[float]] = []

    @source
    def events(self) -> Iterator[Batch]:
        self.attempts.append(time.monotonic())
        if len(self.attempts) > 1:
            return
        for _ in range(3):
            yield Batch([b"x"] * BATCH_EVENTS, lambda: None)
        raise SourceRetry("away", after=1.0)


@plugin(name="abackoff", **ABOUT)
class AsyncBackoff:
    attempts: ClassVar[list[float]] = []

    @source
    async def events(self) -> AsyncIterator[Batch]:
        for item in Backoff.events(self):  # type: ignore[arg-type]
            yield item


@pytest.mark.parametrize("cls", [Backoff, AsyncBackoff])
def test_a_callback_does_not_shorten_the_wait_before_the_next_attempt(
    opened: Any, cls: Any
) -> None:
    cls.attempts.clear()
    _, instance = opened(cls)
    assert sum(1 for _ in instance.events()) == 3 * BATCH_EVENTS
    first, second = cls.attempts
    assert second - first >= 0.99


@plugin(name="lastwords", **ABOUT)
class LastWords:
    """Its source has ended long before the host consumes, so the callback runs after its end."""

    @source
    def events(self, params: str) -> Iterator[Batch]:
        yield Batch([b"x"], lambda: logging.getLogger("mine").warning("delivered %s", params))


def test_a_callback_after_the_end_of_the_source_logs_to_its_own_host(
    start: Any, opened: Any, log: Any
) -> None:
    from falcopy_sdk.host import Library

    others: list[str] = []
    _, instance = opened(LastWords, params="mine")
    with (
        Library.from_class(LastWords) as library,
        library.init(None, log=lambda _c, message, _s: others.append(message)),
    ):
        assert [event.data for event in instance.events()] == [b"x"]
    assert log.texts("WARNING") == ["delivered mine"]
    assert others == []


@plugin(name="logging", **ABOUT)
class Logging:
    @source
    def events(self) -> Iterator[bytes]:
        logging.getLogger("mine").warning("slow")
        yield b"x"


def test_a_host_that_is_slow_to_take_a_line_holds_up_no_other_thread() -> None:
    """A lock around the handler would stay taken if close interrupted a thread that waits."""
    from falcopy_sdk.host import Library

    taking, go_on = threading.Event(), threading.Event()
    lines: list[str] = []

    def log(_component: str, message: str, _severity: Any) -> None:
        lines.append(message)
        if message == "slow":
            taking.set()
            go_on.wait(10)

    with (
        Library.from_class(Logging) as library,
        library.init(None, log=log) as plugin_,
        plugin_.open(),
    ):
        assert taking.wait(10)
        other = threading.Thread(target=logging.getLogger("mine").warning, args=("fast",))
        other.start()
        other.join(5)
        stuck = other.is_alive()
        go_on.set()
        other.join(10)
    assert not stuck
    assert "fast" in lines
