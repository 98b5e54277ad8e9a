"""Plugin project to ``lib<name>.so``, step by step."""

from __future__ import annotations

import importlib
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packaging.utils import canonicalize_name

from falcopy_sdk import hooks
from falcopy_sdk.bundle import (
    bytecode,
    cache,
    choose,
    facts,
    image,
    install,
    interpreter,
    inventory,
    library_file,
    links,
    manifest,
    payload,
    private_cache,
    project,
    requirements,
    results,
    room,
    sdk,
    shake,
    stdlib,
    target,
    unchanged,
    wheels,
)
from falcopy_sdk.bundle.contents import Contents
from falcopy_sdk.bundle.imports import Scans
from falcopy_sdk.bundle.interpreter import Interpreter
from falcopy_sdk.bundle.results import BuildResult
from falcopy_sdk.bundle.settings import Settings
from falcopy_sdk.exceptions import BuildError, ProjectError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from falcopy_sdk.bundle.interpreter import Python
    from falcopy_sdk.bundle.inventory import Package
    from falcopy_sdk.bundle.target import Target
    from falcopy_sdk.declare.facts import StaticFacts

__all__ = ["BuildResult", "build"]


#: Needed later, unless a kept result is taken, and slow to import.
_SLOW: Final = ("falcopy_sdk.bundle.audit", "falcopy_sdk.bundle.sbom")


@dataclass(frozen=True, slots=True)
class _Tree:
    """The assembled folder and what is known about it."""

    contents: Contents
    facts: StaticFacts
    bridge: str
    packages: tuple[Package, ...]
    source_hash: str
    notes: tuple[str, ...]
    #: Modules that its extension modules import.
    traced: frozenset[str]


def build(
    plugin: str | Path = Path(),
    output: Path | None = None,
    *,
    glibc: str | None = None,
    platform: str | None = None,
    python_root: Path | None = None,
    keep_sources: bool = False,
    progress: Callable[[str], None] | None = None,
) -> BuildResult:
    """Builds a plugin with the running interpreter and its environment.

    Args:
        plugin: a folder with pyproject.toml, ``"module:Class"`` or a registered name; default: the
            current folder.
        output: the file to write; default ``dist/lib<name>.so`` in the current folder. An existing
            one is replaced at once, never written into: a process may have it loaded.
        glibc: the oldest version that the plugin must run on, ``"2.28"``; None: whatever comes out.
        platform: ``"linux/amd64"`` or ``"linux/arm64"``; None: this machine's.
        python_root: a folder with the CPython of that platform, of the running one's minor version;
            None: the running one.
        keep_sources: the bundle has the Python sources as well, so that tracebacks show lines of
            code; without them they have files, functions and line numbers.
        progress: called at the start of each step with what it does.

    Raises:
        PluginLookupError: there is no such plugin, or it does not import.
        DeclarationError: the plugin's class is declared wrongly.
        BuildError: anything else went wrong; its subclasses say what to do.
        StorageError: a disk is full.
    """
    with room.told(cache.home()):
        return _build_or_take(
            plugin, output, glibc, platform, python_root, keep_sources, progress or (lambda _: None)
        )


def _build_or_take(
    plugin: str | Path,
    output: Path | None,
    glibc: str | None,
    platform: str | None,
    python_root: Path | None,
    keep_sources: bool,
    say: Callable[[str], None],
) -> BuildResult:
    started = time.monotonic()
    python = choose.python(platform, python_root)
    chosen = target.resolve(plugin, Path.cwd())
    say("reading the plugin's dependencies")
    wheels_for = choose.wheels_for(python, glibc)
    packages = _packages(chosen, wheels_for)
    added = _contents_of_hooks(chosen.ref)
    limit = wheels_for and wheels_for[1]
    options = (glibc, limit, keep_sources)
    key = unchanged.key_of(chosen.project, chosen.ref, packages, python, added, output, *options)
    if key is not None and results.has(key):
        say("taking the result of the last build, whose inputs were the same")
        if (taken := results.take(key, output, started)) is not None:
            return taken
    result, system = _build(
        chosen, packages, added, python, wheels_for, output, glibc, keep_sources, say, started
    )
    cache.tidy()
    if key is not None:
        results.keep(key, result, system)
    return result


