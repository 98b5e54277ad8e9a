"""What the packages in a bundle's site-packages say about themselves, before that is taken out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from importlib import metadata
from typing import TYPE_CHECKING, cast

from packaging.utils import canonicalize_name

from falcopy_sdk.bundle import environment, licences
from falcopy_sdk.bundle.requirements import SDK

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message
    from pathlib import Path

    from falcopy_sdk.bundle.licences import Licence
    from falcopy_sdk.bundle.wheels import Wheel

__all__ = ["Package", "of_sdk", "source_hash", "take", "with_wheels"]


@dataclass(frozen=True, slots=True)
class Package:
    """A Python package of the bundle.

    Attributes:
        name: normalised (PEP 503).
        version: as installed.
        licence: None when the package states none.
        summary: one line, or empty.
        home: URL of its home page or sources, or empty.
        requires: normalised names of what it needs here.
        files: what it installed, relative to site-packages.
        texts: its licence files, by name.
        wheel: the file of the index it came in, where that is known.
    """

    name: str
    version: str
    licence: Licence | None
    summary: str
    home: str
    requires: tuple[str, ...]
    files: frozenset[str]
    texts: Mapping[str, bytes]
    wheel: Wheel | None = None


def take(site: Path) -> tuple[Package, ...]:
    """Reads the packages in ``site`` and takes their licence files out of it, by name.

    It needs the installers' records, so it comes before :func:`falcopy_sdk.bundle.install.prune`.
    """
    found = []
    folders = {canonicalize_name(f.name.split("-")[0]): f for f in site.glob("*.dist-info")}
    for dist in environment.installed(site):
        folder = folders.get(canonicalize_name(dist.name))
        texts = licences.take_texts(folder) if folder is not None else {}
        files = frozenset(record.as_posix() for record in dist.files or ())
        found.append(_package(dist, files, texts))
    return tuple(sorted(found, key=lambda package: package.name))


def of_sdk() -> Package:
    """falcopy-sdk itself, whose parts are copied from where it runs."""
    dist = metadata.distribution(SDK)
    texts = {}
    for record in dist.files or ():
        if ".dist-info" in record.parts[0] and record.name == "LICENSE":
            texts[record.name] = record.read_binary()
    return _package(dist, frozenset(), texts)


def source_hash(site: Path, name: str) -> str:
    """Identifies the sources of a package in ``site``, before they are compiled.

    It is the ``dirHash`` of the in-toto attestation framework's digest set, that is Go's Hash1 (a
    SHA-256 of lines with the SHA-256 and the name of each file), in hex.
    """
    dist = next(d for d in environment.installed(site) if canonicalize_name(d.name) == name)
    lines = []
    for record in sorted(dist.files or (), key=str):
        path = site / record
        if not record.parts[0].endswith(".dist-info") and path.is_file():
            lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {record.as_posix()}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def with_wheels(packages: tuple[Package, ...], wheels: Mapping[str, Wheel]) -> tuple[Package, ...]:
    """The same with the files of the index that they came in."""
    return tuple(replace(package, wheel=wheels.get(package.name)) for package in packages)


def _package(
    dist: metadata.Distribution, files: frozenset[str], texts: Mapping[str, bytes]
) -> Package:
    about = cast("Message", dist.metadata)
    links = dict(entry.split(", ", 1) for entry in about.get_all("Project-URL") or ())
    wanted = ("homepage", "home", "repository", "source", "source code")
    named = {label.lower(): url for label, url in links.items()}
    home = about.get("Home-page") or next((named[key] for key in wanted if key in named), "")
    return Package(
        name=canonicalize_name(dist.name),
        version=dist.version,
        licence=licences.of_distribution(about, texts),
        summary=about.get("Summary") or "",
        home=home if home != "UNKNOWN" else "",
        requires=tuple(
            sorted({canonicalize_name(r.name) for r in environment.requirements_of(dist)})
        ),
        files=files,
        texts=texts,
    )
