"""What this process uses: memory, threads and open files, and whether rounds of work leak them."""

from __future__ import annotations

import ctypes
import gc
import itertools
import os
import time
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Usage", "leaks", "resident", "usage"]

_PAGE = os.sysconf("SC_PAGE_SIZE")
_BLOCKS = 3
_SECONDS_A_BLOCK = 0.6
_ROUNDS = range(5, 31)
#: Bytes a round, less is noise: the allocator's in the heap, whole pages in the process.
_LEAST_HEAP, _LEAST_RESIDENT = 48, 8192
_HEAP_OF_A_RUNTIME, _SECONDS_TO_COLLECT = 32 * 2**20, 5.0


class _MallInfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "abcdefghij"]


def _mallinfo() -> Callable[[], int]:
    """Bytes that malloc has handed out (mallinfo2's uordblks and hblkhd); 0 without glibc 2.33."""
    try:
        function = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return lambda: 0
    function.restype = _MallInfo
    return lambda: int((found := function()).h + found.e)


_heap = _mallinfo()


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes, and counts."""

    heap: int
    resident: int
    objects: int
    threads: int
    files: int


def resident() -> int:
    """Resident memory of this process in bytes."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * _PAGE


def usage() -> Usage:
    """Measure now."""
    gc.collect()
    return Usage(
        heap=_heap(),
        resident=resident(),
        objects=len(gc.get_objects()),
        threads=len(os.listdir("/proc/self/task")),
        files=len(os.listdir("/proc/self/fd")),
    )


def leaks(work: Callable[[], None], *, in_process: bool) -> list[str]:
    """Do some work over and over and tell what is never given back.

    A leak is what grows in each of three blocks of rounds, and does so again when measured anew:
    on a busy machine an allocator's noise can look like one, once.

    Args:
        work: One round.
        in_process: Whether it is Python of this interpreter, whose objects are counted then.
    """
    started = time.monotonic()
    for _ in range(_ROUNDS[0]):
        work()
    a_round = (time.monotonic() - started) / _ROUNDS[0]
    rounds = min(max(int(_SECONDS_A_BLOCK / max(a_round, 1e-6)), _ROUNDS[0]), _ROUNDS[-1])
    found = _growing(work, rounds, in_process)
    if found:
        again = _growing(work, rounds, in_process)
        found = {what: sentence for what, sentence in again.items() if what in found}
    return list(found.values())


def _growing(work: Callable[[], None], rounds: int, in_process: bool) -> dict[str, str]:
    marks = [usage()]
    for _ in range(_BLOCKS):
        for _ in range(rounds):
            work()
        marks.append(usage())
    grown = Usage(
        *(
            min(later - earlier for earlier, later in itertools.pairwise(series))
            for series in zip(*map(astuple, marks), strict=True)
        )
    )
    found = {}
    if grown.threads >= rounds:
        found["threads"] = f"{grown.threads / rounds:.0f} threads a round"
    if grown.files >= rounds:
        found["files"] = f"{grown.files / rounds:.0f} open files a round"
    if in_process:
        # Containers alone: caches of the interpreter make blocks of memory come and go.
        if grown.objects >= rounds:
            found["memory"] = f"{grown.objects / rounds:.0f} Python objects a round"
    elif grown.heap >= _LEAST_HEAP * rounds:
        found["memory"] = f"{grown.heap / rounds:.0f} bytes of memory a round"
    elif grown.resident >= _LEAST_RESIDENT * rounds and _keeps_growing(work, marks[0].resident):
        found["memory"] = f"{grown.resident // rounds // 1024} KiB of memory a round"
    return found


def _keeps_growing(work: Callable[[], None], start: int) -> bool:
    """Whether it grows beyond what a runtime lets pile up before it collects (Go: some MiB)."""
    until = time.monotonic() + _SECONDS_TO_COLLECT
    while time.monotonic() < until:
        work()
        if resident() - start > _HEAP_OF_A_RUNTIME:
            return True
    return False
