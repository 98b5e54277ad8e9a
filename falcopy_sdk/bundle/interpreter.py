"""The running interpreter, as far as a bundle copies it."""

from __future__ import annotations

import importlib.machinery
import platform
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from falcopy_sdk.exceptions import ToolchainError

__all__ = ["Interpreter", "running"]


@dataclass(frozen=True, slots=True)
class Interpreter:
    """Where the parts of a CPython are.

    Attributes:
        executable: the program to run build steps with.
        version: ``"3.11.7"``.
        stdlib: folder of the pure standard library.
        dynload: folder of its extension modules; absent when all are built in.
        libpython: the shared library.
        machine: ``"x86_64"`` or ``"aarch64"``.
        suffixes: of its extension modules, in the order in which it looks for them.
    """

    executable: Path
    version: str
    stdlib: Path
    dynload: Path
    libpython: Path
    machine: str
    suffixes: tuple[str, ...]

    @property
    def minor(self) -> tuple[int, int]:
        """Major and minor version: bytecode and extension modules fit any of the same."""
        major, minor, *_ = self.version.split(".")
        return int(major), int(minor)

    @property
    def folder(self) -> str:
        """Name of the standard library's folder in a bundle, ``"python3.11"``."""
        return "python{}.{}".format(*self.minor)


def running() -> Interpreter:
    """The interpreter that runs this.

    Raises:
        ToolchainError: it has no shared libpython, or is not a CPython for Linux.
    """
    if sys.platform != "linux" or sys.implementation.name != "cpython":
        raise ToolchainError(
            f"plugins are built by CPython on Linux; this is {sys.implementation.name} on "
            f"{sys.platform}"
        )
    machine = platform.machine()
    if machine not in {"x86_64", "aarch64"}:
        raise ToolchainError(f"plugins are built for x86_64 and aarch64; this machine is {machine}")
    return Interpreter(
        executable=Path(sys.executable),
        version=platform.python_version(),
        stdlib=Path(sysconfig.get_path("stdlib")),
        # Within a virtual environment "platstdlib" is a folder of the environment.
        dynload=Path(sysconfig.get_path("platstdlib", vars={"platbase": sys.base_exec_prefix}))
        / "lib-dynload",
        libpython=_libpython(),
        machine=machine,
        suffixes=tuple(importlib.machinery.EXTENSION_SUFFIXES),
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
