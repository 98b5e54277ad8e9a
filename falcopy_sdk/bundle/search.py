"""Finding shared libraries the way glibc's dynamic loader does (ld.so(8))."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from falcopy_sdk.exceptions import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from falcopy_sdk.bundle.elf import SharedLibrary

__all__ = ["find"]

_log = logging.getLogger(__name__)

#: ``libz.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libz.so.1``. Lines that name an "hwcap" are
#: variants for newer processors: a bundle must run on all.
_CACHE_LINE = re.compile(r"^\t(?P<name>\S+) \((?P<flags>[^)]*)\) => (?P<path>/.*)$")
_CACHE_FLAGS = {"x86_64": "libc6,x86-64", "aarch64": "libc6,AArch64"}


def find(
    name: str,
    needing: SharedLibrary,
    extra: Sequence[Path],
    machine: str,
    sysroot: Path | None = None,
) -> Path:
    """Where the library ``name`` that ``needing`` asks for is.

    Args:
        name: as in ``DT_NEEDED``.
        needing: the library that asks.
        extra: folders searched before the system's (that of libpython).
        machine: ``"x86_64"`` or ``"aarch64"``.
        sysroot: the folder that is ``/`` to the library; None: this machine's.

    Raises:
        ToolchainError: no file of that name in any of the places.
    """
    tried: list[str] = []
    for folder in _folders(needing, extra):
        candidate = folder / name
        if candidate.is_file():
            return candidate
        tried.append(str(folder))
    if sysroot is None and (cached := _cache(machine).get(name)):
        return cached
    for default in _default_folders(machine):
        folder = default if sysroot is None else sysroot / default.relative_to("/")
        if (folder / name).is_file():
            return folder / name
        tried.append(str(folder))
    raise ToolchainError(
        f"{needing.path.name} needs the shared library {name}, which is not on this machine "
        f"(looked in {', '.join(tried)} and the loader's cache). Install the system package that "
        "has it, or leave out the Python package that needs it."
    )


def _folders(needing: SharedLibrary, extra: Sequence[Path]) -> Iterator[Path]:
    origin = needing.path.parent
    # ld.so(8): DT_RPATH counts only without DT_RUNPATH; LD_LIBRARY_PATH comes between the two.
    own = [] if needing.runpath else needing.rpath
    environment = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    for entry in (*own, *(e for e in environment if e), *needing.runpath):
        expanded = entry.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", str(origin))
        yield Path(expanded).resolve()
    yield from extra


@lru_cache(maxsize=2)
def _cache(machine: str) -> dict[str, Path]:
    ldconfig = shutil.which("ldconfig") or shutil.which("ldconfig", path="/sbin:/usr/sbin")
    if ldconfig is None:
        _log.debug("no ldconfig on this machine; only the default library folders are searched")
        return {}
    listing = subprocess.run(
        [ldconfig, "-p"], capture_output=True, text=True, check=False, env={"LC_ALL": "C"}
    )
    found: dict[str, Path] = {}
    for line in listing.stdout.splitlines():
        match = _CACHE_LINE.match(line)
        flags, _, more = match["flags"].partition(", ") if match else ("", "", "")
        if match and flags == _CACHE_FLAGS.get(machine) and "hwcap" not in more:
            found.setdefault(match["name"], Path(match["path"]))
    return found


def _default_folders(machine: str) -> tuple[Path, ...]:
    triplet = f"{machine}-linux-gnu"
    return tuple(
        Path(folder)
        for folder in (
            f"/lib/{triplet}",
            f"/usr/lib/{triplet}",
            "/lib64",
            "/usr/lib64",
            "/lib",
            "/usr/lib",
        )
    )
