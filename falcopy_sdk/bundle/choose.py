"""Which Python goes into a bundle, and which wheels go with it."""

from __future__ import annotations

import platform as this_machine
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from falcopy_sdk.bundle import elf, interpreter, python_root
from falcopy_sdk.bundle.interpreter import MACHINES
from falcopy_sdk.exceptions import ToolchainError

if TYPE_CHECKING:
    from falcopy_sdk.bundle.interpreter import Interpreter

__all__ = ["python", "wheels_for"]


def python(platform: str | None, root: Path | None) -> Interpreter:
    """The running interpreter, or the one of a platform in a folder.

    Args:
        platform: ``"linux/amd64"`` or ``"linux/arm64"``; None: this machine's.
        root: the folder; None: the running one is meant.

    Raises:
        ToolchainError: there is none for that platform.
    """
    own = next((name for name, m in MACHINES.items() if m == this_machine.machine()), None)
    wanted = platform or own
    if wanted not in MACHINES:
        raise ToolchainError(
            f"plugins are built for {' and '.join(MACHINES)}; this machine is neither. Name one "
            "with --platform, and its CPython with --python-root."
        )
    if root is not None:
        return python_root.find(root, MACHINES[wanted], Path(sys.executable))
    if wanted != own or sys.platform != "linux":
        version = "{}.{}".format(*sys.version_info[:2])
        raise ToolchainError(
            f"a plugin for {wanted} needs the CPython of that platform: name a folder with "
            f"--python-root, for example the unpacked Debian packages libpython{version}, "
            f"libpython{version}-stdlib and libpython{version}-minimal with the libraries they "
            "need (apt-get download, dpkg-deb -x)."
        )
    return interpreter.running()


def wheels_for(python: Interpreter, glibc: str | None) -> tuple[Interpreter, str] | None:
    """The interpreter, and the newest glibc that wheels may ask for; None: whatever runs here."""
    if glibc is None and python.sysroot is None:
        return None
    return python, glibc or elf.glibc_floor([elf.read(python.libpython)])
