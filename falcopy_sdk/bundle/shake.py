"""Taking out of a bundle what its plugin cannot reach: modules, data of packages, packages."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, cast

from packaging.utils import canonicalize_name

from falcopy_sdk.bundle import environment, links, reach_cache, trace
from falcopy_sdk.bundle.implicit import START
from falcopy_sdk.bundle.modules import Finder
from falcopy_sdk.bundle.reach import Graph
from falcopy_sdk.bundle.reach_cache import Reached
from falcopy_sdk.hooks import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from email.message import Message

    from falcopy_sdk.bundle.imports import Scans
    from falcopy_sdk.bundle.interpreter import Python
    from falcopy_sdk.bundle.modules import Module
    from falcopy_sdk.bundle.settings import Settings

__all__ = ["shake", "slim_metadata"]

_SDK: Final = "falcopy_sdk"
_INFO: Final = ".dist-info"
#: For people at a terminal, for tests and installers. Many packages mention them in functions that
#: no plugin calls, so they are reached only from the plugin's own modules, and from modules that
#: cannot be imported without them.
_FOR_PEOPLE: Final = frozenset(
    {"distutils", "doctest", "pdb", "pip", "pydoc", "setuptools", "unittest", "webbrowser"}
)
#: Of METADATA, what programs read. The description can be as long as a package, and the version of
#: the format depends on the tool that wrote it.
_METADATA: Final = frozenset(
    {"author", "author-email", "classifier", "home-page", "license", "license-expression"}
    | {"license-file", "name", "project-url", "provides-extra", "requires-dist"}
    | {"requires-python", "summary", "version"}
)


def shake(
    root: Path,
    python: Python,
    ref: str,
    packages: Mapping[str, frozenset[str]],
    own: frozenset[str],
    settings: Settings,
    scans: Scans,
    traced: frozenset[str] | None = None,
) -> frozenset[str]:
    """Removes from ``root`` all that ``ref`` does not lead to.

    Args:
        root: the bundle's folder, with sources.
        python: the interpreter of the bundle.
        ref: ``"module:Class"``.
        packages: files of each installed distribution, relative to site-packages.
        own: files of the plugin's own distribution, relative to site-packages: all stay.
        settings: of the project.
        scans: what was read of the sources before.
        traced: what extension modules import, where they cannot be run here.

    Returns:
        names of the modules that extension modules import.

    Raises:
        BuildError: an extension module cannot be asked.
    """
    site = root / "site-packages"
    stdlib = root / "lib" / python.folder
    found = reach_cache.get(
        root,
        {f"site-packages/{file}" for file in own},
        scans,
        lambda: _reach(stdlib, site, python, ref, own, settings, scans, traced),
        *(python.version, python.executable, python.suffixes, ref, sorted(own), settings),
        None if traced is None else sorted(traced),
    )
    _remove(root, stdlib, site, found.modules, packages, own)
    return found.traced


def _reach(
    stdlib: Path,
    site: Path,
    python: Python,
    ref: str,
    own: frozenset[str],
    settings: Settings,
    scans: Scans,
    traced: frozenset[str] | None,
) -> Reached:
    path = [stdlib, stdlib / "lib-dynload", site]
    finder = Finder(path, python.suffixes)
    own_modules = {_module_name(file) for file in own if file.endswith((".py", ".so"))}
    groups = _groups(site)
    graph = Graph(
        finder=finder,
        excluded=frozenset(settings.exclude_modules),
        rare=_FOR_PEOPLE
        - _imported_by(own_modules, finder, scans)
        - {name.removesuffix(".*").partition(".")[0] for name in settings.include_modules},
        groups=groups,
        scans=scans,
    )
    roots = {*START, ref.partition(":")[0], *own_modules, *groups.get(GROUP, ())}
    roots |= {_SDK, *finder.below(_SDK)}
    for name in settings.include_modules:
        roots |= {name.removesuffix(".*")}
        roots |= set(finder.below(name.removesuffix(".*"))) if name.endswith(".*") else set()
    reached = graph.reach(roots)
    known = frozenset[str]() if traced is None else traced
    while traced is None:
        extensions = [module for module in reached.values() if module.extension]
        more = trace.loaded_with(extensions, path, python, graph.digest_of)
        if more <= known:
            break
        known |= more
        reached = graph.reach({*roots, *known})
    if traced is not None:
        reached = graph.reach({*roots, *traced})
    return Reached(reached, known)


def slim_metadata(info: Path) -> None:
    """Leaves in METADATA the fields that programs read."""
    items = cast("Message", metadata.PathDistribution(info).metadata).items()
    fields = [f"{name}: {value}" for name, value in items if name.lower() in _METADATA]
    links.place(info / "METADATA").write_text(
        "\n".join(["Metadata-Version: 2.1", *fields, ""]), "utf-8"
    )


def _module_name(file: str) -> str:
    path = PurePosixPath(file)
    parts = [*path.parent.parts, path.name.split(".")[0]]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported_by(modules: Iterable[str], finder: Finder, scans: Scans) -> set[str]:
    found: set[str] = set()
    for name in modules:
        module = finder.find(name)
        if module is not None and module.source is not None:
            imports = scans.of(module.source)
            found |= {each.split(".")[0] for level, each, _ in imports.modules if not level}
    return found


def _groups(site: Path) -> dict[str, tuple[str, ...]]:
    groups: dict[str, tuple[str, ...]] = {}
    for dist in environment.installed(site):
        for entry in dist.entry_points:
            groups[entry.group] = (*groups.get(entry.group, ()), entry.module)
    return groups


def _remove(
    root: Path,
    stdlib: Path,
    site: Path,
    reached: Mapping[str, Module],
    packages: Mapping[str, frozenset[str]],
    own: frozenset[str],
) -> None:
    kept = {site / file for file in own}
    kept |= {path for m in reached.values() if (path := m.extension or m.source) is not None}
    kept |= {stdlib / "LICENSE.txt"}
    if "sysconfig" in reached:
        kept |= set(stdlib.glob("_sysconfigdata_*"))
    folders = {folder for module in reached.values() for folder in module.folders}
    files = [path for path in root.rglob("*") if path.is_file()]
    for path in files:
        if path.is_relative_to(site) and not _is_code(path) and _has_package(path, folders, site):
            kept.add(path)
    _keep_metadata(site, files, packages, kept)
    for path in sorted(files):
        if path not in kept and (path.is_relative_to(site) or path.is_relative_to(stdlib)):
            path.unlink()
    for folder in sorted((p for p in root.rglob("*") if p.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def _is_code(path: Path) -> bool:
    """Extension modules go by their names; what else ends in .so is data, or is linked to."""
    marks = (".cpython-", ".abi3.")
    return path.suffix == ".py" or (path.suffix == ".so" and any(m in path.name for m in marks))


def _has_package(path: Path, folders: set[Path], site: Path) -> bool:
    """Whether the nearest package around a file is reached."""
    for parent in path.parents:
        if parent == site:
            return False
        if parent in folders:
            return True
        if (parent / "__init__.py").is_file():
            return False
    return False


def _keep_metadata(
    site: Path, files: Iterable[Path], packages: Mapping[str, frozenset[str]], kept: set[Path]
) -> None:
    """Metadata, and libraries that wheels bring along (``<name>.libs``), of what stays."""
    stay = {name for name, inside in packages.items() if any(site / f in kept for f in inside)}
    for path in files:
        top = path.relative_to(site).parts[0] if path.is_relative_to(site) else ""
        if top.endswith((_INFO, ".libs")):
            name = top.split("-")[0] if top.endswith(_INFO) else top.removesuffix(".libs")
            if canonicalize_name(name) in stay:
                kept.add(path)
