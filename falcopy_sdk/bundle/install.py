"""Filling a bundle's site-packages, and taking out what no host needs."""

from __future__ import annotations

import shutil
import sys
import tempfile
from typing import TYPE_CHECKING, Final

from falcopy_sdk.bundle import cache, environment, installer, platforms, requirements, trees
from falcopy_sdk.exceptions import ProjectError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib import metadata
    from pathlib import Path

    from falcopy_sdk.bundle.interpreter import Interpreter
    from falcopy_sdk.bundle.locks import Pin
    from falcopy_sdk.bundle.requirements import Packages

__all__ = ["install", "prune"]

if TYPE_CHECKING:
    #: See :func:`install`.
    Platform = tuple[Interpreter, str]

#: Files for compilers, type checkers and installers. Metadata and licences stay: packages read
#: their own version, and licences ask to travel along.
_LEFT_OUT_SUFFIXES: Final = frozenset(
    {".a", ".c", ".cc", ".cpp", ".h", ".hpp", ".la", ".o", ".pth", ".pxd", ".pyc", ".pyi", ".pyx"}
)
_LEFT_OUT_FILES: Final = frozenset({"py.typed", ".lock"})
_LEFT_OUT_METADATA: Final = frozenset(
    {
        "INSTALLER",
        "RECORD",
        "REQUESTED",
        "WHEEL",
        "direct_url.json",
        "top_level.txt",
        "uv_build.json",
        "uv_cache.json",
    }
)
_LEFT_OUT_FOLDERS: Final = frozenset({"__pycache__", "tests"})
#: Folders that an installer makes beside the packages.
_LEFT_OUT_TOP: Final = frozenset({"bin", "include", "share", "etc", "man"})


def install(packages: Packages, site: Path, platform: Platform | None = None) -> None:
    """Installs pins from the index and copies the rest from the building environment.

    Args:
        packages: what to install.
        site: the folder.
        platform: the interpreter, and the newest glibc that wheels may ask for, ``"2.28"``; None:
            wheels for the running one, here.

    Raises:
        ProjectError: the index lacks a wheel, or one has another hash.
        ToolchainError: neither uv nor pip is there, or the environment was tampered with.
    """
    site.mkdir(parents=True, exist_ok=True)
    if packages.pins:
        key = cache.digest(
            cache.own_code("install"), sys.version, packages.pins, platforms.fitting(platform)
        )
        trees.fill(
            site, "site-packages", key, lambda to: _install_pins(packages.pins, to, platform)
        )
    for dist in packages.installed:
        environment.copy_distribution(dist, site)
    for dist in requirements.tool_chain_only(packages, site):
        _remove(dist, site)


def _install_pins(pins: Sequence[Pin], site: Path, platform: Platform | None) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        for pin in pins:
            hashes = "".join(f" --hash={digest}" for digest in pin.hashes)
            file.write(f"{pin.name}=={pin.version}{hashes}\n")
        file.flush()
        common = ["--target", str(site), "--no-deps", "--require-hashes", "--only-binary", ":all:"]
        common += ["-r", file.name]
        if uv := installer.uv():
            # Copies: bundles link to these files, and uv's cache is none of ours.
            command = [uv, "pip", "install", "--python", sys.executable, "--link-mode", "copy"]
            command += platforms.for_uv(*platform) if platform else []
            problem = installer.run_uv([*command, *common])
        else:
            command = [*installer.pip(), "install", "--no-compile", "--ignore-installed"]
            command += platforms.for_pip(*platform) if platform else []
            problem = installer.run([*command, *common])
    if problem is not None:
        raise ProjectError(
            f"the pinned packages cannot be installed:\n{problem}\nOnly wheels with the hashes of "
            "the lock are taken; make the lock again if a package was replaced on the index."
        )


def _remove(dist: metadata.Distribution, site: Path) -> None:
    for top in {record.parts[0] for record in dist.files or ()} - {"..", "bin"}:
        path = site / top
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def prune(site: Path) -> None:
    """Removes tests, type stubs, sources of extension modules and installers' records."""
    for name in _LEFT_OUT_TOP:
        shutil.rmtree(site / name, ignore_errors=True)
    for path in sorted(site.rglob("*"), reverse=True):
        relative = path.relative_to(site)
        if path.is_symlink():
            path.unlink()
        elif path.is_dir():
            if path.name in _LEFT_OUT_FOLDERS and len(relative.parts) > 1:
                shutil.rmtree(path)
            elif not any(path.iterdir()):
                path.rmdir()
        elif (
            path.suffix in _LEFT_OUT_SUFFIXES
            or path.name in _LEFT_OUT_FILES
            or (relative.parts[0].endswith(".dist-info") and path.name in _LEFT_OUT_METADATA)
        ):
            path.unlink()
