"""Results of whole builds, given again at once where nothing that went into one has changed.

Which inputs those are :mod:`falcopy_sdk.bundle.unchanged` tells, but for libraries of this machine:
which of these a bundle needs is known only after it was made.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from falcopy_sdk.bundle import cache, library_file

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BuildResult", "has", "keep", "take"]

_log = logging.getLogger(__name__)
_KEPT = 4


@dataclass(frozen=True, slots=True)
class BuildResult:
    """A built plugin.

    Attributes:
        path: of the shared library.
        name: of the plugin.
        version: of the plugin.
        size: in bytes.
        sha256: of the file, in hex.
        seconds: that the build took.
        glibc_floor: the oldest glibc it runs on, ``"2.36"``.
        python: version of the CPython inside.
        packages: names and versions of the Python packages inside.
        files: number of files inside.
        libraries: number of shared libraries and extension modules inside.
        renamed_symbols: number of distinct symbols made private.
        notes: what the author should know, whole sentences.
    """

    path: Path
    name: str
    version: str
    size: int
    sha256: str
    seconds: float
    glibc_floor: str
    python: str
    packages: dict[str, str]
    files: int
    libraries: int
    renamed_symbols: int
    notes: tuple[str, ...]


class _UnusableError(Exception):
    """It is not there (any more), or not what it was."""


def has(key: str) -> bool:
    """Whether there seems to be a result of that key."""
    return _folders().has(key)


def take(key: str, output: Path | None, started: float) -> BuildResult | None:
    """Writes a kept result to its place; None: there is none, or it cannot be used.

    Args:
        key: of :func:`falcopy_sdk.bundle.unchanged.key_of`.
        output: as for a build.
        started: monotonic time.

    Raises:
        BuildError: the output cannot be written.
    """
    try:
        with _folders().get(key, _not_there) as folder:
            return _again(folder, output, started)
    except (_UnusableError, ValueError, KeyError, TypeError) as error:
        _log.debug("result %s: %r", key, error)
    _folders().drop(key)
    return None


def keep(key: str, result: BuildResult, system: Iterable[Path]) -> None:
    """Keeps a result, if there is room: a build does not fail for that.

    Args:
        key: see :func:`take`.
        result: of the build.
        system: libraries of this machine that went into it.
    """

    def make(folder: Path) -> None:
        # Should another build have written it anew meanwhile, its hash tells when it is taken.
        shutil.copyfile(result.path, folder / "plugin.so")
        document = {k: v for k, v in dataclasses.asdict(result).items() if k != "path"}
        document["system"] = cache.stamps(system)
        (folder / "result.json").write_text(json.dumps(document), encoding="utf-8")

    try:
        with _folders().get(key, make):
            pass
    except OSError as error:
        _log.debug("result %s is not kept: %r", key, error)


def _folders() -> cache.Folders:
    return cache.Folders("results", kept=_KEPT)


def _not_there(_folder: Path) -> None:
    raise _UnusableError


def _again(folder: Path, output: Path | None, started: float) -> BuildResult:
    kept = folder / "plugin.so"
    try:
        document = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        system = document.pop("system")
        if cache.stamps(Path(name) for name, _, _ in system) != system:
            raise _UnusableError
        if library_file.sha256(kept) != document["sha256"]:
            raise _UnusableError
    except OSError as error:
        raise _UnusableError from error
    path = (output or Path("dist") / f"lib{document['name']}.so").absolute()
    same = path.is_file() and path.stat().st_size == document["size"]
    if not same or library_file.sha256(path) != document["sha256"]:
        with library_file.replacing(path) as partial:
            shutil.copyfile(kept, partial)
    seconds = time.monotonic() - started
    changed = {"path": path, "seconds": seconds, "notes": tuple(document["notes"])}
    return BuildResult(**{**document, **changed})
