"""Removing from shared libraries what the dynamic loader never reads.

Debug information and the static symbol table are most of an unstripped library (23 MB of libpython
become 6). This is done here rather than by binutils' ``strip`` so that a build needs no tool chain
and gives the same bytes on every machine.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from falcopy_sdk.exceptions import BuildError

__all__ = ["strip"]

# elf.h: Elf64_Ehdr after e_ident, Elf64_Phdr, Elf64_Shdr.
_HEADER = struct.Struct("<HHIQQQIHHHHHH")
_HEADER_AT = 16
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_PT_LOAD = 1
_SHF_ALLOC = 2
_SHF_INFO_LINK = 0x40
_SHT_STRTAB, _SHT_RELA, _SHT_NOBITS, _SHT_REL = 3, 4, 8, 9


@dataclass(frozen=True, slots=True)
class _Segment:
    type: int
    flags: int
    offset: int
    vaddr: int
    paddr: int
    filesz: int
    memsz: int
    align: int


@dataclass(frozen=True, slots=True)
class _Section:
    name: int
    type: int
    flags: int
    addr: int
    offset: int
    size: int
    link: int
    info: int
    addralign: int
    entsize: int


@dataclass(frozen=True, slots=True)
class _Move:
    """A range of the old file and where it goes."""

    start: int
    end: int
    target: int


def strip(image: bytes, name: str) -> bytes:
    """Returns the library without the sections that are not loaded.

    Args:
        image: a 64-bit little-endian ELF shared object.
        name: of the file, for errors.

    Raises:
        BuildError: the headers contradict each other.
    """
    try:
        return _strip(image)
    except (struct.error, LookupError) as error:
        raise BuildError(
            f"{name}: damaged ELF headers ({error}). Reinstall the package it came with."
        ) from error


def _strip(image: bytes) -> bytes:
    header = list(_HEADER.unpack_from(image, _HEADER_AT))
    phoff, shoff, phnum, shnum, shstrndx = (header[i] for i in (4, 5, 9, 11, 12))
    segments = [_Segment(*_SEGMENT.unpack_from(image, phoff + i * 56)) for i in range(phnum)]
    sections = [_Section(*_SECTION.unpack_from(image, shoff + i * 64)) for i in range(shnum)]
    if not sections:
        return image
    kept = [0] + [i for i, s in enumerate(sections) if i and s.flags & _SHF_ALLOC]
    moves, size = _plan([s for s in segments if s.type == _PT_LOAD and s.filesz], phoff, phnum)
    out = bytearray(size)
    for move in moves:
        out[move.target : move.target + move.end - move.start] = image[move.start : move.end]

    for i, segment in enumerate(segments):
        moved = replace(segment, offset=_moved(moves, segment.offset))
        _SEGMENT.pack_into(out, phoff + i * 56, *_fields(moved))

    # Section headers are for tools (patchelf needs them): the kept ones and a table of names.
    names = bytearray(b"\0")
    index = {old: new for new, old in enumerate(kept)}
    table: list[_Section] = []
    strings = _bytes_of(image, sections[shstrndx])
    for old in kept:
        section = sections[old]
        label = strings[section.name : strings.index(b"\0", section.name)]
        position = len(names) if old else 0
        if old:
            names += label + b"\0"
        refers = section.type in (_SHT_REL, _SHT_RELA) or section.flags & _SHF_INFO_LINK
        info = index.get(section.info, 0) if refers else section.info
        # A section without bytes in the file may point past the last segment: any place will do.
        offset = size if section.type == _SHT_NOBITS else _moved(moves, section.offset)
        table.append(
            replace(
                section,
                name=position,
                offset=offset if old else 0,
                link=index.get(section.link, 0),
                info=info,
            )
        )
    label_at = len(names)
    names += b".shstrtab\0"
    table.append(_Section(label_at, _SHT_STRTAB, 0, 0, len(out), len(names), 0, 0, 1, 0))
    out += names
    out += bytes(-len(out) % 8)
    header[5], header[11], header[12] = len(out), len(table), len(table) - 1
    for section in table:
        out += _SECTION.pack(*_fields(section))
    _HEADER.pack_into(out, _HEADER_AT, *header)
    return _renumber_symbols(out, table, index)


def _plan(loads: list[_Segment], phoff: int, phnum: int) -> tuple[list[_Move], int]:
    """Closes the gaps between the loaded parts; mmap() wants offset ≡ address modulo the page."""
    moves: list[_Move] = []
    end = 0
    for segment in sorted(loads, key=lambda s: s.offset):
        start, stop = segment.offset, segment.offset + segment.filesz
        if moves and start <= moves[-1].end:
            # Two segments may share a page of the file: they move together.
            last = moves[-1]
            moves[-1] = replace(last, end=max(last.end, stop))
        else:
            align = max(segment.align, 1)
            target = end + (segment.vaddr - end) % align if moves else start
            moves.append(_Move(start, stop, min(target, start)))
        end = moves[-1].target + moves[-1].end - moves[-1].start
    if not moves or moves[0].start or moves[0].end < phoff + phnum * _SEGMENT.size:
        raise LookupError("the first segment does not hold the program headers")
    return moves, end


def _moved(moves: list[_Move], offset: int) -> int:
    for move in moves:
        if move.start <= offset <= move.end:
            return offset - move.start + move.target
    # Empty or unloaded program headers (PT_GNU_STACK has offset 0 and is found above).
    return 0


def _renumber_symbols(out: bytearray, table: list[_Section], index: dict[int, int]) -> bytes:
    """Adapts the section numbers in .dynsym; only 0 (undefined) means something to the loader."""
    if all(old == new for old, new in index.items()):
        return bytes(out)
    for section in table:
        if section.type != 11:  # SHT_DYNSYM
            continue
        for at in range(section.offset, section.offset + section.size, 24):
            (number,) = struct.unpack_from("<H", out, at + 6)
            if 0 < number < 0xFF00:
                # Never 0, which would make a definition an undefined symbol.
                struct.pack_into("<H", out, at + 6, index.get(number, 1))
    return bytes(out)


def _bytes_of(image: bytes, section: _Section) -> bytes:
    return image[section.offset : section.offset + section.size]


def _fields(record: _Segment | _Section) -> tuple[int, ...]:
    return tuple(getattr(record, name) for name in record.__slots__)
