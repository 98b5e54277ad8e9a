"""Segments of shared libraries that ask for more than a page.

Older link editors align each segment to 2 MB, for pages of that size. patchelf, which adds
segments, fills the room before them: a library of 17 KB becomes one of 4 MB. The alignment of a
page is enough to map a segment (gABI, "Program Header"), and all that glibc before 2.35 gave.
"""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Final

from elftools.elf.elffile import ELFFile

__all__ = ["to_pages"]

#: Place of p_align in an Elf64_Phdr (elf.h).
_ALIGN_AT: Final = 48
_ALIGN: Final = struct.Struct("<Q")


def to_pages(data: bytes, page: int) -> bytes:
    """The library with its segments aligned to pages, unless what is in them asks for more.

    Args:
        data: of a 64-bit little-endian shared library.
        page: the largest page, in bytes, of the machines that it is for.
    """
    image = ELFFile(BytesIO(data))
    if any(section["sh_addralign"] > page for section in image.iter_sections()):
        return data
    changed = bytearray(data)
    for number, segment in enumerate(image.iter_segments()):
        if segment["p_type"] == "PT_LOAD" and segment["p_align"] > page:
            place = image["e_phoff"] + number * image["e_phentsize"] + _ALIGN_AT
            _ALIGN.pack_into(changed, place, page)
    return bytes(changed)
