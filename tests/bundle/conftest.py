"""A small real plugin, built once for all tests of this folder."""

import shutil
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from falcopy_sdk.bundle import BuildResult, build

PROJECTS = Path(__file__).parent / "projects"
ROOT = Path(__file__).parents[2]
INCLUDES = [f"-I{ROOT / 'loader_c/include'}", f"-I{ROOT / 'falcopy_sdk/abi'}"]


@dataclass(frozen=True)
class Built:
    """A built plugin and its payload, unpacked."""

    result: BuildResult
    tree: Path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("built")
    result = build(PROJECTS / "tiny", folder / "libtiny.so")
    with zipfile.ZipFile(result.path) as archive:
        archive.extractall(folder / "tree")
    return Built(result, folder / "tree")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the small plugin's project, to be changed."""
    return Path(shutil.copytree(PROJECTS / "tiny", tmp_path / "tiny"))


@pytest.fixture(scope="session")
def compile_c(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compiles C sources: ``compile_c(output name, sources, *arguments)``."""
    folder = tmp_path_factory.mktemp("compiled")

    def compile_(name: str, sources: list[Path], *arguments: str) -> Path:
        output = folder / name
        flags = ["-std=c11", "-Wall", "-Werror", "-D_GNU_SOURCE", *INCLUDES, "-o", str(output)]
        subprocess.run(
            ["gcc", *flags, *map(str, sources), *arguments],
            check=True,
            capture_output=True,
            text=True,
        )
        return output

    return compile_
