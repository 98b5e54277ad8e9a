"""A plugin's own word on its name, version and needs, and whether its file is whole.

Both are asked in processes of their own. ``falcopy inspect`` reads files that falcopy built, and
loads others: their code must not run here, where it could take the packaging down with it. What
can tell a damaged file (:mod:`falcopy_sdk.provenance.check_worker`) stands above this package.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from falcopy_sdk.exceptions import PackageError
from falcopy_sdk.oci.elf import Elf, machine_name, read_elf

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["PluginFile", "read_plugins"]

_SECONDS: Final = 120


@dataclass(frozen=True, slots=True)
class PluginFile:
    """One plugin library.

    Attributes:
        path: The file.
        elf: Its headers.
        name: As the plugin tells it; so the rest.
        version: Of the plugin.
        description: One line.
        api_version: ``x.y.z`` of the plugin API that it asks for.
        event_source: Of its own; ``""``: it has none.
        glibc: The oldest glibc with which it works, all that is packed in it included.
    """

    path: Path
    elf: Elf
    name: str
    version: str
    description: str
    api_version: str
    event_source: str
    glibc: tuple[int, int]


def read_plugins(paths: Sequence[Path]) -> tuple[list[PluginFile], list[str]]:
    """Read the builds of one plugin for one or more platforms.

    Each file is checked: one of ours must be as it was built, one of others must find all that it
    needs. One for another machine that falcopy did not build cannot be asked; it is taken to be
    the same plugin as the others.

    Returns:
        The files by platform, and notes for the user.

    Raises:
        PackageError: one is no plugin or is damaged, two are for one platform, or they are of two
            plugins.
    """
    headers = {path: read_elf(path) for path in paths}
    platforms: dict[str, Path] = {}
    for path, elf in headers.items():
        other = platforms.setdefault(str(elf.platform), path)
        if other is not path:
            raise PackageError(f"{other} and {path} are both for {elf.platform}; give one of them")
    found: list[PluginFile] = []
    unasked: list[Path] = []
    for path, elf in headers.items():
        _check(path)
        foreign = machine_name(elf.platform) != platform.machine()
        file = _ask(path, elf, may_fail=foreign and not elf.built)
        if file is None:
            unasked.append(path)
        else:
            found.append(file)
    notes = []
    for path in unasked:
        elf = headers[path]
        if not found:
            raise PackageError(
                f"{path}: a plugin for {elf.platform} that falcopy did not build cannot be asked "
                "for its name on this machine; package it together with the build for this "
                "machine, or on such a machine"
            )
        known = found[0]
        notes.append(
            f"{path} is for {elf.platform} and cannot be asked here: it is taken to be "
            f"{known.name} {known.version}, as {known.path} is"
        )
        found.append(
            PluginFile(
                path,
                elf,
                known.name,
                known.version,
                known.description,
                known.api_version,
                known.event_source,
                elf.glibc,
            )
        )
    _check_same(found)
    return sorted(found, key=lambda file: file.elf.platform), notes


def _check(path: Path) -> None:
    done = _run(path, "falcopy_sdk.provenance.check_worker")
    if done.returncode:
        raise PackageError(f"{path}: its check ended with {done.returncode}: {_last_line(done)}")
    problems = json.loads(done.stdout)
    if problems:
        more = f" (and {len(problems) - 1} more: falcopy verify {path})" if problems[1:] else ""
        raise PackageError(f"{path}: {problems[0]}{more}")


def _run(path: Path, *module: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *module, str(path)]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise PackageError(
            f"{path}: does not answer within {_SECONDS} s when asked for its name"
        ) from None


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.strip().rpartition("\n")[2]


def _ask(path: Path, elf: Elf, *, may_fail: bool) -> PluginFile | None:
    done = _run(path, "falcopy_sdk", "inspect", "--json")
    if done.returncode:
        if may_fail:
            return None
        said = _last_line(done).removeprefix("falcopy: ")
        said = said or f"{path}: it ended with {done.returncode} when asked for its name"
        raise PackageError(f"{said} (asked with falcopy inspect {path})")
    report = json.loads(done.stdout)
    floors = [f for f in report["glibc_floor"].values() if f]
    return PluginFile(
        path,
        elf,
        report["name"],
        report["version"],
        report["description"],
        report["required_api_version"],
        report["event_source"],
        max((_pair(floor) for floor in floors), default=elf.glibc),
    )


def _pair(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def _check_same(files: list[PluginFile]) -> None:
    first = files[0]
    for other in files[1:]:
        for what in ("name", "version", "api_version"):
            one, two = getattr(first, what), getattr(other, what)
            if one != two:
                raise PackageError(
                    f"{first.path} and {other.path} differ in their {what.replace('_', ' ')}: "
                    f"{one} and {two}; one artifact holds builds of one plugin"
                )
