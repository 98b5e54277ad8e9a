"""A plugin's project: what its pyproject.toml says, and its packages as a wheel has them."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from falcopy_sdk.bundle import installer, links
from falcopy_sdk.bundle.settings import Settings, read_settings
from falcopy_sdk.exceptions import ProjectError
from falcopy_sdk.hooks import GROUP

__all__ = ["Project", "build_wheel", "read_project", "unpack_wheel"]


@dataclass(frozen=True, slots=True)
class Project:
    """The parts of a pyproject.toml that a build needs.

    Attributes:
        folder: absolute.
        name: normalised (PEP 503).
        plugins: entry points of the group ``falcopy``.
        dependencies: None when the build backend computes them (``dynamic``).
        settings: its ``[tool.falcopy]``.
        document: the whole of its pyproject.toml.
    """

    folder: Path
    name: str
    plugins: dict[str, str]
    dependencies: tuple[Requirement, ...] | None
    settings: Settings
    document: dict[str, Any] = field(hash=False)

    def plugin_ref(self) -> str:
        """``module:Class`` of the project's one plugin.

        Raises:
            ProjectError: it has none, or several.
        """
        where = self.folder / "pyproject.toml"
        if not self.plugins:
            raise ProjectError(
                f"{where}: no plugin is declared. Add:\n\n"
                f"[project.entry-points.{GROUP}]"
                f'\n{self.name} = "your_module:YourClass"'
            )
        if len(self.plugins) > 1:
            choices = ", ".join(sorted(self.plugins.values()))
            raise ProjectError(f"{where} declares several plugins; build one of them: {choices}")
        return next(iter(self.plugins.values()))


def read_project(folder: Path) -> Project:
    """Reads ``folder/pyproject.toml``.

    Raises:
        ProjectError: it is missing, is no TOML, or lacks the name.
    """
    path = folder / "pyproject.toml"
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ProjectError(
            f"{path} does not exist. A plugin is a folder with a pyproject.toml: name that folder, "
            "or write one; the README of falcopy has an example."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path}: not valid TOML: {error}") from error
    table = document.get("project")
    if not isinstance(table, dict) or not isinstance(table.get("name"), str):
        raise ProjectError(f'{path}: has no name. Add a table [project] with name = "…".')
    _check_python(path, table.get("requires-python"))
    plugins = table.get("entry-points", {}).get(GROUP, {})
    return Project(
        folder=folder.resolve(),
        name=canonicalize_name(table["name"]),
        plugins={str(key): str(value) for key, value in plugins.items()},
        dependencies=_dependencies(path, table),
        settings=read_settings(document, path),
        document=document,
    )


def _check_python(path: Path, wanted: object) -> None:
    version = platform.python_version()
    try:
        fits = wanted is None or SpecifierSet(str(wanted)).contains(version, prereleases=True)
    except InvalidSpecifier as error:
        raise ProjectError(f"{path}: [project] requires-python: {error}") from error
    if not fits:
        raise ProjectError(
            f"{path}: requires-python is {wanted}, and this build runs with Python {version}, "
            "which would travel inside the plugin. Build in an environment of another Python, or "
            "change requires-python."
        )


def _dependencies(path: Path, table: dict[str, Any]) -> tuple[Requirement, ...] | None:
    if "dependencies" in table.get("dynamic", ()):
        return None
    try:
        return tuple(Requirement(text) for text in table.get("dependencies", ()))
    except InvalidRequirement as error:
        raise ProjectError(f"{path}: [project] dependencies: {error}") from error


def build_wheel(project: Project, output: Path) -> Path:
    """Builds the project's wheel with its own build backend.

    The backend decides which files belong to the project, as for ``pip install``.

    Args:
        project: to build.
        output: an empty folder for the wheel.

    Returns:
        the wheel.

    Raises:
        ProjectError: the backend failed, or made something else than one wheel.
        ToolchainError: neither uv nor pip is there.
    """
    with tempfile.TemporaryDirectory(prefix="falcopy-wheel-") as scratch:
        # setuptools would write into the project, and reuse files of its earlier builds there
        # that are gone from the sources (setuptools documentation, "DIST_EXTRA_CONFIG").
        config = Path(scratch) / "setup.cfg"
        config.write_text(
            f"[build]\nbuild_base = {scratch}/build\n[egg_info]\negg_base = {scratch}\n"
        )
        environment = {**os.environ, "DIST_EXTRA_CONFIG": str(config)}
        if uv := installer.uv():
            command = [uv, "build", "--wheel", "--python", sys.executable]
            command += ["--out-dir", str(output), str(project.folder)]
            problem = installer.run_uv(command, environment)
        else:
            command = [*installer.pip(), "wheel", "--no-deps"]
            # Without need nothing is fetched: pip keeps no environments of build backends.
            command += ["--no-build-isolation"] if _has_backend(project) else []
            command += ["--wheel-dir", str(output), str(project.folder)]
            problem = installer.run(command, environment)
        wheels = sorted(output.glob("*.whl"))
        if problem is not None or len(wheels) != 1:
            raise ProjectError(
                f"{project.folder}: its build backend made no wheel:\n{problem or 'no error given'}"
            )
        return wheels[0]


def _has_backend(project: Project) -> bool:
    """Whether this environment has what the project needs to be built (PEP 518)."""
    wanted = project.document.get("build-system", {}).get("requires", ["setuptools"])
    try:
        requirements = [Requirement(text) for text in wanted]
    except InvalidRequirement:
        return False  # the backend's frontend will tell
    return all(
        not (each.marker is None or each.marker.evaluate()) or _is_met(each)
        for each in requirements
    )


def _is_met(requirement: Requirement) -> bool:
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return False
    return requirement.specifier.contains(version, prereleases=True)


def unpack_wheel(wheel: Path, site: Path) -> None:
    """Unpacks the importable part of a wheel (PyPA "Binary distribution format")."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            parts = PurePosixPath(entry.filename).parts
            if entry.is_dir() or not parts or ".." in parts:
                continue
            if parts[0].endswith(".data"):
                if parts[1] not in {"purelib", "platlib"}:
                    continue
                parts = parts[2:]
            target = links.place(site.joinpath(*parts))
            with archive.open(entry) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
