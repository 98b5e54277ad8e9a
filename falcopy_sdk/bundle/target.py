"""What ``falcopy build PLUGIN`` names: the plugin's class and where its code comes from."""

from __future__ import annotations

import difflib
import importlib.util
import json
import re
import sys
import sysconfig
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from falcopy_sdk.bundle.project import Project, read_project
from falcopy_sdk.exceptions import PluginLoadError, PluginNotFoundError
from falcopy_sdk.hooks import registered_plugin, registered_plugins

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Target", "resolve"]

_REF = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True, slots=True)
class Target:
    """A plugin to build.

    Attributes:
        ref: ``"module:Class"``.
        project: where its sources are; None for a plugin installed from a wheel.
        distribution: name of the installed distribution, used when there is no project.
    """

    ref: str
    project: Project | None
    distribution: str | None = None


def resolve(plugin: str | Path, folder: Path) -> Target:
    """Finds the plugin without importing it.

    Args:
        plugin: a folder with pyproject.toml, ``"module:Class"``, or a name registered in the entry
            point group ``falcopy``.
        folder: what relative paths, and modules that are not installed, are relative to.

    Raises:
        PluginNotFoundError: nothing is there under that name.
        PluginLoadError: it is there, but cannot be built.
        ProjectError: pyproject.toml lacks something or is wrong.
    """
    path = folder / plugin
    if isinstance(plugin, Path) or (path / "pyproject.toml").is_file():
        project = read_project(path)
        return Target(project.plugin_ref(), project)
    if _REF.fullmatch(plugin):
        return _from_ref(plugin, folder)
    if path.is_dir() or "/" in plugin:
        read_project(path)  # says what is missing
    return _from_name(plugin)


def _from_name(name: str) -> Target:
    info = registered_plugin(name)
    if info is None:
        raise PluginNotFoundError(_unknown(name, registered_plugins()))
    try:
        package = metadata.distribution(info.distribution)
    except metadata.PackageNotFoundError as error:
        raise PluginLoadError(
            f"plugin {name}: its package is not properly installed; reinstall it"
        ) from error
    return _from_distribution(info.ref, package)


def _unknown(name: str, registered: Iterable[str]) -> str:
    names = sorted(set(registered))
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    known = ", ".join(names) or "none"
    return (
        f"no plugin {name!r}: it is no folder with a pyproject.toml, no module:Class, and not "
        f"registered in this environment (registered: {known}).{hint} Name the plugin's folder, "
        "or install it: pip install -e FOLDER."
    )


def _from_distribution(ref: str, dist: metadata.Distribution) -> Target:
    source = _source_folder(dist)
    if source is not None and (source / "pyproject.toml").is_file():
        return Target(ref, read_project(source))
    return Target(ref, None, dist.name)


def _source_folder(dist: metadata.Distribution) -> Path | None:
    """The folder that pip or uv installed this from (PyPA "Direct URL Data Structure")."""
    text = dist.read_text("direct_url.json")
    if text is None:
        return None
    origin = json.loads(text)
    url = urlsplit(str(origin.get("url", "")))
    if url.scheme != "file" or "dir_info" not in origin:
        return None
    return Path(unquote(url.path))


def _from_ref(ref: str, folder: Path) -> Target:
    top = ref.partition(":")[0].split(".")[0]
    source = _module_source(top, folder)
    installed = {Path(sysconfig.get_path(key)).resolve() for key in ("purelib", "platlib")}
    if any(source.is_relative_to(place) for place in installed):
        names = metadata.packages_distributions().get(top, [])
        if not names:
            raise PluginLoadError(
                f"{ref}: {source} belongs to no installed package; install it with pip or uv"
            )
        return _from_distribution(ref, metadata.distribution(names[0]))
    for parent in source.parents:
        if (parent / "pyproject.toml").is_file():
            return Target(ref, read_project(parent))
    raise PluginLoadError(
        f"{ref}: no pyproject.toml in {source.parent} or above it. A build takes the plugin's "
        "name, packages and dependencies from there: add one; the README of falcopy has an example."
    )


def _module_source(top: str, folder: Path) -> Path:
    for base in (folder, folder / "src"):
        for candidate in (base / top / "__init__.py", base / f"{top}.py"):
            if candidate.is_file():
                return candidate.resolve()
    spec = importlib.util.find_spec(top)
    if spec is None:
        raise PluginNotFoundError(
            f"no module {top!r} in {folder} or in the environment of {sys.executable}. Run the "
            "build in the plugin's folder, or install the plugin: pip install -e FOLDER."
        )
    if spec.origin is None or not Path(spec.origin).is_file():
        raise PluginLoadError(f"{top}: not a module that lies in a file (namespace or built-in)")
    return Path(spec.origin).resolve()
