"""Reading shared libraries: what they need, what they define, which glibc they ask for."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

from falcopy_sdk.exceptions import BuildError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "GLIBC_LIBRARIES",
    "MAGIC",
    "UNREADABLE",
    "DynamicSymbol",
    "SharedLibrary",
    "fits",
    "glibc_floor",
    "glibc_version",
    "is_elf",
    "is_loadable",
    "parse_glibc",
    "read",
]

#: gABI, "ELF Identification".
MAGIC = b"\x7fELF"

#: What pyelftools and struct raise at a damaged file: the first three by intent; OSError comes of
#: offsets that no file has.
UNREADABLE = (
    *(ELFError, struct.error, UnicodeDecodeError),
    *(AssertionError, AttributeError, LookupError, TypeError, ValueError),
    *(MemoryError, OSError, OverflowError, RecursionError, ZeroDivisionError),
)

#: The libraries that are part of glibc itself. They come from the host: a process can have one
#: glibc only (the dynamic loader is part of it).
GLIBC_LIBRARIES = frozenset(
    {
        "ld-linux-aarch64.so.1",
        "ld-linux-x86-64.so.2",
        "libBrokenLocale.so.1",
        "libanl.so.1",
        "libc.so.6",
        "libdl.so.2",
        "libm.so.6",
        "libmvec.so.1",
        "libnsl.so.1",
        "libnss_compat.so.2",
        "libnss_dns.so.2",
        "libnss_files.so.2",
        "libpthread.so.0",
        "libresolv.so.2",
        "librt.so.1",
        "libthread_db.so.1",
        "libutil.so.1",
    }
)

#: The first glibc with DT_RELR; libraries that use it need this version name (glibc 2.36 NEWS).
_RELR_VERSION = ("GLIBC_ABI_DT_RELR", (2, 36))
_PLAIN_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.\d+)?")
_GLIBC_VERSION = re.compile(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?")

# elf.h: Elf64_Sym, and the low 15 bits of a version index (the top bit hides a definition).
_SYMBOL = struct.Struct("<IBBHQQ")
_VERSION_INDEX = 0x7FFF
# elf.h: Elf64_Rela, whose r_info has the symbol's index in its upper half; section flags.
_RELOCATION = struct.Struct("<QQq")
_SHF_ALLOC = 2
# elf.h: DF_SYMBOLIC of DT_FLAGS, DF_1_PIE of DT_FLAGS_1.
_DF_SYMBOLIC, _DF_1_PIE = 2, 0x08000000
_ET_EXEC, _ET_DYN = 2, 3
_MACHINES = {"x86_64": 62, "aarch64": 183}
_STB_LOCAL, _STB_WEAK, _STB_GNU_UNIQUE = 0, 2, 10
_STV_DEFAULT = 0


@dataclass(frozen=True, slots=True)
class DynamicSymbol:
    """An entry of the dynamic symbol table that takes part in symbol lookup."""

    name: str
    defined: bool
    weak: bool
    #: For an undefined symbol with a version: the SONAME that must provide it.
    provider: str | None
    #: For an undefined symbol: the version that it needs, ``"GLIBC_2.34"``.
    version: str | None = None
    #: For a defined symbol: the library itself finds it by its name, and another one's first.
    interposable: bool = False
    #: Of its name a process has one only, whoever opened the library (STB_GNU_UNIQUE).
    unique: bool = False


@dataclass(frozen=True)
class SharedLibrary:
    """The dynamic section and symbols of one ELF shared object."""

    path: Path
    soname: str
    needed: tuple[str, ...]
    #: ``DT_RPATH`` and ``DT_RUNPATH``, split at colons, ``$ORIGIN`` not expanded.
    rpath: tuple[str, ...]
    runpath: tuple[str, ...]
    symbols: tuple[DynamicSymbol, ...]
    #: Version names needed, by the SONAME that must provide them.
    version_needs: tuple[tuple[str, str], ...]

    @cached_property
    def defined(self) -> frozenset[str]:
        """Names that this library offers to others."""
        return frozenset(symbol.name for symbol in self.symbols if symbol.defined)

    @cached_property
    def is_extension_module(self) -> bool:
        """Whether CPython can import it (PEP 489 and PEP 793 name the entry symbols)."""
        return any(name.startswith(("PyInit", "PyModExport_")) for name in self.defined)


def is_elf(path: Path) -> bool:
    """Whether the file starts with the ELF magic; links are not followed."""
    return _start(path).startswith(MAGIC)


def _start(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(20)


def is_loadable(path: Path, machine: str) -> bool:
    """Whether the dynamic loader of that machine would take the file.

    Object files and libraries for other machines are data to a bundle.
    """
    return fits(_start(path), machine)


def fits(head: bytes, machine: str) -> bool:
    """The same of a file that begins like this, with 20 bytes or more."""
    if not head.startswith(MAGIC):
        return False
    kind, target = struct.unpack_from("<HH", head.ljust(20, b"\0"), 16)
    return kind in {_ET_EXEC, _ET_DYN} and target == _MACHINES[machine]


def read(path: Path) -> SharedLibrary:
    """Reads a 64-bit little-endian shared object.

    Raises:
        BuildError: the file is damaged or of another kind.
    """
    try:
        with path.open("rb") as stream:
            return _read(path, ELFFile(stream))
    except UNREADABLE as error:
        raise BuildError(
            f"{path}: not a readable ELF file ({error}). Reinstall the package it came with."
        ) from error


def _read(path: Path, elf: ELFFile) -> SharedLibrary:
    if elf.elfclass != 64 or not elf.little_endian:
        raise BuildError(
            f"{path}: a {elf.elfclass}-bit ELF file; plugins are built for 64-bit little-endian "
            "machines only."
        )
    if elf.num_sections() == 0:
        raise BuildError(f"{path}: has no section headers, without which it cannot be edited.")
    tags: dict[str, list[str]] = {
        "DT_NEEDED": [],
        "DT_SONAME": [],
        "DT_RPATH": [],
        "DT_RUNPATH": [],
    }
    # What looks into itself first: a program, and a library that was linked with -Bsymbolic.
    own_first = elf["e_type"] == "ET_EXEC"
    dynamic = elf.get_section_by_name(".dynamic")
    if isinstance(dynamic, DynamicSection):
        for tag in dynamic.iter_tags():
            name, value = tag.entry.d_tag, tag.entry.d_val
            if name in tags:
                tags[name].append(getattr(tag, name.removeprefix("DT_").lower()))
            own_first |= name == "DT_SYMBOLIC"
            own_first |= bool(name == "DT_FLAGS" and value & _DF_SYMBOLIC)
            own_first |= bool(name == "DT_FLAGS_1" and value & _DF_1_PIE)
    providers: dict[int, tuple[str, str]] = {}
    needs: list[tuple[str, str]] = []
    section = elf.get_section_by_name(".gnu.version_r")
    if isinstance(section, GNUVerNeedSection):
        for need, versions in section.iter_versions():
            provider = str(need.name)
            for version in versions:
                providers[version["vna_other"] & _VERSION_INDEX] = provider, version.name
                needs.append((provider, version.name))
    return SharedLibrary(
        path=path,
        soname="".join(tags["DT_SONAME"][:1]),
        needed=tuple(tags["DT_NEEDED"]),
        rpath=_paths(tags["DT_RPATH"]),
        runpath=_paths(tags["DT_RUNPATH"]),
        symbols=_symbols(elf, providers, own_first=own_first),
        version_needs=tuple(needs),
    )


def _paths(values: list[str]) -> tuple[str, ...]:
    return tuple(part for value in values for part in value.split(":") if part)


def _symbols(
    elf: ELFFile, providers: dict[int, tuple[str, str]], *, own_first: bool
) -> tuple[DynamicSymbol, ...]:
    """Decodes .dynsym at once: pyelftools takes a second for a libcrypto, entry by entry."""
    table = elf.get_section_by_name(".dynsym")
    if table is None:
        return ()
    names = elf.get_section(table["sh_link"]).data()
    entries = list(_SYMBOL.iter_unpack(table.data()))
    versym = elf.get_section_by_name(".gnu.version")
    count = len(entries)
    versions = struct.unpack(f"<{count}H", versym.data()) if versym is not None else (0,) * count
    used = _used(elf)
    found: list[DynamicSymbol] = []
    for index, (name_at, info, other, section, _, _) in enumerate(entries):
        version = versions[index]
        if info >> 4 == _STB_LOCAL or not name_at:
            continue
        defined = section != 0
        unique = info >> 4 == _STB_GNU_UNIQUE
        by_name = defined and index in used and other & 3 == _STV_DEFAULT
        needed = None if defined else providers.get(version & _VERSION_INDEX)
        found.append(
            DynamicSymbol(
                name=names[name_at : names.index(b"\0", name_at)].decode(),
                defined=defined,
                weak=info >> 4 == _STB_WEAK,
                provider=needed[0] if needed else None,
                version=needed[1] if needed else None,
                interposable=by_name and (unique or not own_first),
                unique=unique,
            )
        )
    return tuple(found)


def _used(elf: ELFFile) -> set[int]:
    """Indexes of the dynamic symbols that the dynamic loader looks up for this file."""
    used: set[int] = set()
    for section in elf.iter_sections("SHT_RELA"):
        if section["sh_flags"] & _SHF_ALLOC:
            data = section.data()
            whole = memoryview(data)[: len(data) // _RELOCATION.size * _RELOCATION.size]
            used |= {info >> 32 for _, info, _ in _RELOCATION.iter_unpack(whole)}
    return used


def glibc_floor(libraries: list[SharedLibrary]) -> str:
    """The oldest glibc on which all of these can be loaded, as ``"2.36"``; ``"2.0"`` for none."""
    needs = [need for library in libraries for need in library.version_needs]
    newest = max((v for need in needs if (v := glibc_version(*need))), default=(2, 0))
    return f"{newest[0]}.{newest[1]}"


def parse_glibc(text: str) -> tuple[int, int]:
    """Reads a version of glibc, ``"2.31"``.

    Raises:
        BuildError: it is none.
    """
    match = _PLAIN_VERSION.fullmatch(text)
    if match is None:
        raise BuildError(f'glibc "{text}": expected a version such as 2.31')
    return int(match[1]), int(match[2])


def glibc_version(provider: str, version: str) -> tuple[int, int] | None:
    """The glibc that first had a version name, ``(2, 34)``; None: it is none of glibc's."""
    if provider not in GLIBC_LIBRARIES:
        return None
    if version == _RELR_VERSION[0]:
        return _RELR_VERSION[1]
    match = _GLIBC_VERSION.fullmatch(version)
    return (int(match[1]), int(match[2])) if match else None
