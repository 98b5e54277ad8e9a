"""The running Python, as far as a build runs it and a bundle copies it."""

from __future__ import annotations

import importlib.machinery
import os
import platform
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from falcopy_sdk.bundle import cache
from falcopy_sdk.exceptions import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["CONFIG_VARIABLES", "MACHINES", "Interpreter", "Python", "here", "running"]

#: Machines that plugins are built for, by the names that OCI gives their platforms.
MACHINES: Final = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}

#: What code at run time may ask sysconfig for. The full table names the folders and the compiler
#: of the machine that built this Python.
CONFIG_VARIABLES: Final = (
    "ABIFLAGS",
    "EXT_SUFFIX",
    "MULTIARCH",
    "Py_DEBUG",
    "Py_ENABLE_SHARED",
    "Py_GIL_DISABLED",
    "SIZEOF_VOID_P",
    "SOABI",
    "VERSION",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Python:
    """Where the modules of a CPython are, and what runs them.

    Attributes:
        executable: the program to run build steps with.
        version: ``"3.11.7"``.
        stdlib: folder of the pure standard library.
        dynload: folder of its extension modules; absent when all are built in.
        suffixes: of its extension modules, in the order in which it looks for them.
        config: those of ``CONFIG_VARIABLES`` that its sysconfig has.
    """

    executable: Path
    version: str
    stdlib: Path
    dynload: Path
    suffixes: tuple[str, ...]
    config: Mapping[str, object] = field(default_factory=dict, hash=False)

    @property
    def minor(self) -> tuple[int, int]:
        """Major and minor version: bytecode and extension modules fit any of the same."""
        major, minor, *_ = self.version.split(".")
        return int(major), int(minor)

    @property
    def folder(self) -> str:
        """Name of the standard library's folder in a bundle, ``"python3.11"``."""
        return "python{}.{}".format(*self.minor)

    def signature(self) -> str:
        """Changes when one of its files does: names, sizes and times, as make has it."""
        # Some are links to nowhere: Debian's sitecustomize.py, unpacked elsewhere.
        files = (path for top in (self.stdlib, self.dynload) for path in _files(top))
        return cache.digest(self.version, sorted(self.config.items()), *map(cache.stamp, files))


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter(Python):
    """One that a plugin can carry inside.

    Attributes:
        libpython: the shared library.
        machine: ``"x86_64"`` or ``"aarch64"``.
        sysroot: the folder that is ``/`` to it, when it is another platform's; else None.
    """

    libpython: Path
    machine: str
    sysroot: Path | None = None

    def signature(self) -> str:
        """That of its modules, machine and libpython."""
        modules = super(Interpreter, self).signature()
        return cache.digest(modules, self.machine, cache.stamp(self.libpython))


def _files(top: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(top):
        folders[:] = sorted(set(folders) - {"__pycache__", "site-packages", "test"})
        yield from (os.path.join(folder, name) for name in sorted(files))


def running() -> Interpreter:
    """The interpreter that runs this, to be carried inside a plugin.

    Raises:
        ToolchainError: it has no shared libpython, or is not a CPython for Linux.
    """
    python = here()
    if sys.platform != "linux":
        raise ToolchainError(
            f"the Python of a plugin is one for Linux, and this one is for {sys.platform}. Name "
            "another with --platform and --python-root."
        )
    machine = platform.machine()
    if machine not in {"x86_64", "aarch64"}:
        raise ToolchainError(f"plugins are built for x86_64 and aarch64; this machine is {machine}")
    return Interpreter(
        executable=python.executable,
        version=python.version,
        stdlib=python.stdlib,
        dynload=python.dynload,
        suffixes=python.suffixes,
        config=python.config,
        libpython=_libpython(),
        machine=machine,
    )


def here() -> Python:
    """The Python that runs this, on whatever system, to be asked about modules and plugins.

    Raises:
        ToolchainError: it is no CPython.
    """
    if sys.implementation.name != "cpython":
        raise ToolchainError(f"plugins are built by CPython; this is {sys.implementation.name}")
    return Python(
        executable=Path(sys.executable),
        version=platform.python_version(),
        stdlib=Path(sysconfig.get_path("stdlib")),
        # Within a virtual environment "platstdlib" is a folder of the environment.
        dynload=Path(sysconfig.get_path("platstdlib", vars={"platbase": sys.base_exec_prefix}))
        / "lib-dynload",
        suffixes=tuple(importlib.machinery.EXTENSION_SUFFIXES),
        config={
            name: value
            for name in CONFIG_VARIABLES
            if (value := sysconfig.get_config_var(name)) is not None
        },
    )


def _libpython() -> Path:
    name = str(sysconfig.get_config_var("INSTSONAME") or "")
    # Without a shared library INSTSONAME names the static one.
    if ".so" in name:
        libdir = Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib")
        multiarch = str(sysconfig.get_config_var("MULTIARCH") or "")
        # LIBDIR is where it was installed when it was built: a relocatable build is elsewhere.
        for folder in (libdir, libdir / multiarch, Path(sys.base_prefix) / "lib"):
            if (folder / name).is_file():
                return folder / name
    version = ".".join(map(str, sys.version_info[:2]))
    raise ToolchainError(
        f"{sys.executable}: this Python {version} has no shared library (libpython{version}.so), "
        "which a plugin carries inside. Get one and make the environment again with it: "
        f"Debian or Ubuntu: apt install libpython{version}; "
        f"pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install {version}; "
        f"uv: uv python install {version} (its builds have one)."
    )
