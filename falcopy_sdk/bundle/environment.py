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

from falcopy_sdk.bundle import links
from falcopy_sdk.exceptions import ToolchainError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from importlib.metadata import PackageMetadata

__all__ = ["closure", "copy_distribution", "installed", "requirements_of"]


class _Distribution(metadata.PathDistribution):
    """One whose METADATA is parsed once, and without the description, the longest part by far."""

    _about: PackageMetadata | None = None

    @property
    def metadata(self) -> PackageMetadata:
        if self._about is None:
            self._about = super().metadata
        return self._about

    def read_text(self, filename: str | os.PathLike[str]) -> str | None:
        text = super().read_text(filename)
        if text is not None and filename == "METADATA":
            return text.partition("\n\n")[0]
        return text


def installed(site: Path) -> list[metadata.Distribution]:
    """The distributions in a folder that an installer has filled, without descriptions."""
    return [_Distribution(path) for path in sorted(site.glob("*.dist-info"))]


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
                links.place(site / record).write_bytes(data)
            continue
        digest = hashlib.new(record.hash.mode, data).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != record.hash.value:
            raise ToolchainError(
                f"{source} is not as {dist.name} {dist.version} installed it. Reinstall it: "
                f"pip install --force-reinstall --no-deps {dist.name}=={dist.version}"
            )
        shutil.copyfile(source, links.place(site.joinpath(*record.parts)))
        copied += record.suffix in {".py", ".so"}
    if not copied:
        raise ToolchainError(
            f"{dist.name} {dist.version} has no modules of its own in this environment (an "
            "editable install?). Install it as a wheel, or build its project's folder."
        )
