"""Which dynamic symbols a bundle renames, so that nothing of it can bind to the host's.

A host opens plugins with ``RTLD_LOCAL``, but the dynamic loader still looks into the program's
global scope first (dlopen(3)). A host that has its own OpenSSL, zlib or libpython there would have
the bundle's extension modules call into those. ``RTLD_DEEPBIND`` would turn the order round, and
crashes hosts that replace malloc. Names that no host has are the remaining way.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from falcopy_sdk.bundle import glibc_symbols
from falcopy_sdk.bundle.elf import GLIBC_LIBRARIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from falcopy_sdk.bundle.elf import SharedLibrary

__all__ = ["LOOKED_UP", "PREFIX", "plan_renames", "prefix"]

#: Looked up by name at run time in the file that defines them: the entry points of extension
#: modules (PEP 489, PEP 793) and of the bridge (falcopy_bridge.h). The PyInit functions of
#: libpython are others: a table in it refers to them, so that they bind like any other symbol.
LOOKED_UP: Final = re.compile(r"PyInit\w*|PyModExport_\w+|falcopy_bridge_boot")

#: What :func:`prefix` makes.
PREFIX: Final = re.compile(r"fp[0-9a-f]{10}_")


def prefix(bundle_id: str) -> str:
    """Of the names of a bundle, from the id of ten hex digits."""
    return f"fp{bundle_id}_"


def plan_renames(
    libraries: Iterable[SharedLibrary], linked: frozenset[Path], prefix: str
) -> Mapping[Path, Mapping[str, str]]:
    """Old and new names of the dynamic symbols to rename, for each file that has any.

    Args:
        libraries: all ELF files of the bundle.
        linked: those that another one of the bundle needs (``DT_NEEDED``).
        prefix: unique to the bundle.
    """
    libraries = list(libraries)
    offered = frozenset().union(*(lib.defined for lib in libraries if lib.path in linked))
    return {
        library.path: names
        for library in libraries
        if (names := _renames(library, linked, offered, prefix))
    }


def _renames(
    library: SharedLibrary, linked: frozenset[Path], offered: frozenset[str], prefix: str
) -> dict[str, str]:
    names: dict[str, str] = {}
    for symbol in library.symbols:
        if symbol.provider in GLIBC_LIBRARIES:
            continue
        if not symbol.defined:
            # A weak one that nothing defines stays without a value, under a name that no host has.
            nobodys = symbol.weak and not glibc_symbols.is_libcs(symbol.name)
            renamed = symbol.name in offered or nobodys
        elif library.path in linked:
            renamed = True
        else:
            # A library that nothing links to and that Python cannot import is opened by its path
            # and its functions found by name (ctypes, cffi's dlopen): those names have to stay.
            # Unique ones are C++'s, of templates: nobody asks for these.
            renamed = symbol.unique or (
                library.is_extension_module and not LOOKED_UP.fullmatch(symbol.name)
            )
        if renamed:
            names[symbol.name] = prefix + symbol.name
    return names
