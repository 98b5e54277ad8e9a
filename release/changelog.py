"""CHANGELOG.md is held to its promise: what users get is told there.

- A release has a section ``## [X.Y.Z] - YYYY-MM-DD`` with its notes and the plugin's version.
- Between releases, changed sources mean a line under ``## [Unreleased]``.
"""

from __future__ import annotations

import re
import subprocess
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from versions import Versions

#: What users get.
SOURCES = ("falcopy_sdk", "loader_c", "plugins/k8saudit_aks/k8saudit*")
_HEADING = re.compile(r"^## \[(?P<name>[^\]]+)\](?: - (?P<date>\S+))?\s*$", re.MULTILINE)
_ITEM = re.compile(r"^- \S", re.MULTILINE)


def sections(text: str) -> dict[str, tuple[str | None, str]]:
    """Date and contents of each section, by the name in its heading."""
    found = list(_HEADING.finditer(text))
    ends = [*(match.start() for match in found[1:]), len(text)]
    return {
        match["name"]: (match["date"], text[match.end() : end])
        for match, end in zip(found, ends, strict=True)
    }


def problems(root: Path, found: Versions, tag: str | None) -> list[str]:
    """What is wrong, a sentence each.

    Args:
        root: Of the repository.
        found: The versions in the sources.
        tag: That is to be released; None: no release.
    """
    parts = sections((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    listed = [_date_problem(name, day) for name, (day, _) in parts.items() if name != "Unreleased"]
    wrong = [problem for problem in listed if problem]
    if "Unreleased" not in parts:
        return [*wrong, 'CHANGELOG.md: there is no "## [Unreleased]"; put it first']
    unreleased = bool(_ITEM.search(parts["Unreleased"][1]))
    if tag is not None:
        return [*wrong, *_release_problems(parts, found, tag, unreleased)]
    last = _last_release(root)
    changed = last is None or _changed_since(root, last)
    # Before the first tag, the section of the first release may be there already.
    if changed and not unreleased and not (last is None and found.sdk in parts):
        since = f"since {last}" if last else "and nothing was ever released"
        wrong.append(
            f"CHANGELOG.md: sources changed {since}, and nothing stands under Unreleased; tell "
            "users what changed, a line each"
        )
    return wrong


def _release_problems(
    parts: dict[str, tuple[str | None, str]], found: Versions, tag: str, unreleased: bool
) -> list[str]:
    wrong = []
    if tag != f"v{found.sdk}":
        wrong.append(f"the tag {tag} is not v{found.sdk}, the version in pyproject.toml")
    if found.sdk not in parts:
        wrong.append(f'CHANGELOG.md: there is no "## [{found.sdk}] - YYYY-MM-DD"')
    else:
        day, text = parts[found.sdk]
        if day is None:
            wrong.append(f"CHANGELOG.md: the section {found.sdk} has no date")
        if not _ITEM.search(text):
            wrong.append(f"CHANGELOG.md: the section {found.sdk} says nothing")
        if f"k8saudit-aks {found.plugin}" not in text:
            wrong.append(
                f"CHANGELOG.md: the section {found.sdk} does not name k8saudit-aks "
                f"{found.plugin}, which is released with it"
            )
    if unreleased:
        wrong.append(f"CHANGELOG.md: move what stands under Unreleased to {found.sdk}")
    return wrong


def _date_problem(name: str, day: str | None) -> str | None:
    try:
        date.fromisoformat(day or "")
    except ValueError:
        return f"CHANGELOG.md: the section {name} has no date (## [{name}] - YYYY-MM-DD)"
    return None


def _last_release(root: Path) -> str | None:
    return _git(root, "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*")


def _changed_since(root: Path, tag: str) -> bool:
    return bool(_git(root, "diff", "--name-only", tag, "--", *SOURCES))


def _git(root: Path, *arguments: str) -> str | None:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None if done.returncode == 0 else None
