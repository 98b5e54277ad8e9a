"""Packages of the building environment: what they need, and copies of their installed files."""

from __future__ import annotations

import base64
import hashlib
import shutil
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from falcopy_sdk.exceptions import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["closure", "copy_distribution", "requirements_of"]


def requirements_of(dist: metadata.Distribution, extras: Iterable[str] = ()) -> list[Requirement]:
    """What the distribution needs here, with these of its extras."""
    wanted = []
    for text in dist.requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": e}) for e in ("", *extras)):
            wanted.append(requirement)
    return wanted


def closure(requirements: Iterable[Requirement]) -> dict[str, metadata.Distribution]:
    """The installed distributions that meet the requirements and all they need in turn, by name.

    Raises:
        ToolchainError: one is missing or of another version than asked for.
    """
    found: dict[str, metadata.Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        key = (name, frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        try:
            dist = metadata.distribution(name)
        except metadata.PackageNotFoundError as error:
            raise ToolchainError(
                f"{requirement} is not installed in this environment: pip install '{requirement}'"
            ) from error
        if not requirement.specifier.contains(dist.version, prereleases=True):
            raise ToolchainError(
                f"{name} {dist.version} is installed, but {requirement} is needed: "
                f"pip install '{requirement}'"
            )
        found[name] = dist
        waiting += requirements_of(dist, requirement.extras)
    return found


def copy_distribution(dist: metadata.Distribution, site: Path) -> None:
    """Copies the installed files of a distribution, checked against the hashes in its RECORD.

    Raises:
        ToolchainError: it has no files of its own (an editable install), or they were changed.
    """
    copied = 0
    for record in dist.files or ():
        # Scripts lie outside; bytecode is compiled anew.
        if ".." in record.parts or "__pycache__" in record.parts or record.suffix == ".pth":
            continue
        source = Path(str(record.locate()))
        data = source.read_bytes() if source.is_file() else b""
        if record.hash is None:
            # RECORD cannot have its own; it tells which files belong to the distribution.
            if record.name == "RECORD" and record.parts[0].endswith(".dist-info"):
                (site / record.parts[0]).mkdir(parents=True, exist_ok=True)
                (site / record).write_bytes(data)
            continue
        digest = hashlib.new(record.hash.mode, data).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != record.hash.value:
            raise ToolchainError(
                f"{source} is not as {dist.name} {dist.version} installed it. Reinstall it: "
                f"pip install --force-reinstall --no-deps {dist.name}=={dist.version}"
            )
        target = site.joinpath(*record.parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        copied += record.suffix in {".py", ".so"}
    if not copied:
        raise ToolchainError(
            f"{dist.name} {dist.version} has no modules of its own in this environment (an "
            "editable install?). Install it as a wheel, or build its project's folder."
        )
