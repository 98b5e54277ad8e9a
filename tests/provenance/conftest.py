"""A plugin, a registry and keys for the tests of signatures."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from falcopy_sdk.oci import Registry
from falcopy_sdk.provenance import PrivateKey, load_private
from falcopy_sdk.provenance.keys import write_key_pair

from .publishing import Repository

TESTS = Path(__file__).parents[1]
PASSWORD = b"correct horse"


def _registries() -> ModuleType:
    """What the tests of the registry client start registries with."""
    spec = importlib.util.spec_from_file_location("registries", TESTS / "oci" / "registries.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["registries"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def library(build_once: Callable[..., Path]) -> Path:
    """``libtiny.so``; never changed."""
    return build_once("libtiny.so", TESTS / "bundle" / "projects" / "tiny")


@pytest.fixture
def plugin(library: Path, tmp_path: Path) -> Path:
    """A copy, to be changed."""
    return Path(shutil.copyfile(library, tmp_path / "libtiny.so"))


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Registry, Path]]:
    folder = tmp_path_factory.mktemp("registry")
    with (
        _registries().running_registry(folder) as started,
        Registry(started.host) as registry,
    ):
        yield registry, folder / "data"


@pytest.fixture(scope="session")
def layers() -> dict[Path, bytes]:
    return {}


@pytest.fixture
def repository(
    running: tuple[Registry, Path],
    request: pytest.FixtureRequest,
    layers: dict[Path, bytes],
    tmp_path: Path,
) -> Repository:
    name = f"tests/{tmp_path.name}".lower().replace("_", "-").rstrip("-")
    return Repository(running[0], name, running[1], layers)


@pytest.fixture(scope="session")
def key_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """``cosign.key`` and ``cosign.pub``."""
    folder = tmp_path_factory.mktemp("keys")
    private, public = folder / "cosign.key", folder / "cosign.pub"
    write_key_pair(private, public, PASSWORD)
    return private, public


@pytest.fixture(scope="session")
def key(key_files: tuple[Path, Path]) -> PrivateKey:
    return load_private(key_files[0], lambda: PASSWORD)


@pytest.fixture(scope="session")
def other_key(tmp_path_factory: pytest.TempPathFactory) -> PrivateKey:
    folder = tmp_path_factory.mktemp("other-keys")
    write_key_pair(folder / "a.key", folder / "a.pub", b"")
    return load_private(folder / "a.key", lambda: b"")
