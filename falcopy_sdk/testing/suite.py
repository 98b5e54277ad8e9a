"""A project's own tests, run on the Python inside its plugin (``falcopy build --test``)."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from packaging.utils import canonicalize_name

from falcopy_sdk.bundle import elf, manifest, room, target
from falcopy_sdk.bundle.stdlib import LEFT_OUT
from falcopy_sdk.exceptions import BuildError, ProjectError, ToolchainError
from falcopy_sdk.testing import inner_python
from falcopy_sdk.testing.confined import LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from falcopy_sdk.bundle.project import Project

__all__ = ["project_with_tests", "run_tests"]

_SITE: Final = "site-packages"
_SDK: Final = "falcopy_sdk"
_CODE: Final = {".py", ".pyc", ".so"}
_TOLD: Final = 12
#: Names the folder in which pytest makes its temporary ones.
_TEMPROOT: Final = "PYTEST_DEBUG_TEMPROOT"
#: https://docs.pytest.org/en/stable/reference/exit-codes.html
_FAILED, _INTERRUPTED, _NO_TESTS = 1, 2, 5


def project_with_tests(plugin: str | Path) -> Project:
    """The project whose tests can be run, found before a build that would be for nothing.

    Args:
        plugin: as for :func:`falcopy_sdk.bundle.build`.

    Raises:
        ProjectError: the plugin is installed without its project.
        ToolchainError: there is no pytest in this environment.
    """
    chosen = target.resolve(plugin, Path.cwd())
    if chosen.project is None:
        raise ProjectError(
            f"{chosen.distribution} is installed without its sources, so that there are no tests "
            "to run. Name its project's folder."
        )
    if importlib.util.find_spec("pytest") is None:
        raise ToolchainError(
            "--test runs pytest, which is not in this environment: pip install pytest"
        )
    return chosen.project


def run_tests(project: Project, library: Path) -> tuple[str, ...]:
    """Runs pytest in the project's folder, on the interpreter and the modules of the library.

    Only pytest, the tests and what these import besides come from this environment; the plugin's
    code finds what the library has. A library for another machine runs nowhere here: its contents
    then confine the plugin's code on this environment's Python, and a note says so.

    pytest prints to standard error, and takes more options from the variable ``PYTEST_ADDOPTS``.

    Args:
        project: what the library was built from.
        library: the built plugin.

    Returns:
        what the author should know though all tests pass, whole sentences.

    Raises:
        ProjectError: it has no tests.
        BuildError: a test fails, or pytest does; the message names what was missed.
        StorageError: there is no room to unpack the library.
    """
    contents = _contents(project, library)
    foreign = _why_not_here(contents)
    with room.told(), tempfile.TemporaryDirectory(prefix="falcopy-test-") as scratch:
        report = Path(scratch) / "report.jsonl"
        limits = Path(scratch) / "limits.json"
        python = [sys.executable]
        if foreign is None:
            python = [str(inner_python.prepare(library, Path(scratch)))]
            contents["python"] = python[0]
        limits.write_text(json.dumps({**contents, "report": str(report)}), encoding="utf-8")
        # Beside another pytest of this user, say of a second build: they would clean up the same
        # folder, which pytest warns of, and a warning may be an error.
        roots = {} if _TEMPROOT in os.environ else {_TEMPROOT: scratch}
        code = subprocess.run(
            [*python, "-m", "pytest", "-p", "falcopy_sdk.testing.confined"],
            cwd=project.folder,
            env={**os.environ, LIMITS: str(limits), **roots},
            stdout=sys.stderr,
            check=False,
        ).returncode
        lines = report.read_text(encoding="utf-8").splitlines() if report.exists() else []
    noted = [json.loads(line) for line in lines]
    if code == _NO_TESTS:
        raise ProjectError(
            f"{project.folder}: pytest found no tests to run. Write some (falcopy new makes a "
            "project that has some), or build without --test."
        )
    refused = _distinct(line for line in noted if "missing" in line)
    if code:
        raise BuildError(_failure(code, contents["name"], library, refused))
    if not noted:
        raise BuildError(
            "pytest ran without its plugin falcopy_sdk.testing.confined: is it blocked?"
        )
    if foreign is None:
        return tuple(_passed_without(refused))
    return (
        f"the tests ran on this environment's Python: {foreign}",
        *_passed_without(refused),
        *_other_versions(project, contents["packages"]),
    )


def _why_not_here(contents: dict[str, Any]) -> str | None:
    """Why this machine cannot run what is inside; None: it can."""
    if sys.platform != "linux" or platform.machine() != contents["machine"]:
        return f"the plugin is for Linux on {contents['machine']}"
    own = platform.libc_ver()[1]
    if elf.parse_glibc(own) < elf.parse_glibc(contents["glibc_floor"]):
        return f"the plugin needs glibc {contents['glibc_floor']}, and this is {own}"
    return None


def _contents(project: Project, library: Path) -> dict[str, Any]:
    with zipfile.ZipFile(library) as archive:
        names = [PurePosixPath(name) for name in archive.namelist()]
        document = json.loads(archive.read(manifest.NAME))
    inside = [path.relative_to(_SITE) for path in names if path.parts[0] == _SITE]
    stdlib = [
        PurePosixPath(*path.parts[3 if path.parts[2] == "lib-dynload" else 2 :])
        for path in names
        if path.parts[0] == "lib" and len(path.parts) > 2
    ]
    modules = _modules(inside)
    others = {f"{_SDK}"}
    for name in document["packages"]:
        if name != project.name:
            others |= _modules(_installed_files(name))
    own = {name for name in modules - others if name.partition(".")[0] != _SDK}
    reasons = {name: f"no bundle has it ({why})" for name, why in LEFT_OUT.items()}
    for name in project.settings.exclude_modules:
        reasons[name] = "[tool.falcopy] exclude-modules leaves it out"
    return {
        "name": document["plugin"]["name"],
        "packages": document["packages"],
        "machine": document["machine"],
        "glibc_floor": document["glibc_floor"],
        "modules": sorted(modules | _modules(stdlib)),
        "own": sorted(own),
        "data": sorted(str(path) for path in inside if path.suffix not in _CODE),
        "distributions": sorted(
            canonicalize_name(path.parts[0].split("-")[0])
            for path in inside
            if path.parts[0].endswith(".dist-info") and path.name == "METADATA"
        ),
        "reasons": reasons,
    }


def _modules(files: Iterable[PurePosixPath]) -> set[str]:
    """Names of the modules, and of all folders: these are packages, if only of namespaces."""
    found: set[str] = set()
    for path in files:
        folders = path.parts[:-1]
        if folders and folders[0].endswith((".dist-info", ".libs")):
            continue
        found |= {".".join(folders[:number]) for number in range(1, len(folders) + 1)}
        stem = path.name.split(".")[0]
        if path.suffix in _CODE and stem != "__init__":
            found.add(".".join([*folders, stem]))
    return found


def _installed_files(name: str) -> list[PurePosixPath]:
    try:
        return [PurePosixPath(file) for file in metadata.distribution(name).files or ()]
    except metadata.PackageNotFoundError:
        return []


def _distinct(refused: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One of a kind; what the plugin's own code asked for first."""
    found = {(line["missing"], line["by"]): line for line in refused}
    return sorted(found.values(), key=lambda line: (not line["own"], line["missing"], line["by"]))


