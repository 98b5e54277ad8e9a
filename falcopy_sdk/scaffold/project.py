"""Makes a project from a template, and brings one to a newer template."""

from __future__ import annotations

import ast
import enum
import re
import unicodedata
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from falcopy_sdk.exceptions import AnswerError, NothingToDoError, ProjectError, StorageError
from falcopy_sdk.scaffold.names import Names
from falcopy_sdk.scaffold.record import FILE, Record
from falcopy_sdk.scaffold.templates import find_template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from falcopy_sdk.scaffold.templates import Template

__all__ = ["Change", "create", "update"]

#: Columns that a description or contact may take: it stands on a line of code.
_WIDEST = 80


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
        AnswerError: the folder is in use, a text does not fit a line, or the name is that of
            something in the project.
        StorageError: the folder cannot be written.
    """
    values = _values(names, description.strip(), contact.strip())
    for key in ("description", "contact"):
        _check_line(f"--{key}", values[key])
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise AnswerError(f"{folder} exists and is not empty; name another folder")
    files = template.render(values)
    _check_clashes(names, template, files)
    for name, text in files.items():
        _write(folder, name, text)
    Record(template.name, version("falcopy-sdk"), values, files).write(folder)


def _values(names: Names, description: str, contact: str) -> dict[str, str]:
    return {
        "name": names.plugin,
        "module": names.module,
        "klass": names.klass,
        "prefix": names.prefix,
        "title": names.title,
        "description": description,
        "contact": contact,
        "falcopy_version": version("falcopy-sdk"),
    }


def _check_line(flag: str, text: str) -> None:
    # It goes into string literals of Python, TOML and YAML.
    if not text or not text.isprintable() or any(c in text for c in '"\\'):
        raise AnswerError(f'{flag} must be one line of text without " and \\')
    width = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
    if width > _WIDEST:
        raise AnswerError(f"{flag} is {width} columns wide; at most {_WIDEST} fit a line of code")


def _check_clashes(names: Names, template: Template, files: Mapping[str, str]) -> None:
    """Refuse a name that something in the project has already, such as ``event`` and ``Event``."""
    packages = {
        found[0].replace("-", "_")
        for requirement in (*template.dependencies, *template.dev)
        if (found := re.match(r"[\w-]+", requirement))
    }
    clash = names.module if names.module in packages else None
    for file, text in files.items():
        if file.endswith(".py"):
            bound = [
                node.asname or node.name if isinstance(node, ast.alias) else node.name
                for node in ast.walk(ast.parse(text))
                if isinstance(node, (ast.alias, ast.ClassDef))
            ]
            clash = names.klass if bound.count(names.klass) > 1 else clash
    if clash:
        raise AnswerError(
            f"{names.plugin!r} would be {clash} in the code, which is something else there; take "
            f"a longer name, such as {names.plugin}-audit"
        )


def update(folder: Path) -> dict[str, Change]:
    """Bring the project in ``folder`` to the installed version of its template.

    What only the template changed is taken over, what only the author changed stays, what both
    changed is merged line by line; where that cannot be decided the file gets conflict markers.

    Returns:
        What was done, by file.

    Raises:
        ProjectError: ``folder`` is no project of ``falcopy new``.
        StorageError: it cannot be written.
        NothingToDoError: it is up to date.
    """
    record = Record.read(folder)
    try:
        answers = (record.values[key] for key in ("name", "description", "contact"))
        name, description, contact = answers
        derived = _values(Names(name), description, contact)
        template = find_template(record.template)
    except KeyError as error:
        raise ProjectError(f"{folder / FILE} has no {error}; restore it") from error
    except AnswerError as error:
        raise ProjectError(f"{folder / FILE}: {error}") from error
    # A newer template may use more than there was when the project was made.
    values = derived | record.values | {"falcopy_version": version("falcopy-sdk")}
    wanted = template.render(values)
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
        if own is None:  # the author removed it before
            return None
        if own != base:
            return Change.KEPT
        path.unlink()
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
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error
