"""Having a shared library look into itself first for the names it uses (``-Bsymbolic``).

The dynamic loader otherwise asks the program and its libraries first, so that a library which calls
its own ``init`` by name ends up in the host's.
"""

from __future__ import annotations

import struct
from typing import Final

__all__ = ["own_names_first"]

# elf.h: Elf64_Ehdr's e_phoff, e_phentsize and e_phnum; Elf64_Phdr's type, offset and file size;
# Elf64_Dyn.
_SEGMENTS_AT, _SEGMENT_SIZE_AT = 32, 54
_PT_DYNAMIC = 2
_ENTRY: Final = struct.Struct("<qQ")
_DT_NULL, _DT_SYMBOLIC, _DT_FLAGS = 0, 16, 30
#: How many relocations need no symbol: a hint to the loader, which none is wrong without.
_DT_RELACOUNT: Final = 0x6FFFFFF9
_DF_SYMBOLIC: Final = 2


def own_names_first(image: bytes) -> bytes:
    """The library with ``DF_SYMBOLIC``; unchanged where its dynamic section has no room for it."""
    place = _dynamic(image)
    if place is None:
        return image
    start, end = place
    entries = dict[int, int]()
    for at in range(start, end - _ENTRY.size + 1, _ENTRY.size):
        tag, _ = _ENTRY.unpack_from(image, at)
        entries.setdefault(tag, at)
        if tag == _DT_NULL:
            break
    if _DT_SYMBOLIC in entries:
        return image
    flags = _DF_SYMBOLIC
    at = entries.get(_DT_FLAGS, -1)
    if at >= 0:
        flags |= _ENTRY.unpack_from(image, at)[1]
    elif (null := entries.get(_DT_NULL, end)) + 2 * _ENTRY.size <= end:
        # Linkers leave several empty entries; one has to stay behind this.
        at = null
    else:
        at = entries.get(_DT_RELACOUNT, -1)
    if at < 0:
        return image
    edited = bytearray(image)
    _ENTRY.pack_into(edited, at, _DT_FLAGS, flags)
    return bytes(edited)


def _dynamic(image: bytes) -> tuple[int, int] | None:
    (at,) = struct.unpack_from("<Q", image, _SEGMENTS_AT)
    size, count = struct.unpack_from("<HH", image, _SEGMENT_SIZE_AT)
    for segment in range(at, at + size * count, size):
        kind, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", image, segment)
        if kind == _PT_DYNAMIC:
            return offset, offset + length
    return None
