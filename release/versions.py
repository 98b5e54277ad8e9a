"""The versions, from the one place where each stands."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Versions:
    """Of falcopy-sdk (its pyproject.toml) and k8saudit-aks (what the plugin tells its hosts)."""

    sdk: str
    plugin: str


def read(root: Path) -> Versions:
    """Reads both. The plugin's is found as its build backend finds it."""
    sdk = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    folder = root / "plugins" / "k8saudit_aks"
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    place = project["tool"]["hatch"]["version"]
    text = (folder / place["path"]).read_text(encoding="utf-8")
    found = re.findall(place["pattern"], text, re.MULTILINE)
    if len(found) != 1:
        raise SystemExit(f"release: {place['path']} states {len(found)} versions; expected one")
    return Versions(sdk["project"]["version"], found[0])