def _failure(code: int, name: str, library: Path, refused: list[dict[str, Any]]) -> str:
    if code == _INTERRUPTED:
        said = "pytest was interrupted, or could not import the tests"
    elif code == _FAILED:
        said = f"tests of {name} fail with what its bundle has"
    else:
        said = f"pytest ended with {code}"
    if not refused:
        return (
            f"{said}. They missed nothing that the bundle lacks: does plain pytest pass? "
            f"{library} is written."
        )
    lines = [
        f"  {line['missing']}, asked for by {line['by']}, line {line['line']}: {line['advice']}"
        for line in refused[:_TOLD]
    ]
    more = [f"  and {len(refused) - _TOLD} more"] if len(refused) > _TOLD else []
    return "\n".join([f"{said}. {library} is written, and lacks:", *lines, *more])


def _passed_without(refused: list[dict[str, Any]]) -> list[str]:
    names = sorted({line["missing"] for line in refused if line["own"]})
    if not names:
        return []
    return [f"the tests pass though the plugin asks for what its bundle lacks: {', '.join(names)}"]


def _other_versions(project: Project, packages: dict[str, str]) -> list[str]:
    differing = []
    for name, version in packages.items():
        try:
            here = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        if here != version and name != project.name:
            differing.append(f"{name} {here} (bundle: {version})")
    if not differing:
        return []
    return [f"the tests ran with other versions than the bundle has: {', '.join(differing)}"]
