"""uv or pip: the programs that fetch, check and unpack packages."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from falcopy_sdk.exceptions import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["pip", "run", "run_uv", "uv"]

#: Lines of an installer's error that are shown: its own explanation comes last.
_ERROR_LINES = 30


@lru_cache(maxsize=1)
def uv() -> str | None:
    """The uv program of this environment or on PATH; None when there is none."""
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.is_file() else shutil.which("uv")


def pip() -> list[str]:
    """How to start this environment's pip.

    Raises:
        ToolchainError: it has none, and no uv either.
    """
    if importlib.util.find_spec("pip") is None:
        raise ToolchainError(
            f"neither uv nor pip is there to install packages with {sys.executable}. "
            "Install one: python -m ensurepip, or pip install uv."
        )
    return [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]


def run(command: list[str], environment: Mapping[str, str] | None = None) -> str | None:
    """Runs an installer.

    Returns:
        None after success, else the end of what it wrote.
    """
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=environment,
    )
    if done.returncode == 0:
        return None
    lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    return "\n".join(lines[-_ERROR_LINES:]) or f"{command[0]} ended with {done.returncode}"


def run_uv(command: list[str], environment: Mapping[str, str] | None = None) -> str | None:
    """Runs a command of uv's with what its cache has, and with the index if that is not enough.

    For commands whose result is the same either way. It saves asking the index, and works without
    a network.

    Returns:
        as :func:`run`.
    """
    if run([*command, "--offline"], environment) is None:
        return None
    return run(command, environment)
