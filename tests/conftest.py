"""What several parts of the tests share: C plugins compiled from tests/host/stubs."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Protocol

import pytest

ROOT = Path(__file__).parents[1]
STUBS = ROOT / "tests" / "host" / "stubs"


class Stub(Protocol):
    """Compiles ``stubs/<name>.c`` with macros defined; returns the shared library."""

    def __call__(self, name: str, *macros: str) -> Path: ...


@pytest.fixture(scope="session")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Stub:
    folder = tmp_path_factory.mktemp("stubs")
    made: dict[tuple[str, ...], Path] = {}

    def compiled(name: str, *macros: str) -> Path:
        key = (name, *macros)
        if key not in made:
            path = folder / f"lib{name}-{len(made)}.so"
            subprocess.run(
                ["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]
                + ["-fvisibility=hidden", "-Wno-use-after-free"]
                + [f"-I{ROOT / 'loader_c' / 'include'}", f"-I{ROOT / 'falcopy_sdk' / 'abi'}"]
                + [f"-D{macro}" for macro in macros]
                + [str(STUBS / f"{name}.c"), "-o", str(path), "-lpthread"],
                check=True,
            )
            made[key] = path
        return made[key]

    return compiled
