"""What falcoctl never looks at and users then report: the ELF file of a plugin."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from elftools.elf.sections import SymbolTableSection

from falcopy_sdk.exceptions import PackageError
from falcopy_sdk.oci.descriptor import Platform

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BUILT_SECTION", "Elf", "machine_name", "read_elf"]

#: e_machine, byte order -> Go's name of the architecture, and the kernel's (uname -m).
_MACHINES: Final = {
    ("EM_X86_64", True): ("amd64", "x86_64"),
    ("EM_AARCH64", True): ("arm64", "aarch64"),
    ("EM_RISCV", True): ("riscv64", "riscv64"),
    ("EM_PPC64", True): ("ppc64le", "ppc64le"),
    ("EM_S390", False): ("s390x", "s390x"),
}
#: plugin_api.h: what every plugin exports.
_REQUIRED: Final = tuple(
    f"plugin_{name}"
    for name in (
        "get_required_api_version",
        "get_version",
        "get_last_error",
        "get_name",
        "get_description",
        "get_contact",
        "init",
        "destroy",
    )
)
#: Libraries that come with glibc, and the compilers' own that every Falco image has.
_EVERYWHERE: Final = re.compile(
    r"(ld-linux.*|libc|libdl|libm|libpthread|librt|libresolv|libutil|libanl|libgcc_s|libstdc\+\+)"
    r"\.so\.\d+"
)
_SYSTEM_PATHS: Final = ("/lib", "/usr/lib")
#: Of the section by which falcopy's loaders are known; falcopy_sdk/bundle/image.py writes it.
BUILT_SECTION: Final = ".falcopy"


@dataclass(frozen=True, slots=True)
class Elf:
    """A plugin's shared library, by its headers.

    Attributes:
        platform: By Go's names.
        glibc: The oldest glibc that loads the file itself, ``(2, 17)``.
        foreign: Libraries that it needs and that not every machine has.
        built: Whether falcopy built it, or it says so.
    """

    platform: Platform
    glibc: tuple[int, int]
    foreign: tuple[str, ...]
    built: bool


def machine_name(platform: Platform) -> str:
    """The kernel's name of an architecture, as official packages have it in file names."""
    return next((k for go, k in _MACHINES.values() if go == platform.architecture), "unknown")


def read_elf(path: Path) -> Elf:
    """Read and check a plugin's file.

    Raises:
        PackageError: no host on any machine could load it, or only the one that built it.
    """
    try:
        with path.open("rb") as stream:
            return _read(path, ELFFile(stream))
    except (ELFError, UnicodeDecodeError) as error:
        raise PackageError(f"{path}: not a shared library ({error})") from error
    except OSError as error:
        raise PackageError(f"{path}: cannot be read ({error.strerror})") from error


def _read(path: Path, elf: ELFFile) -> Elf:
    names = _MACHINES.get((elf["e_machine"], elf.little_endian))
    if elf["e_type"] != "ET_DYN" or elf.elfclass != 64 or names is None:
        raise PackageError(
            f"{path}: {elf['e_type']} for {elf['e_machine']}, {elf.elfclass} bits; a plugin is a "
            "64-bit shared library for a machine that Falco runs on"
        )
    exported = _exported(elf)
    missing = [name for name in _REQUIRED if name not in exported]
    if missing:
        raise PackageError(f"{path}: not a Falco plugin: it does not export {', '.join(missing)}")
    needed, paths = _dynamic(elf)
    strange = [p for p in paths if p.startswith("/") and not _is_system(p)]
    if strange:
        raise PackageError(
            f"{path}: looks for libraries in {', '.join(strange)}, a folder of the machine that "
            "built it (RPATH); link without it, or remove it: patchelf --remove-rpath"
        )
    foreign = tuple(name for name in needed if not _EVERYWHERE.fullmatch(name))
    built = elf.get_section_by_name(BUILT_SECTION) is not None
    return Elf(Platform("linux", names[0]), _glibc(elf), foreign, built)


def _is_system(path: str) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in _SYSTEM_PATHS)


def _exported(elf: ELFFile) -> set[str]:
    table = elf.get_section_by_name(".dynsym")
    if not isinstance(table, SymbolTableSection):
        return set()
    return {
        symbol.name
        for symbol in table.iter_symbols()
        if symbol["st_shndx"] != "SHN_UNDEF" and symbol.name.startswith("plugin_")
    }


def _dynamic(elf: ELFFile) -> tuple[list[str], list[str]]:
    needed: list[str] = []
    paths: list[str] = []
    section = elf.get_section_by_name(".dynamic")
    if isinstance(section, DynamicSection):
        for tag in section.iter_tags():
            kind = tag.entry.d_tag
            if kind in ("DT_NEEDED", "DT_RPATH", "DT_RUNPATH"):
                text = str(getattr(tag, kind.removeprefix("DT_").lower()))
                if kind == "DT_NEEDED":
                    needed.append(text)
                else:
                    paths += [part for part in text.split(":") if part]
    return needed, paths


def _glibc(elf: ELFFile) -> tuple[int, int]:
    newest = (2, 0)
    section = elf.get_section_by_name(".gnu.version_r")
    if isinstance(section, GNUVerNeedSection):
        for _, versions in section.iter_versions():
            for version in versions:
                match = re.fullmatch(r"GLIBC_(\d+)\.(\d+)(\.\d+)?", version.name)
                if match:
                    newest = max(newest, (int(match[1]), int(match[2])))
                elif version.name == "GLIBC_ABI_DT_RELR":
                    newest = max(newest, (2, 36))
    return newest
