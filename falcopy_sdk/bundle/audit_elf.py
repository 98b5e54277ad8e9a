"""The part of an audit that looks into shared libraries."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

from falcopy_sdk.bundle import audit_names, elf
from falcopy_sdk.exceptions import BuildError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from falcopy_sdk.bundle.elf import SharedLibrary

__all__ = ["Finding", "links", "look", "too_new"]

# elf.h: segment flags, and DF_TEXTREL of DT_FLAGS.
_EXECUTABLE, _WRITABLE = 1, 2
_DF_TEXTREL: Final = 4
_REBUILD: Final = "Use another build of the package it comes with, or leave that package out."


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        code: of its kind, ``"missing-library"``.
        file: in the bundle, or the name of a package.
        problem: what is wrong, without the file's name.
        fix: what to do, one or more sentences.
    """

    code: str
    file: str
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.file}: {self.problem} [{self.code}]. {self.fix}"


def look(path: Path, name: str, machine: str) -> tuple[list[Finding], SharedLibrary | None]:
    """What can be told from one file alone."""
    try:
        with path.open("rb") as stream:
            image = ELFFile(stream)
            if image["e_type"] not in {"ET_DYN", "ET_EXEC"}:
                return [], None  # an object file: data, which nothing loads
            if image["e_machine"] != machine:
                problem = f"is for {image['e_machine']}, and the plugin for {machine}"
                fix = "Build for one platform: its Python, its wheels, its libraries."
                return [Finding("wrong-machine", name, problem, fix)], None
            findings = [*_segments(image, name), *_text_relocations(image, name)]
            findings += _leftovers(image, name)
        library = elf.read(path)
    except (ELFError, BuildError) as error:
        return [Finding("unreadable-library", name, f"cannot be read ({error})", _REBUILD)], None
    return [*findings, *_run_paths(library, name)], library


def links(root: Path, libraries: Mapping[Path, SharedLibrary]) -> list[Finding]:
    """Whether all that is needed is there, and nothing can be taken from the host."""
    findings = []
    needs = {path: _needs(library, libraries) for path, library in libraries.items()}
    linked = [each for found in needs.values() for each in found.values() if each is not None]
    names = audit_names.Names.of(libraries, linked)
    for path, library in libraries.items():
        shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
        for needed, provider in needs[path].items():
            if provider is None:
                problem = f"needs {needed}, which is neither in the bundle nor part of glibc"
                fix = f"Install the system package that has {needed} and build again."
                findings.append(Finding("missing-library", shown, problem, fix))
        loaded = _loaded(library, needs)
        reachable = {name for each in loaded for name in libraries[each].defined}
        has_libm = any("libm.so.6" in libraries[each].needed for each in loaded)
        problems = names.problems(library, reachable, has_libm)
        findings += [Finding(code, shown, problem, fix) for code, problem, fix in problems]
    return findings


def too_new(
    root: Path, plugin: Path, libraries: Mapping[Path, SharedLibrary], glibc: str
) -> list[Finding]:
    """Symbol versions that a glibc of this version does not have."""
    findings = []
    limit = elf.parse_glibc(glibc)
    for path, library in libraries.items():
        shown = path.relative_to(root).as_posix() if path != plugin else path.name
        for provider, version in sorted(set(library.version_needs)):
            own = elf.glibc_version(provider, version)
            if own is not None and own > limit:
                users = [s.name for s in library.symbols if s.version == version][:3]
                what = f" (for {', '.join(users)})" if users else ""
                problem = f"needs {version} of {provider}{what}, which glibc {glibc} has not"
                fix = (
                    "Build with a Python and wheels made for an older glibc (manylinux), or say "
                    "--glibc with a newer one."
                )
                findings.append(Finding("glibc-too-new", shown, problem, fix))
    return findings


def _segments(image: ELFFile, name: str) -> list[Finding]:
    findings = []
    stack = False
    for segment in image.iter_segments():
        both = segment["p_flags"] & _WRITABLE and segment["p_flags"] & _EXECUTABLE
        if segment["p_type"] == "PT_LOAD" and both:
            problem = "has a segment that is writable and executable"
            findings.append(Finding("writable-code", name, problem, _REBUILD))
        if segment["p_type"] == "PT_GNU_STACK":
            stack = True
            if segment["p_flags"] & _EXECUTABLE:
                problem = "asks for an executable stack, which hardened hosts refuse"
                findings.append(Finding("executable-stack", name, problem, _REBUILD))
    if not stack:
        problem = "does not say that its stack needs not be executable, so that it becomes so"
        findings.append(Finding("executable-stack", name, problem, _REBUILD))
    return findings


def _text_relocations(image: ELFFile, name: str) -> list[Finding]:
    for segment in image.iter_segments():
        if not isinstance(segment, DynamicSegment):
            continue
        for tag in segment.iter_tags():
            flagged = tag.entry.d_tag == "DT_FLAGS" and tag.entry.d_val & _DF_TEXTREL
            if tag.entry.d_tag == "DT_TEXTREL" or flagged:
                problem = "has relocations in its code, which needs writable code while it loads"
                return [Finding("text-relocations", name, problem, _REBUILD)]
    return []


def _leftovers(image: ELFFile, name: str) -> list[Finding]:
    names = {section.name for section in image.iter_sections()}
    if names & {".symtab", ".debug_info"}:
        problem = "is not stripped"
        return [Finding("not-stripped", name, problem, "Build the plugin again.")]
    return []


def _run_paths(library: SharedLibrary, name: str) -> list[Finding]:
    findings = []
    for entry in (*library.rpath, *library.runpath):
        depth = len(Path(name).parts) - 1
        inner = entry.replace("${ORIGIN}", "$ORIGIN").removeprefix("$ORIGIN").lstrip("/")
        normal = os.path.normpath("/".join(["d"] * depth + [inner]))
        if not entry.startswith(("$ORIGIN", "${ORIGIN}")) or normal.startswith(".."):
            problem = f"looks for libraries outside the bundle, in {entry!r}"
            fix = "Build the plugin again with this version of falcopy."
            findings.append(Finding("outside-run-path", name, problem, fix))
    return findings


def _found(
    library: SharedLibrary, needed: str, libraries: Mapping[Path, SharedLibrary]
) -> SharedLibrary | None:
    for entry in (*library.runpath, *library.rpath):
        folder = entry.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", str(library.path.parent))
        found = libraries.get(Path(os.path.normpath(folder)) / needed)
        if found is not None:
            return found
    return None


def _needs(
    library: SharedLibrary, libraries: Mapping[Path, SharedLibrary]
) -> dict[str, SharedLibrary | None]:
    """The libraries that it needs besides glibc's; None: it is nowhere."""
    names = [name for name in library.needed if name not in elf.GLIBC_LIBRARIES]
    return {name: _found(library, name, libraries) for name in names}


def _loaded(
    library: SharedLibrary, needs: Mapping[Path, Mapping[str, SharedLibrary | None]]
) -> set[Path]:
    """The files that are loaded once it is, itself included."""
    loaded = {library.path}
    waiting = [library.path]
    while waiting:
        for provider in needs[waiting.pop()].values():
            if provider is not None and provider.path not in loaded:
                loaded.add(provider.path)
                waiting.append(provider.path)
    return loaded
