"""From what a test, an option or an ini file names to a subject that can be loaded."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from falcopy_sdk.declare.plugin import plugin_spec
from falcopy_sdk.exceptions import RequestError
from falcopy_sdk.testing.battery.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PluginLike", "subject_of"]

#: A class under ``@plugin``, the path of a shared library, ``module:Class``, or a registered name.
PluginLike = type[Any] | str | Path


def subject_of(
    plugin: PluginLike,
    *,
    config: str | Mapping[str, Any] | None = None,
    folder: Path | None = None,
    **given: Any,
) -> Subject:
    """Make the subject that a plugin stands for.

    Args:
        plugin: See :data:`PluginLike`.
        config: Its init configuration.
        folder: What a relative path begins at; None: the current folder.
        **given: More of :class:`Subject`.

    Raises:
        DeclarationError: The class declares no plugin.
        RequestError: There is no such file.
    """
    if isinstance(plugin, type):
        spec = plugin_spec(plugin)
        return Subject(f"{plugin.__module__}:{plugin.__qualname__}", config, cls=spec.cls, **given)
    text = str(plugin)
    path = (folder or Path.cwd()) / text
    if path.is_file():
        return Subject(str(path), config, **given)
    if isinstance(plugin, Path) or text.endswith(".so") or "/" in text:
        raise RequestError(f"{path}: no such file; build it first: falcopy build")
    return Subject(text, config, import_paths=tuple(sys.path), **given)
