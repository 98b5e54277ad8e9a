"""What takes room in a built plugin."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from falcopy_sdk.bundle import manifest
from falcopy_sdk.exceptions import BundleFormatError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Part", "sizes"]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a plugin: a package, a library, the standard library, or the loader.

    Attributes:
        name: of it.
        kind: ``"package"``, ``"library"``, ``"standard library"``, ``"loader"`` or ``"other"``.
        size: in bytes, in the file.
        compressed: in bytes, as a layer's gzip makes of it, roughly.
        files: how many.
        largest: name and size of its largest files, at most three.
    """

    name: str
    kind: str
    size: int
    compressed: int
    files: int
    largest: tuple[tuple[str, int], ...]


def sizes(path: Path) -> list[Part]:
    """The parts of a built plugin, the largest first.

    Raises:
        BundleFormatError: its payload is damaged.
    """
    members: dict[tuple[str, str], list[tuple[str, int, int]]] = defaultdict(list)
    try:
        with zipfile.ZipFile(path) as archive:
            document = json.loads(archive.read(manifest.NAME))
            packages = {str(name) for name in document.get("packages", {})}
            for entry in archive.infolist():
                data = archive.read(entry)
                part = _part(entry.filename, packages)
                members[part].append((entry.filename, len(data), len(zlib.compress(data, 6))))
            start = archive.infolist()[0].header_offset
    except (zipfile.BadZipFile, KeyError, ValueError, IndexError) as error:
        raise BundleFormatError(
            f"{path}: its payload is damaged ({error}); build or download it again"
        ) from error
    with path.open("rb") as stream:
        loader = stream.read(start)
    members["loader", "loader"].append((path.name, len(loader), len(zlib.compress(loader, 6))))
    found = [
        Part(
            name=name,
            kind=kind,
            size=sum(size for _, size, _ in files),
            compressed=sum(packed for _, _, packed in files),
            files=len(files),
            largest=tuple((n, s) for n, s, _ in sorted(files, key=lambda f: -f[1])[:3]),
        )
        for (name, kind), files in members.items()
    ]
    return sorted(found, key=lambda part: (-part.size, part.name))


def _part(file: str, packages: set[str]) -> tuple[str, str]:
    top, *rest = file.split("/")
    if top == "site-packages":
        stem = rest[0].partition("-")[0] if ".dist-info" in rest[0] else rest[0].split(".")[0]
        name = canonicalize_name(stem)
        return _longest("-".join([name, *rest[1:-1]]), packages) or name, "package"
    if top == "lib" and len(rest) == 1:
        return rest[0], "library"
    if top == "lib":
        return "standard library", "standard library"
    return (top if rest else file), "other"


def _longest(name: str, packages: set[str]) -> str | None:
    """Of ``azure-core-pipeline`` the package ``azure-core``: namespaces are shared by several."""
    parts = canonicalize_name(name).split("-")
    candidates = ("-".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((each for each in candidates if each in packages), None)
