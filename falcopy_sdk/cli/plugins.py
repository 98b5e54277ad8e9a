"""From what a user names to a loaded plugin: a shared library, or a class in this process."""

from __future__ import annotations

import importlib
import operator
import sys
from pathlib import Path

import click

from falcopy_sdk.bundle.target import resolve
from falcopy_sdk.exceptions import PluginLoadError
from falcopy_sdk.host import Library

__all__ = ["config_text", "load"]


def load(plugin: str) -> Library:
    """Loads a file as a host does; anything else as a class, without a build.

    Args:
        plugin: a file, ``module:Class``, a folder, or a registered name.

    Raises:
        FalcopyError: it does not exist, or is no plugin.
    """
    if Path(plugin).is_file():
        return Library.load(plugin)
    target = resolve(plugin, Path.cwd())
    folders = [Path.cwd()] if target.project is None else [target.project.folder]
    for folder in [*folders, *(f / "src" for f in folders)]:
        if folder.is_dir() and str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    module, _, name = target.ref.partition(":")
    try:
        found = operator.attrgetter(name)(importlib.import_module(module))
    except Exception as error:
        raise PluginLoadError(
            f"{target.ref} does not import: {type(error).__name__}: {error}"
        ) from (error)
    return Library.from_class(found)


def config_text(given: str | None) -> str | None:
    """Reads ``--init-config``: JSON or any text, or ``@FILE`` with it.

    Raises:
        click.BadParameter: the file cannot be read.
    """
    if given is None or not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{given[1:]}: {error}", param_hint="--init-config") from error
