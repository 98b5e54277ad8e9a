"""What hosts and authors may do within the letter of the API and of Python: memory stays sound."""

from __future__ import annotations

import gc
import resource
import subprocess
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from ctypes import CDLL, c_long, c_void_p
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from falcopy_sdk import Batch, Event, async_events, extract, plugin, source
from falcopy_sdk.abi import ffi
from falcopy_sdk.runtime import _bridge

ABOUT = {"version": "0.1.0", "description": "For tests", "contact": "https://example.org"}


def table() -> Any:
    return ffi.cast("struct falcopy_bridge *", _bridge.table_address())


class Emptying:
    """Empties the list it is in when its truth is asked for."""

    def __init__(self, holder: list[Any]) -> None:
        self.holder = holder

    def __bool__(self) -> bool:
        self.holder.clear()
        gc.collect()
        return True


class Leaping(datetime):
    """The same for a point in time."""

    holder: ClassVar[list[Any]] = []

    def __sub__(self, other: Any) -> Any:
        self.holder.clear()
        gc.collect()
        return super().__sub__(other)


@plugin(name="changing", id=999, event_source="changing", **ABOUT)
class Changing:
    @source
    def events(self) -> Iterator[bytes]:
        yield b"{}"

    @extract("h.flags")
    def flags(self, event: Event) -> list[bool]:
        """Flags"""
        holder: list[Any] = []
        holder.extend(Emptying(holder) for _ in range(100))
        return holder

    @extract("h.moments")
    def moments(self, event: Event) -> list[datetime]:
        """Moments"""
        made = [Leaping.fromisoformat(f"2020-01-01T00:00:{i:02d}+00:00") for i in range(60)]
        Leaping.holder[:] = made
        del made
        return Leaping.holder  # type: ignore[return-value]

    @extract("h.text")
    def text(self, event: Event) -> str:
        """Text"""
        return "a text " * 10

    @extract("h.other", cache=False)
    def other(self, event: Event) -> str:
        """Another"""
        return "another " * 10


def test_a_list_that_changes_while_it_is_converted_is_given_as_it_was(start: Any) -> None:
    plugin_ = start(Changing)
    event = plugin_.event(b"{}")
    assert plugin_.extract(event, "h.flags") == [True] * 100
    moments = plugin_.extract(event, "h.moments")
    assert len(moments) == 60
    assert moments == sorted(set(moments))


@pytest.mark.parametrize("number", [0, 1])
def test_the_values_of_one_call_for_several_fields_stay_valid_together(
    start: Any, number: int
) -> None:
    """The host gives one field a call today; plugin_api.h lets it give several."""
    plugin_ = start(Changing)
    event = plugin_.event(b"{}", num=number)
    seen = ffi.new("ss_plugin_event_input *", (event.pointer, number, ffi.NULL))
    fields = ffi.new("ss_plugin_extract_field[4]")
    for field, identifier in zip(fields, (2, 3, 2, 3), strict=True):
        field.field_id = identifier
        field.flist = 0
        field.arg_present = 0
    asked = ffi.new("ss_plugin_field_extract_input *")
    asked.num_fields = 4
    asked.fields = fields
    assert table().extract_fields(plugin_.state, seen, asked) == 0
    texts = [ffi.string(ffi.cast("char **", field.res.str)[0]) for field in fields]
    assert texts == [b"a text " * 10, b"another " * 10] * 2


@plugin(name="emitting", id=999, event_source="emitting", **ABOUT)
class Emitting:
    problems: ClassVar[list[BaseException]] = []

    @source
    async def events(self) -> AsyncIterator[bytes]:
        import asyncio

        await asyncio.sleep(3600)
        yield b""

    @async_events("tick")
    def ticking(self, emit: Any) -> None:
        emit("tick", b"none", ts=None)
        emit("tick", b"five", ts=5)
        emit("tick", "text")
        for bad in (-1, 1 << 64, 0.5):
            try:
                emit("tick", b"bad", ts=bad)
            except (OverflowError, TypeError) as problem:
                self.problems.append(problem)
        try:
            emit.wait(float("nan"))
        except ValueError as problem:
            self.problems.append(problem)
        emit("tick", b"last")
        emit.wait(float("inf"))


def test_the_time_of_an_asynchronous_event_is_checked_and_may_be_none(opened: Any) -> None:
    Emitting.problems.clear()
    _, instance = opened(Emitting)
    found = {}
    while b"last" not in found:
        event = instance.next()
        if event is not None:
            found[event.data.rpartition(b"\0")[2]] = event.ts
    assert set(found) == {b"none", b"five", b"text", b"last"}
    assert found[b"five"] == 5
    assert abs(found[b"none"] - time.time_ns()) < 10**10
    assert len(Emitting.problems) == 4


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


_HOST = """
#include <stdint.h>
/* A host in C: it comes back for the next batch at once, without Python in between. */
long drive(int (*next_batch)(void *, void *, uint32_t *, void ***), void *state, void *source) {
    long events = 0;
    uint32_t count;
    void **batch;
    int rc;
    while ((rc = next_batch(state, source, &count, &batch)) == 0 || rc == -1) events += count;
    return rc == 2 ? events : -1;
}
"""


@plugin(name="pairs", id=999, event_source="pairs", **ABOUT)
class Pairs:
    """Gives two batches and goes on only when both are acknowledged: a lost wake-up stops it."""

    late: ClassVar[list[int]] = []

    @source
    async def events(self, params: str) -> AsyncIterator[Batch]:
        import asyncio

        for number in range(int(params)):
            both = [asyncio.Event(), asyncio.Event()]
            yield Batch([b"x"] * 128, both[0].set)
            yield Batch([b"y"], both[1].set)
            try:
                async with asyncio.timeout(5):
                    await both[0].wait()
                    await both[1].wait()
            except TimeoutError:
                self.late.append(number)
                return


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("host")
    (folder / "host.c").write_text(_HOST)
    built = folder / "host.so"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", built, folder / "host.c"], check=True)
    function = CDLL(str(built)).drive
    function.restype = c_long
    function.argtypes = [c_void_p] * 3
    return function


def test_no_wake_up_is_lost_when_the_host_consumes_two_batches_at_once(
    start: Any, drive: Any
) -> None:
    Pairs.late.clear()
    plugin_ = start(Pairs)
    rc = ffi.new("ss_plugin_rc *")
    handle = table().open(plugin_.state, ffi.new("char[]", b"30000"), rc)
    assert rc[0] == 0
    try:
        address = [
            int(ffi.cast("intptr_t", p)) for p in (table().next_batch, plugin_.state, handle)
        ]
        events = drive(*address)
    finally:
        table().close(plugin_.state, handle)
    assert Pairs.late == []
    assert events == 30000 * 129