def _packages(chosen: Target, wheels_for: tuple[Interpreter, str] | None) -> requirements.Packages:
    if chosen.project is not None:
        return requirements.of_project(chosen.project, wheels_for)
    if wheels_for is not None:
        raise ProjectError(
            f"{chosen.distribution} is installed without its sources, so that it can be built for "
            "this platform and its own packages only. Name its project's folder."
        )
    return requirements.of_distribution(metadata.distribution(chosen.distribution or ""))


def _build(
    chosen: Target,
    packages: requirements.Packages,
    added: dict[str, bytes | Path],
    python: Interpreter,
    wheels_for: tuple[Interpreter, str] | None,
    output: Path | None,
    glibc: str | None,
    keep_sources: bool,
    say: Callable[[str], None],
    started: float,
) -> tuple[BuildResult, Iterable[Path]]:
    """The result, and the libraries of this machine that went into it."""
    from falcopy_sdk.bundle import sbom

    loader = sdk.loader(python.machine)
    with tempfile.TemporaryDirectory(prefix="falcopy-build-") as scratch:
        root = Path(scratch) / "bundle"
        if python.sysroot is None:
            tree = _assemble(chosen, packages, added, python, wheels_for, keep_sources, root, say)
        else:
            # What cannot be run here is asked of the same plugin, made for this machine, which may
            # have another system than Linux.
            say("making it for this machine, to ask it")
            here = interpreter.here()
            own, beside = _packages(chosen, None), Path(scratch) / "twin"
            twin = _assemble(chosen, own, {}, here, None, False, beside, say)
            tree = _assemble(
                chosen, packages, added, python, wheels_for, keep_sources, root, say, twin
            )
        contents = tree.contents
        versions = {package.name: package.version for package in tree.packages}
        say("making its libraries private")
        private = private_cache.privatized(
            contents, python.libpython, _identity(tree.facts), python.machine, python.sysroot
        )
        say("packing")
        sbom.write(
            contents,
            sbom.Inputs(
                facts=tree.facts,
                interpreter=python,
                loader=loader,
                sdk=inventory.of_sdk(),
                packages=tree.packages,
                system=private.origins,
                lock=requirements.lock_of(chosen.project) if chosen.project else None,
                source=chosen.project.name if chosen.project else chosen.distribution or "",
                source_hash=tree.source_hash,
            ),
        )
        manifest.write(
            contents,
            facts=tree.facts,
            sdk_version=metadata.version(requirements.SDK),
            python=python.version,
            machine=python.machine,
            packages=versions,
            system_libraries=private.system,
            glibc_floor=private.glibc_floor,
            bridge=tree.bridge,
        )
        archive = Path(scratch) / "payload.zip"
        packed = payload.write(contents, archive)
        path = (output or Path("dist") / f"lib{tree.facts.name}.so").absolute()
        say("auditing the result")
        filled = image.Image(
            facts=tree.facts,
            bridge_path=tree.bridge,
            payload_offset=loader.stat().st_size,
            payload_size=packed.size,
            payload_sha256=packed.sha256,
            glibc_floor=private.glibc_floor,
        )
        checked = library_file.write(path, loader, archive, filled, contents, glibc)
    result = BuildResult(
        path=path,
        name=tree.facts.name,
        version=tree.facts.version,
        size=checked.size,
        sha256=checked.sha256,
        seconds=time.monotonic() - started,
        glibc_floor=private.glibc_floor,
        python=python.version,
        packages=versions,
        files=packed.files,
        libraries=private.libraries,
        renamed_symbols=private.renamed,
        notes=(*tree.notes, *checked.notes),
    )
    return result, private.origins.values()


