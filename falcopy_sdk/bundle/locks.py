"""Reading lock files: exact versions with hashes, for this interpreter."""

from __future__ import annotations

import subprocess
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from packaging import pylock
from packaging.errors import ExceptionGroup
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from falcopy_sdk.bundle import installer
from falcopy_sdk.exceptions import ProjectError, ToolchainError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from packaging.markers import Environment
    from packaging.tags import Tag

    #: Values of the variables of markers.
    Markers = Mapping[str, str | AbstractSet[str]]

__all__ = ["HOW_TO_LOCK", "LOCK_NAMES", "Pin", "parse_requirements", "read_lock"]

#: Beside pyproject.toml, the first that is there: the standard format (PEP 751), uv's own, and
#: a hashed requirements file as pip and `uv pip compile` make it.
LOCK_NAMES: Final = ("pylock.toml", "uv.lock", "requirements.lock")

#: A command that makes the last of them.
HOW_TO_LOCK: Final = (
    "uv pip compile pyproject.toml --generate-hashes --no-emit-package falcopy-sdk "
    "-o requirements.lock"
)


@dataclass(frozen=True, slots=True)
class Pin:
    """One package to install: normalised name, version, hashes as ``sha256:<hex>``."""

    name: str
    version: str
    hashes: tuple[str, ...]


def read_lock(
    path: Path, environment: Markers | None = None, tags: Sequence[Tag] | None = None
) -> tuple[Pin, ...]:
    """The packages that the lock names for an interpreter and platform, by name.

    Args:
        path: of the lock.
        environment: what its markers are evaluated in; None: the running interpreter's.
        tags: of the wheels that fit; None: the running interpreter's.

    Raises:
        ProjectError: the lock is damaged, or has an entry without version or hashes.
        ToolchainError: it is a ``uv.lock`` and there is no uv.
    """
    if path.name == "pylock.toml":
        pins = _read_pylock(path, environment, tags)
    elif path.name == "uv.lock":
        pins = parse_requirements(_export(path), path, environment)
    else:
        pins = parse_requirements(_text(path), path, environment)
    return tuple(sorted(pins, key=lambda pin: pin.name))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ProjectError(f"{path}: not a text file ({error})") from error


def _read_pylock(path: Path, environment: Markers | None, tags: Sequence[Tag] | None) -> list[Pin]:
    try:
        lock = pylock.Pylock.from_dict(tomllib.loads(_text(path)))
        chosen = [
            package
            for package, _ in lock.select(
                environment=cast("Environment | None", environment), tags=tags
            )
        ]
    except (
        tomllib.TOMLDecodeError,
        pylock.PylockValidationError,
        pylock.PylockSelectError,
        ExceptionGroup,
    ) as error:
        raise ProjectError(f"{path}: {error}") from error
    pins = []
    for package in chosen:
        if package.version is None or not package.wheels:
            raise ProjectError(
                f"{path}: {package.name} has no wheel; only wheels go into a plugin. Leave it out, "
                "or build a wheel of it and lock that."
            )
        hashes = sorted(f"sha256:{w.hashes['sha256']}" for w in package.wheels if w.hashes)
        pins.append(Pin(str(package.name), str(package.version), tuple(hashes)))
    return pins


def _export(path: Path) -> str:
    uv = installer.uv()
    if uv is None:
        raise ToolchainError(f"{path} is read by uv, which is not there: pip install uv")
    command = [uv, "export", "--frozen", "--no-dev", "--no-emit-project", "--no-header"]
    command += ["--no-annotate", "--quiet", "--project", str(path.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ProjectError(f"{path}: uv cannot read it:\n{done.stderr.strip()}")
    return done.stdout


def parse_requirements(text: str, path: Path, environment: Markers | None = None) -> list[Pin]:
    """Reads ``name==version ; marker --hash=sha256:…`` lines (pip's requirements file format).

    Raises:
        ProjectError: a line has another form, no exact version or no hash.
    """
    pins = []
    for number, line in _logical_lines(text):
        head, *hashes = line.split(" --hash=")
        where = f"{path}, line {number}"
        if head.startswith("-"):
            raise ProjectError(
                f"{where}: {head.split()[0]} is not supported in a lock. A plugin is built from "
                f"wheels of an index; make the lock with: {HOW_TO_LOCK}"
            )
        try:
            requirement = Requirement(head)
        except InvalidRequirement as error:
            raise ProjectError(f"{where}: {error}") from error
        if requirement.marker is not None and not requirement.marker.evaluate(environment):
            continue
        specifiers = list(requirement.specifier)
        exact = len(specifiers) == 1 and specifiers[0].operator in {"==", "==="}
        if not exact or "*" in specifiers[0].version or not hashes:
            raise ProjectError(
                f"{where}: {requirement.name} has no exact version with hashes. "
                f"Make the lock with: {HOW_TO_LOCK}"
            )
        name = canonicalize_name(requirement.name)
        pins.append(Pin(name, specifiers[0].version, tuple(h.strip() for h in hashes)))
    return pins


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their continuations joined and comments gone, with the number of the first."""
    joined, start = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = "" if raw.lstrip().startswith("#") else raw.split(" #")[0].strip()
        start = start if joined else number
        joined = f"{joined} {line.removesuffix(chr(92)).strip()}".strip()
        if line.endswith("\\"):
            continue
        if joined:
            yield start, joined
        joined = ""
    if joined:
        yield start, joined
