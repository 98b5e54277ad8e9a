"""Real registries, plugins in C for two platforms, and the command as a user runs it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .proxy import Proxy, running_proxy
from .registries import Running, running_registry

SOURCE = Path(__file__).with_name("plugin.c")
RULES = """\
- required_engine_version: 0.31.0
- required_plugin_versions:
  - name: pydemo
    version: 0.1.0
    alternatives: [{name: pydemo-ng, version: 0.1.0}]
  - {name: json, version: 0.7.0}
- rule: Demo
  desc: A demo
  condition: pydemo.text exists
  output: it is there (%pydemo.text)
  priority: INFO
  source: pydemo
"""

#: Bytes of noise behind a plugin, as a payload is: enough to be cut off in the middle.
BIG = 12_000_000

Falcopy = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A registry without TLS; tests use repositories of their own."""
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="session")
def secure_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A registry with TLS and basic authentication."""
    folder = tmp_path_factory.mktemp("secure-registry")
    with running_registry(folder, auth_and_tls=True) as running:
        yield running


@pytest.fixture
def proxy(registry: Running) -> Iterator[Proxy]:
    with running_proxy(registry.port) as running:
        yield running


@pytest.fixture
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A repository of this test's own."""
    return f"tests/{tmp_path.parent.name}/{tmp_path.name}".lower().replace("_", "-").rstrip("-")


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``compiled("NAME=...", machine="aarch64")``: ``libpydemo.so`` of plugin.c."""
    base = tmp_path_factory.getbasetemp()
    # One for all workers of a test run: zig takes ten seconds for the first.
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def compile_(*macros: str, machine: str = "x86_64", flags: tuple[str, ...] = ()) -> Path:
        key = hashlib.sha256(repr((macros, machine, flags)).encode()).hexdigest()[:16]
        output = shared / "plugins" / key / "libpydemo.so"
        output.parent.mkdir(parents=True, exist_ok=True)
        with (output.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not output.exists():
                _compile(output, macros, machine, flags)
        return output

    return compile_


def _compile(output: Path, macros: tuple[str, ...], machine: str, flags: tuple[str, ...]) -> None:
    cross = [sys.executable, "-m", "ziglang", "cc", "-target", f"{machine}-linux-gnu.2.17"]
    compiler = ["gcc"] if machine == "x86_64" else cross
    made = output.with_suffix(".new")
    subprocess.run(
        [*compiler, "-shared", "-fPIC", "-O1", "-s", str(SOURCE), "-o", str(made)]
        + [f"-D{macro}" for macro in macros]
        + list(flags),
        check=True,
        env={**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(output.parent / "zig")},
    )
    made.rename(output)


@pytest.fixture(scope="session")
def plugin(compiled: Callable[..., Path]) -> Path:
    return compiled()


@pytest.fixture(scope="session")
def arm_plugin(compiled: Callable[..., Path]) -> Path:
    return compiled(machine="aarch64")


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "pydemo_rules.yaml"
    path.write_text(RULES)
    return path


@pytest.fixture
def falcopy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Falcopy:
    """The command, with a home of its own and no credentials."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)

    def run(*arguments: object, **given: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "falcopy_sdk", *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=100, **given
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def layout_of_two(plugin: Path, arm_plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layout of pydemo 0.1.0 for two platforms; not to be changed."""
    return _package(plugin, arm_plugin, folder=tmp_path_factory.mktemp("two"))


@pytest.fixture
def packaged(layout_of_two: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(layout_of_two, tmp_path / "oci" / "pydemo"))


@pytest.fixture(scope="session")
def big_layout(compiled: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A layout with a layer of 12 MB: a plugin with noise behind it, as a payload is."""
    folder = tmp_path_factory.mktemp("big")
    library = folder / "libpydemo.so"
    library.write_bytes(compiled().read_bytes() + os.urandom(BIG))
    return _package(library, folder=folder)


def _package(*files: Path, folder: Path) -> Path:
    done = subprocess.run(
        [sys.executable, "-m", "falcopy_sdk", "package", *files, "-o", folder / "oci", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Path(json.loads(done.stdout)["artifacts"][0]["layout"])
