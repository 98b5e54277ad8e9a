"""From what a user names to a loaded plugin: a shared library, or a class in this process."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from falcopy_sdk.bundle.project import read_project
from falcopy_sdk.hooks import find_plugin
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
    here = Path.cwd()
    if (here / plugin / "pyproject.toml").is_file():
        project = read_project(here / plugin)
        _importable(project.folder)
        return Library.from_class(find_plugin(project.plugin_ref()))
    _importable(here)
    return Library.from_class(find_plugin(plugin))


def _importable(folder: Path) -> None:
    for place in (folder / "src", folder):
        if place.is_dir() and str(place) not in sys.path:
            sys.path.insert(0, str(place))


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
