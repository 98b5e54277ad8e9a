"""Asynchronous events between a plugin's threads and the loop: what libsinsp takes and drops."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from falcopy_sdk.host import encode_async_event, encode_plugin_event, foreign_event
from falcopy_sdk.host.asyncqueue import AsyncQueue


def _pushed(queue: AsyncQueue, raw: bytes) -> str | None:
    event = foreign_event(raw)
    return queue.push(event.pointer)


def _queue(**changes: Any) -> AsyncQueue:
    given = {"names": {"tick"}, "sources": (), "source": "acme", "plugin_id": 999, **changes}
    return AsyncQueue(**given)


def test_an_event_gets_the_plugins_id_and_the_hosts_time() -> None:
    queue = _queue()
    before = time.time_ns()
    assert _pushed(queue, encode_async_event("tick", b"x", plugin_id=5)) is None
    raw = queue.pop()
    assert raw is not None
    event = foreign_event(raw)
    assert (event.plugin_id, event.data) == (999, b"x")
    assert before <= event.ts <= time.time_ns()
    assert queue.pop() is None


@pytest.mark.parametrize(
    ("raw", "changes", "message"),
    [
        (encode_plugin_event(b""), {}, "malformed async event"),
        (encode_async_event("tock", b""), {}, "incompatible async event 'tock'"),
        (encode_async_event("tick", b""), {"sources": ("other",)}, "open event source 'acme'"),
        (
            encode_async_event("tick", b"")[:8] + bytes(8) + encode_async_event("tick", b"")[16:],
            {},
            "has a thread id",
        ),
    ],
)
def test_an_event_that_does_not_fit_is_refused(
    raw: bytes, changes: dict[str, Any], message: str
) -> None:
    queue = _queue(**changes)
    refused = _pushed(queue, raw)
    assert refused is not None
    assert message in refused
    assert queue.pop() is None


def test_without_a_source_an_event_may_have_a_thread_id() -> None:
    raw = encode_async_event("tick", b"", ts=1)
    queue = _queue(source="syscall", plugin_id=0)
    assert _pushed(queue, raw[:8] + bytes(8) + raw[16:]) is None
    assert queue.pop() is not None


def test_events_far_ahead_and_beyond_the_queues_size_are_dropped_without_telling(
    caplog: pytest.LogCaptureFixture,
) -> None:
    queue = _queue()
    ahead = encode_async_event("tick", b"", ts=time.time_ns() + 20_000_000_000)
    assert _pushed(queue, ahead) is None
    assert queue.dropped == 1
    for number in range(4097):
        assert _pushed(queue, encode_async_event("tick", b"", ts=number)) is None
    assert queue.dropped == 2
    assert "dropped async event 'tick'" in caplog.text


def test_only_events_that_are_not_later_are_taken() -> None:
    queue = _queue()
    _pushed(queue, encode_async_event("tick", b"", ts=10))
    assert queue.pop(until=9) is None
    assert queue.pop(until=10) is not None


def test_one_who_waits_is_woken() -> None:
    queue = _queue()
    sender = threading.Thread(target=lambda: _pushed(queue, encode_async_event("tick", b"", ts=1)))
    begun = time.monotonic()
    sender.start()
    assert queue.pop(timeout=30) is not None
    sender.join()
    assert time.monotonic() - begun < 10
