"""What earlier builds have reached from the same imports: most changes of a plugin change none."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from falcopy_sdk.bundle import cache
from falcopy_sdk.bundle.contents import files_of
from falcopy_sdk.bundle.modules import Module

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from falcopy_sdk.bundle.imports import Scans

__all__ = ["Reached", "get"]


@dataclass(frozen=True, slots=True)
class Reached:
    """The modules of a bundle by name, and the names that its extension modules import."""

    modules: Mapping[str, Module]
    traced: frozenset[str]


def get(
    root: Path,
    own: Collection[str],
    scans: Scans,
    make: Callable[[], Reached],
    *others: object,
) -> Reached:
    """What is reached in a bundle's folder: as it was the last time, or found out now.

    Args:
        root: the folder.
        own: modules of the plugin, relative to ``root``: of these counts what they import.
        scans: tells that.
        make: finds out.
        others: what it depends on besides the files.
    """
    store = cache.store("reached")
    code = cache.own_code("implicit", "imports", "modules", "reach", "reach_cache", "shake")
    files = [_told(root, name, own, scans) for name in files_of(root)]
    key = cache.digest(code, cache.own_code("trace", "trace_worker"), *others, files)
    if (stored := store.get(key)) is not None:
        return _decoded(orjson.loads(stored), root)
    found = make()
    store.put(key, orjson.dumps(_encoded(found, root)))
    return found


def _told(root: Path, name: str, own: Collection[str], scans: Scans) -> tuple[object, ...]:
    """Of a file what decides on imports; of data that is its name."""
    path = os.path.join(root, name)
    if name in own and name.endswith(".py"):
        return name, scans.of(Path(path))
    if not name.endswith((".py", ".so", "/entry_points.txt")):
        return (name,)
    status = os.stat(path)
    if status.st_nlink > 1:  # one of the build cache, which never changes
        return name, status.st_ino, status.st_size, status.st_mtime_ns
    with open(path, "rb") as file:
        return name, cache.digest(file.read())


def _encoded(found: Reached, root: Path) -> dict[str, Any]:
    def relative(path: Path | None) -> str | None:
        return None if path is None else path.relative_to(root).as_posix()

    modules = [
        (name, relative(m.source), relative(m.extension), [relative(f) for f in m.folders])
        for name, m in found.modules.items()
    ]
    return {"modules": modules, "traced": sorted(found.traced)}


def _decoded(told: dict[str, Any], root: Path) -> Reached:
    def absolute(name: str | None) -> Path | None:
        return None if name is None else root / name

    modules = {
        name: Module(name, absolute(source), absolute(extension), tuple(root / f for f in folders))
        for name, source, extension, folders in told["modules"]
    }
    return Reached(modules, frozenset(told["traced"]))