def _assemble(
    chosen: Target,
    packages: requirements.Packages,
    added: dict[str, bytes | Path],
    python: Python,
    wheels_for: tuple[Interpreter, str] | None,
    keep_sources: bool,
    root: Path,
    say: Callable[[str], None],
    twin: _Tree | None = None,
) -> _Tree:
    site = root / "site-packages"
    source_hash, scans = "", Scans(python.minor)
    # In this order: the folder goes once nobody writes there any more.
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(1) as beside:
        # The backend is another process, which is waited for; there is enough to do meanwhile.
        own, made, unpacked = chosen.project, Path(scratch, "made"), Path(scratch, "unpacked")
        made.mkdir()
        wheel = None if own is None else beside.submit(project.build_wheel, own, made)
        say(f"copying the standard library of Python {python.version}")
        stdlib.copy(python, root / "lib" / python.folder)
        say(f"installing {len(packages.pins) + len(packages.installed)} packages")
        install.install(packages, site, wheels_for)
        origins = wheels.installed_wheels(packages.pins, site, wheels_for)
        found = inventory.with_wheels(inventory.take(site), origins)
        install.prune(site)
        if own is not None and wheel is not None:
            say(f"building {own.name}")
            for slow in _SLOW:
                importlib.import_module(slow)
            scans.ahead(site, wheel.done)
            project.unpack_wheel(wheel.result(), unpacked)
            source_hash = inventory.source_hash(unpacked, own.name)
            found = tuple(sorted((*found, *inventory.take(unpacked)), key=lambda each: each.name))
            install.prune(unpacked)
            links.tree(unpacked, site)
    bridge = sdk.copy(site, python.suffixes[0] if isinstance(python, Interpreter) else None)
    say("taking out what the plugin cannot reach")
    found, traced = _shake(root, python, chosen, found, scans, twin.traced if twin else None)
    say("compiling to bytecode")
    kept = root.rglob("*.py") if keep_sources else ()
    sources = {path.relative_to(root).as_posix(): path.read_bytes() for path in kept}
    _refuse_broken(bytecode.compile_tree(root, python), chosen)
    for name, data in added.items():
        _add(root, name, data)
    bytecode.put_back(root, sources, python)
    if twin is None:
        say("asking the plugin for its static facts")
    answers = twin.facts if twin else facts.ask(root, python, chosen.ref)
    # Not before: a package may write beside itself when it is imported.
    contents = Contents(root)
    return _Tree(contents, answers, bridge, found, source_hash, packages.notes, traced)


def _shake(
    root: Path,
    python: Python,
    chosen: Target,
    packages: tuple[Package, ...],
    scans: Scans,
    traced: frozenset[str] | None,
) -> tuple[tuple[Package, ...], frozenset[str]]:
    """Leaves the modules that the plugin can reach; returns the packages that have some left."""
    site = root / "site-packages"
    name = chosen.project.name if chosen.project else canonicalize_name(chosen.distribution or "")
    before = {package.name: _present(package, site) for package in packages}
    own = next((files for each, files in before.items() if each == name), frozenset())
    settings = chosen.project.settings if chosen.project else Settings()
    traced = shake.shake(root, python, chosen.ref, before, own, settings, scans, traced)
    for info in sorted(site.glob("*.dist-info")):
        shake.slim_metadata(info)
    return tuple(p for p in packages if p.name == name or _present(p, site)), traced


def _present(package: Package, site: Path) -> frozenset[str]:
    """The package's files in ``site``, without its metadata."""
    return frozenset(
        file
        for file in package.files
        if not file.partition("/")[0].endswith(".dist-info") and (site / file).is_file()
    )


def _contents_of_hooks(ref: str) -> dict[str, bytes | Path]:
    given = hooks.manager().hook.falcopy_bundle_contents(ref=ref)
    return {path: contents for files in given for path, contents in files.items()}


def _add(root: Path, added: str, contents: bytes | Path) -> None:
    path = root / added
    inside = path.resolve().is_relative_to(root.resolve()) and "\\" not in added
    if not inside or path.exists():
        why = "is in the bundle already" if inside else "is outside the bundle"
        raise BuildError(
            f"a hook (falcopy_bundle_contents) adds {added!r}, which {why}. Give another path."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(contents if isinstance(contents, bytes) else contents.read_bytes())


def _refuse_broken(rejected: tuple[bytecode.Rejected, ...], chosen: Target) -> None:
    """A dependency may carry files that are no Python of this version; the plugin may not."""
    package = chosen.ref.partition(":")[0].split(".")[0]
    for file in rejected:
        parts = Path(file.path).parts
        if parts[0] == "site-packages" and parts[1].removesuffix(".py") == package:
            where = "/".join(parts[1:])
            raise ProjectError(f"{where}, line {file.line}: {file.message}. Fix the syntax.")


def _identity(answers: StaticFacts) -> str:
    return f"{answers.plugin_ref} {answers.name} {answers.version}"
