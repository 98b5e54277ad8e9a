"""What the tests of the SDK and of its plugins share."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent


@pytest.fixture(scope="session")
def build_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Path]]:
    """``build_once(name, target)``: a built plugin library, one for all workers of a test run."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def build(name: str, target: str | Path) -> Path:
        folder = shared / "built" / name
        folder.mkdir(parents=True, exist_ok=True)
        library = folder / name
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not library.exists():
                command = [Path(sys.executable).with_name("falcopy"), "build", target]
                done = subprocess.run(
                    [*command, "--output", library],
                    cwd=ROOT,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, done.stdout + done.stderr
        return library

    return build


@pytest.fixture(scope="session")
def k8saudit_aks_library(build_once: Callable[..., Path]) -> Path:
    """``libk8saudit-aks.so``, as ``falcopy build k8saudit_aks`` makes it."""
    return build_once("libk8saudit-aks.so", "k8saudit_aks")
