"""What a real host's memory does to a plugin: garbage before a call, gone after it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from falcopy_sdk.abi import ffi

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["GARBAGE32", "GARBAGE64", "scribble", "transient"]

#: What out-parameters hold before a call: hosts pass uninitialised stack. As an rc it is none of
#: the enum's values, as a count or a pointer it is nothing that a plugin would give.
GARBAGE32 = 0x5A5A5A5A
GARBAGE64 = 0xA5A5A5A5A5A5A5A5


def scribble(owned: Any) -> None:
    """Overwrites a struct that a host has on its stack, so that keeping a pointer to it shows."""
    size = ffi.sizeof(owned[0])
    ffi.memmove(owned, b"\xa5" * size, size)


@contextmanager
def transient(text: str) -> Iterator[Any]:
    """A C string that is overwritten once the call is over, since the plugin may not keep it."""
    buffer = ffi.new("char[]", text.encode())
    try:
        yield buffer
    finally:
        ffi.memmove(buffer, b"\xa5" * (len(buffer) - 1), len(buffer) - 1)
