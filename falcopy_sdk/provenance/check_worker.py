"""Is a plugin's file fit to be packaged? Runs in a process of its own; packaging starts it.

    python -m falcopy_sdk.provenance.check_worker FILE

prints a JSON list of sentences without a full stop, empty for a good file. One that falcopy built
gets all checks of ``falcopy verify FILE``; one of another maker must find its symbols.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import sys
from pathlib import Path

from falcopy_sdk.bundle import audit_elf, elf
from falcopy_sdk.exceptions import BuildError
from falcopy_sdk.oci.elf import Elf, read_elf
from falcopy_sdk.provenance.verify_file import verify_file

__all__ = ["problems"]


def problems(path: Path) -> list[str]:
    """What is wrong with a plugin's file, a sentence each.

    Raises:
        PackageError: it is no plugin.
        OSError: it cannot be read.
    """
    headers = read_elf(path)
    if headers.built:
        failed = verify_file(path).failed
        return [
            f"{check.name}: {check.detail.removeprefix(f'{path}: ')}; {check.fix}"
            for check in failed
        ]
    return _unresolved(path, headers)


def _unresolved(path: Path, headers: Elf) -> list[str]:
    """Symbols that none of the libraries it names can have: no host loads it (RTLD_NOW).

    Libraries that are not everywhere may have any symbol: there is no verdict then. The compilers'
    libraries give each of theirs a version, by which they are left out; and libc, which every host
    has, may give its own to a library that was linked without it.
    """
    try:
        library = elf.read(path)
    except BuildError:  # big-endian: the audit's reader is for the machines that falcopy builds for
        return []
    if headers.foreign:
        return []
    judged = dataclasses.replace(
        library,
        needed=tuple(name for name in library.needed if name in elf.GLIBC_LIBRARIES),
        symbols=tuple(s for s in library.symbols if s.defined or _is_judged(s)),
    )
    return [
        f"{finding.problem}, and no library that it names (NEEDED) has that; link with the one "
        "that does"
        for finding in audit_elf.links(path.parent, {path: judged})
        if finding.code == "host-symbol"
    ]


def _is_judged(symbol: elf.DynamicSymbol) -> bool:
    if symbol.provider is not None:
        return symbol.provider in elf.GLIBC_LIBRARIES
    return not hasattr(ctypes.CDLL("libc.so.6"), symbol.name)


if __name__ == "__main__":
    json.dump(problems(Path(sys.argv[1])), sys.stdout)
