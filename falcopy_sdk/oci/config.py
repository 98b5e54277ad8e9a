"""The config of an artifact: name, version, needs (falcoctl, pkg/oci/types.go).

The rules and the first words of messages are falcoctl's (``registry push``, pkg/artifact).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import semver

from falcopy_sdk.exceptions import IntegrityError, PackageError
from falcopy_sdk.oci.descriptor import canonical_json, parse_document

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Config",
    "Dependency",
    "Requirement",
    "check_name",
    "check_version",
    "merged",
    "parse_dependency",
    "parse_requirement",
    "satisfies",
]

_NAME: Final = re.compile(r"[a-z]+[a-z0-9_-]*")
_REQUIREMENTS: Final = {"engine_version_semver", "plugin_api_version"}


@dataclass(frozen=True, slots=True, order=True)
class Requirement:
    """What the Falco must have: ``plugin_api_version``, ``engine_version_semver``."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"


@dataclass(frozen=True, slots=True, order=True)
class Dependency:
    """An artifact that is to be installed as well, or one of its alternatives instead."""

    name: str
    version: str
    alternatives: tuple[Requirement, ...] = ()

    def __str__(self) -> str:
        return "|".join([f"{self.name}:{self.version}", *map(str, self.alternatives)])


@dataclass(frozen=True, slots=True)
class Config:
    """The config blob."""

    name: str
    version: str
    dependencies: tuple[Dependency, ...] = ()
    requirements: tuple[Requirement, ...] = ()

    def encode(self) -> bytes:
        """Return the bytes: falcoctl's field order, lists by name, nothing that is empty."""
        document: dict[str, Any] = {"name": self.name, "version": self.version}
        if self.dependencies:
            document["dependencies"] = [_dependency(d) for d in sorted(self.dependencies)]
        if self.requirements:
            document["requirements"] = [_pair(r) for r in sorted(self.requirements)]
        return canonical_json(document)

    @classmethod
    def decode(cls, data: bytes, where: str) -> Config:
        """Read a config.

        Raises:
            IntegrityError: it has no name or version, or a list in it is malformed.
        """
        document = parse_document(data, where)
        name, version = document.get("name"), document.get("version")
        if not (isinstance(name, str) and name and isinstance(version, str) and version):
            raise IntegrityError(
                f"{where}: the config has no name or no version; falcoctl cannot install it"
            )
        try:
            return cls(
                name,
                version,
                tuple(
                    Dependency(*_read_pair(d), tuple(_read_pairs(d.get("alternatives"))))
                    for d in document.get("dependencies") or ()
                ),
                tuple(_read_pairs(document.get("requirements"))),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise IntegrityError(f"{where}: malformed config ({error})") from error


def check_name(name: str) -> str:
    """Return the name if falcoctl and the plugin registry take it.

    Raises:
        PackageError: they do not.
    """
    if not _NAME.fullmatch(name):
        raise PackageError(
            f'invalid artifact name "{name}": begin with a small letter and use only a-z, 0-9, - '
            "and _"
        )
    return name


def check_version(version: str, what: str = "version") -> semver.Version:
    """Return the version, read.

    Raises:
        PackageError: it is no strict semantic version, or has build metadata, which no tag can
            have.
    """
    read = _strict(version, what)
    if read.build:
        raise PackageError(
            f'invalid artifact {what} "{version}": build metadata (+{read.build}) cannot be part '
            "of a tag; put it into the pre-release: "
            f"{_without_build(read)}"
        )
    return read


def _strict(version: str, what: str) -> semver.Version:
    try:
        return semver.Version.parse(version)
    except (ValueError, TypeError):
        hint = ""
        if re.fullmatch(r"v?\d+(\.\d+){0,2}", version):
            numbers = [*version.removeprefix("v").split("."), "0", "0"][:3]
            hint = f"; did you mean {'.'.join(numbers)}?"
        raise PackageError(
            f'invalid artifact {what} "{version}" (must be a valid semver string, '
            f"X.Y.Z or X.Y.Z-PRE){hint}"
        ) from None


def _without_build(version: semver.Version) -> str:
    """Return a version that says the same without ``+``."""
    parts = [part for part in (version.prerelease, version.build) if part]
    return f"{version.finalize_version()}-{'.'.join(parts)}"


def parse_requirement(text: str) -> Requirement:
    """Read ``NAME:VERSION``.

    falcoctl and Falco take a semantic version with three parts (falcoctl, follower.go); build
    metadata in it means nothing to either, and no tag is made of it.

    Raises:
        PackageError: it is malformed, or no Falco could satisfy it.
    """
    name, colon, version = text.partition(":")
    if not colon or not name or ":" in version:
        raise PackageError(f'cannot parse "{text}": a requirement is NAME:VERSION')
    if name not in _REQUIREMENTS:
        raise PackageError(
            f'requirement "{text}": no Falco reports {name}; there are '
            f"{', '.join(sorted(_REQUIREMENTS))}"
        )
    _strict(version, f"requirement {name}")
    return Requirement(name, version)


def parse_dependency(text: str) -> Dependency:
    """Read ``NAME:VERSION[|ALTERNATIVE:VERSION...]``.

    Raises:
        PackageError: it is malformed.
    """
    pairs = []
    for part in text.split("|"):
        name, colon, version = part.strip().partition(":")
        if not colon:
            raise PackageError(
                f'invalid artifact reference "{part}": a dependency is NAME:VERSION, with '
                "alternatives NAME:VERSION|OTHER:VERSION"
            )
        check_name(name)
        check_version(version, f"dependency {name}")
        pairs.append(Requirement(name, version))
    first, *others = pairs
    return Dependency(first.name, first.version, tuple(sorted(others)))


def satisfies(version: str, required: str) -> bool:
    """Whether falcoctl and Falco take ``version`` where ``required`` is asked for.

    The major version is equal and the rest not lower (falcoctl, deps.go).
    """
    have, want = semver.Version.parse(version), semver.Version.parse(required)
    return have.major == want.major and have >= want


def merged(dependencies: Iterable[Dependency]) -> tuple[Dependency, ...]:
    """One entry a name: the highest version, all alternatives."""
    found: dict[str, Dependency] = {}
    for one in dependencies:
        known = found.get(one.name)
        if known is None:
            found[one.name] = one
            continue
        higher = max(known, one, key=lambda d: semver.Version.parse(d.version))
        both = {a.name: a for a in sorted((*known.alternatives, *one.alternatives))}
        found[one.name] = replace(higher, alternatives=tuple(sorted(both.values())))
    return tuple(sorted(found.values()))


def _dependency(dependency: Dependency) -> dict[str, Any]:
    document: dict[str, Any] = {"name": dependency.name, "version": dependency.version}
    if dependency.alternatives:
        document["alternatives"] = [_pair(a) for a in sorted(dependency.alternatives)]
    return document


def _pair(pair: Requirement) -> dict[str, str]:
    return {"name": pair.name, "version": pair.version}


def _read_pairs(items: Any) -> Iterable[Requirement]:
    for item in items or ():
        yield Requirement(*_read_pair(item))


def _read_pair(item: Any) -> tuple[str, str]:
    name, version = item["name"], item["version"]
    if not (isinstance(name, str) and isinstance(version, str)):
        raise TypeError(f"{name!r} and {version!r}: a name and a version are texts")
    return name, version
