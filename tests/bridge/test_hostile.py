"""What hosts and authors may do within the letter of the API and of Python: memory stays sound."""

from __future__ import annotations

import gc
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from ctypes import CDLL, c_long, c_void_p
from datetime import datetime
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
