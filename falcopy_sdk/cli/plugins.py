"""From what a user names to a plugin: a shared library, or a class in this process."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from falcopy_sdk.exceptions import FalcopyError, PluginNotFoundError
from falcopy_sdk.hooks import registered_plugins

if TYPE_CHECKING:
    from falcopy_sdk.host import Library
    from falcopy_sdk.testing.battery import Subject

__all__ = ["config_text", "load", "subject_of"]


def load(plugin: str) -> Library:
    """Loads a file as a host does; anything else as a class, without a build.

    Args:
        plugin: see :func:`subject_of`.

    Raises:
        FalcopyError: it does not exist, or is no plugin.
    """
    return subject_of(plugin).load()


def subject_of(plugin: str, **given: Any) -> Subject:
    """Finds what is meant.

    Args:
        plugin: a shared library, a Python file with a plugin class, a folder with a
            pyproject.toml, ``module:Class``, or a registered name.
        **given: more of :class:`falcopy_sdk.testing.Subject`.

    Raises:
        FalcopyError: there is no such thing, or it is none of these.
    """
    from falcopy_sdk.testing.battery import Subject

    path = Path(plugin)
    here = Path.cwd()
    if path.is_file():
        if path.suffix != ".py":
            return Subject(plugin, **given)
        folder = path.resolve().parent
        return Subject(_class_in(path), import_paths=(str(folder),), **given)
    if path.is_dir() and ":" not in plugin:
        if (path / "pyproject.toml").is_file():
            from falcopy_sdk.bundle.project import read_project

            project = read_project(here / path)
            return Subject(
                project.plugin_ref(), import_paths=_import_paths(project.folder), **given
            )
        if plugin not in registered_plugins():
            raise PluginNotFoundError(
                f"{path.resolve()}: there is no pyproject.toml in this folder; name a plugin's "
                "file, its folder, or module:Class, or make a project: falcopy new"
            )
    if "/" in plugin or path.suffix in (".so", ".py"):
        raise PluginNotFoundError(f"{plugin}: no such file; falcopy build makes a plugin's library")
    return Subject(plugin, import_paths=_import_paths(here), **given)


def _class_in(file: Path) -> str:
    """``module:Class`` of the only plugin that a Python file declares; nothing is run.

    Raises:
        PluginNotFoundError: there is none, or more than one.
    """
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except (SyntaxError, ValueError) as error:
        raise PluginNotFoundError(f"{file}: not valid Python: {error}") from error
    found = [
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef) and any(map(_is_plugin, node.decorator_list))
    ]
    if len(found) == 1:
        return f"{file.stem}:{found[0]}"
    if not found:
        raise PluginNotFoundError(f"{file}: there is no class with @plugin(...) in it")
    raise PluginNotFoundError(
        f"{file} declares {len(found)} plugins: name one, as {file.stem}:{found[0]}"
    )


def _is_plugin(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name == "plugin"


def _import_paths(folder: Path) -> tuple[str, ...]:
    """What comes first on ``sys.path`` for a class of a folder."""
    return tuple(str(place) for place in (folder / "src", folder) if place.is_dir())


def config_text(given: str | None) -> str | None:
    """Reads ``--init-config``: JSON, a YAML map, any text, or ``@FILE`` with one of these.

    Raises:
        click.BadParameter: the file cannot be read.
    """
    if given is None:
        return None
    from falcopy_sdk.testing.settings import read_config

    try:
        return read_config(given)
    except FalcopyError as error:
        raise click.BadParameter(str(error), param_hint="--init-config") from error
