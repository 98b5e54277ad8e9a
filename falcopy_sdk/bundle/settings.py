"""``[tool.falcopy]`` in a plugin's pyproject.toml."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from falcopy_sdk.exceptions import ProjectError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Settings", "read_settings"]

_DOTTED: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True, slots=True)
class Settings:
    """What an author says about the bundle.

    Attributes:
        include_modules: modules that the plugin needs though no import tells so; a name ending in
            ``.*`` stands for a package with all that is in it.
        exclude_modules: modules that stay out though an import leads to them, with all in them.
    """

    include_modules: tuple[str, ...] = ()
    exclude_modules: tuple[str, ...] = ()


def read_settings(document: dict[str, Any], path: Path) -> Settings:
    """Reads the table; a document without it has the defaults.

    Raises:
        ProjectError: a key is unknown, or a value of another kind.
    """
    table = document.get("tool", {}).get("falcopy", {})
    known = {field.name.replace("_", "-"): field.name for field in fields(Settings)}
    values: dict[str, tuple[str, ...]] = {}
    for key, value in table.items():
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"Known are: {', '.join(known)}."
            raise ProjectError(f"{path}: [tool.falcopy] has an unknown key {key!r}. {hint}")
        for name in value if isinstance(value, list) else [value]:
            text = name.removesuffix(".*") if key == "include-modules" else name
            if not isinstance(value, list) or not _DOTTED.fullmatch(str(text)):
                raise ProjectError(
                    f"{path}: [tool.falcopy] {key} is a list of module names such as "
                    f'["package.module"]; {name!r} is none'
                )
        values[known[key]] = tuple(value)
    return Settings(**values)
