"""From a registry to index.yaml, and back to see whether both still agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import semver

from falcopy_sdk.exceptions import IndexFileError, NotInRegistryError
from falcopy_sdk.oci.artifact import About
from falcopy_sdk.oci.index_file import IndexFile, entry
from falcopy_sdk.oci.pull import Found, find
from falcopy_sdk.oci.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from falcopy_sdk.oci.registry import Registry

__all__ = ["add_to_index", "check_index"]


def add_to_index(
    index: IndexFile,
    registry: Registry,
    reference: Reference,
    *,
    keywords: Sequence[str] = (),
    signature: Mapping[str, Any] | None = None,
) -> tuple[Found, bool]:
    """Put a published artifact into an index; the file is not saved.

    Args:
        index: To change.
        registry: Of ``reference.registry``.
        reference: Its tag; default ``latest``.
        keywords: For ``falcoctl artifact search``.
        signature: See :func:`falcopy_sdk.oci.index_file.entry`.

    Returns:
        What is published, and whether the index changed.

    Raises:
        IndexFileError: the version is in the index with another digest, or the full version is
            no tag (falcoctl resolves dependencies by it).
        RegistryError: it cannot be looked up.
    """
    found = find(registry, reference)
    name, version = found.config.name, found.config.version
    tagged = registry.head_manifest(reference.repository, version)
    if tagged is None or tagged.digest != found.root.digest:
        state = "is not there" if tagged is None else f"has digest {tagged.digest}"
        raise IndexFileError(
            f"{reference} says that it is {name} {version} and has digest {found.root.digest}, "
            f"but the tag {version} {state}: push it under its full version"
        )
    about = _about(found.annotations, (*keywords, name) if keywords else ())
    made = entry(name, found.kind, reference.registry, reference.repository, about, signature)
    return found, index.add(made, version, found.root.digest)


def check_index(
    index: IndexFile, connect: Callable[[str], Registry], *, notes: list[str] | None = None
) -> Iterable[str]:
    """Ask the registries whether they have what an index says, a sentence a contradiction.

    Args:
        index: The file.
        connect: Gives the registry of a host.
        notes: Gets what is no error and yet worth knowing.

    Raises:
        RegistryError: a registry cannot be asked.
    """
    told: list[str] = notes if notes is not None else []
    for item in index.entries:
        name, where = item["name"], f"{item['registry']}/{item['repository']}"
        registry = connect(item["registry"])
        tags = [t for t in registry.tags(item["repository"]) if not t.startswith("sha256-")]
        if not tags:
            yield f"{name}: {where} has no tags: falcoctl artifact install {name} fails"
            continue
        if "latest" not in tags:
            told.append(f"{name}: {where} has no tag latest; installs must name a version")
        for version, digest in index.versions(name).items():
            there = registry.head_manifest(item["repository"], version)
            if there is None:
                yield f"{name}: version {version} is recorded, and {where} has no such tag"
            elif there.digest != digest:
                yield (
                    f"{name}: {where}:{version} has digest {there.digest} instead of {digest}: it "
                    "was published again with other contents"
                )
        newest = _newest(tags)
        found = find(registry, Reference(item["registry"], item["repository"], newest))
        if (found.config.name, found.kind) != (name, item["type"]):
            yield (
                f"{name}: {where}:{newest} is the {found.kind} {found.config.name}: name and type "
                "must be those of the artifact"
            )
        for dependency in found.config.dependencies:
            yield from _dependency(index, connect, found, dependency.name, dependency.version, told)


def _dependency(
    index: IndexFile,
    connect: Callable[[str], Registry],
    found: Found,
    name: str,
    version: str,
    notes: list[str],
) -> Iterable[str]:
    item = index.find(name)
    own = f"{found.config.name} {found.config.version}"
    if item is None:
        notes.append(f"{own} depends on {name} {version}, which another index must have")
        return
    registry = connect(item["registry"])
    if registry.head_manifest(item["repository"], version) is None:
        yield (
            f"{own} depends on {name} {version}, which is no tag of {item['registry']}/"
            f"{item['repository']}: falcoctl pulls dependencies by exactly that tag"
        )
    try:
        newest = _newest(registry.tags(item["repository"]))
    except NotInRegistryError:
        return
    if semver.Version.is_valid(newest) and semver.Version.parse(newest) > version:
        notes.append(
            f"{own} depends on {name} {version}: installing it puts that in place of {newest}, "
            "where it is installed; raise the dependency"
        )


def _newest(tags: Iterable[str]) -> str:
    """The highest release among tags, else the highest version, else any."""
    listed = list(tags)
    versions = [semver.Version.parse(t) for t in listed if semver.Version.is_valid(t)]
    releases = [v for v in versions if not v.prerelease]
    if not versions:
        return listed[0] if listed else "latest"
    return str(max(releases or versions))


def _about(annotations: Mapping[str, str], keywords: Sequence[str]) -> About:
    def value(key: str) -> str:
        return annotations.get(f"org.opencontainers.image.{key}", "")

    authors = tuple(a.strip() for a in value("authors").split(",") if a.strip())
    return About(
        value("description"),
        value("licenses"),
        value("source"),
        value("url"),
        authors,
        tuple(dict.fromkeys(keywords)),
    )
