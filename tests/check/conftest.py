"""Plugins in C with one defect each, compiled once a run."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Protocol

import pytest

from falcopy_sdk.testing.battery import CheckResult, Subject, run_isolated

ROOT = Path(__file__).parents[2]
SOURCE = Path(__file__).parent / "stubs" / "broken.c"


class Broken(Protocol):
    """The library with the defects whose macros are given."""

    def __call__(self, *macros: str) -> Path: ...


@pytest.fixture(scope="session")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Broken:
    folder = tmp_path_factory.mktemp("broken")
    made: dict[tuple[str, ...], Path] = {}

    def compiled(*macros: str) -> Path:
        if macros not in made:
            path = folder / f"lib{'-'.join(macros).lower() or 'good'}.so"
            subprocess.run(
                ["gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-fPIC", "-shared"]
                + ["-fvisibility=hidden", "-Wno-use-after-free", "-Wno-array-bounds"]
                + [f"-I{ROOT / 'loader_c' / 'include'}", f"-I{ROOT / 'falcopy_sdk' / 'abi'}"]
                + [f"-D{macro}" for macro in macros]
                + [str(SOURCE), "-o", str(path), "-lpthread"],
                check=True,
                capture_output=True,
            )
            made[macros] = path
        return made[macros]

    return compiled


class Checked(Protocol):
    """Runs one check on the library with some defects."""

    def __call__(self, check: str, *macros: str, **given: Any) -> CheckResult: ...


@pytest.fixture
def checked(broken: Broken) -> Checked:
    def run(check: str, *macros: str, **given: Any) -> CheckResult:
        return run_isolated(check, Subject(str(broken(*macros)), **{"patience": 5.0, **given}))

    return run
