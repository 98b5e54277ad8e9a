"""Runs ``falcopy`` as a user does: in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Protocol

import pytest


class Falcopy(Protocol):
    """Runs a command to its end; ``cwd`` and the like as for subprocess.run."""

    def __call__(self, *arguments: object, **given: Any) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture(scope="session")
def falcopy() -> Falcopy:
    def run(*arguments: object, **given: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "falcopy_sdk", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **given)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run
