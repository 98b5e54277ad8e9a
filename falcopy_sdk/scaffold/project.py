"""Makes a project from a template, and brings one to a newer template."""

from __future__ import annotations

import enum
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from falcopy_sdk.exceptions import NothingToDoError, ProjectError
from falcopy_sdk.scaffold.record import FILE, Record
from falcopy_sdk.scaffold.templates import find_template

if TYPE_CHECKING:
    from falcopy_sdk.scaffold.names import Names
    from falcopy_sdk.scaffold.templates import Template

__all__ = ["Change", "create", "update"]


class Change(enum.Enum):
    """What an update did to a file."""

    ADDED = "added"
    UPDATED = "updated"
    MERGED = "merged with your changes"
    CONFLICT = "CONFLICT: look for <<<<<<< and decide"
    REMOVED = "removed"
    KEPT = "no longer in the template; kept, since you changed it"


def create(
    template: Template, names: Names, folder: Path, *, description: str, contact: str
) -> None:
    """Make a project.

    Args:
        template: What to make it from.
        names: The plugin's.
        folder: Must not exist, or be empty.
        description: What the plugin does, one line.
        contact: Who to ask, such as an address or a URL.

    Raises:
        ProjectError: the folder is in use or cannot be written, or a text does not fit a line.
    """
    values = {
        "name": names.plugin,
        "module": names.module,
        "klass": names.klass,
        "prefix": names.prefix,
        "title": names.title,
        "description": description,
        "contact": contact,
        "falcopy_version": version("falcopy-sdk"),
    }
    for key in ("description", "contact"):
        # It goes into string literals of Python, TOML and YAML.
        if not values[key].strip() or any(c in values[key] for c in '"\\\n\r'):
            raise ProjectError(f'--{key} must be one line of text without " and \\')
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ProjectError(f"{folder} exists and is not empty; name another folder")
    files = template.render(values)
    for name, text in files.items():
        _write(folder, name, text)
    Record(template.name, version("falcopy-sdk"), values, files).write(folder)


def update(folder: Path) -> dict[str, Change]:
    """Bring the project in ``folder`` to the installed version of its template.

    What only the template changed is taken over, what only the author changed stays, what both
    changed is merged line by line; where that cannot be decided the file gets conflict markers.

    Returns:
        What was done, by file.

    Raises:
        ProjectError: ``folder`` is no project of ``falcopy new``, or cannot be written.
        NothingToDoError: it is up to date.
    """
    record = Record.read(folder)
    values = record.values | {"falcopy_version": version("falcopy-sdk")}
    wanted = find_template(record.template).render(values)
    changes: dict[str, Change] = {}
    for name in sorted({*record.files, *wanted}):
        change = _update_file(folder, name, record.files.get(name), wanted.get(name))
        if change:
            changes[name] = change
    if wanted != record.files:
        Record(record.template, version("falcopy-sdk"), values, wanted).write(folder)
    if not changes:
        raise NothingToDoError(
            f"{folder} is up to date with template {record.template} of falcopy "
            f"{version('falcopy-sdk')}"
        )
    return changes


def _update_file(folder: Path, name: str, base: str | None, wanted: str | None) -> Change | None:
    path = folder / name
    try:
        own = path.read_text(encoding="utf-8") if path.exists() else None
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path}: {error}") from error
    if own == wanted or base == wanted:
        return None
    if wanted is None:
        if own is not None and own != base:
            return Change.KEPT
        path.unlink(missing_ok=True)
        return Change.REMOVED
    if own is None:
        if base is not None:  # the author deleted it
            return None
        _write(folder, name, wanted)
        return Change.ADDED
    if own == base:
        _write(folder, name, wanted)
        return Change.UPDATED
    merged, conflict = _merge(base or "", own, wanted)
    _write(folder, name, merged)
    return Change.CONFLICT if conflict else Change.MERGED


def _merge(base: str, own: str, wanted: str) -> tuple[str, bool]:
    from merge3 import Merge3

    merge = Merge3(
        base.splitlines(keepends=True),
        own.splitlines(keepends=True),
        wanted.splitlines(keepends=True),
    )
    conflict = any(group[0] == "conflict" for group in merge.merge_groups())
    lines = merge.merge_lines(name_a="yours", name_b="the template's")
    return "".join(lines), conflict


def _write(folder: Path, name: str, text: str) -> None:
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts or name == FILE:
        raise ProjectError(f"a template may not write {name}")
    path = folder / relative
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ProjectError(f"{path}: {error.strerror}") from error
