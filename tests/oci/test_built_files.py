"""A file that falcopy built is packaged only as it was built, for this machine and for others."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from falcopy_sdk.bundle import elf, image, sdk
from falcopy_sdk.exceptions import PackageError
from falcopy_sdk.oci import package_plugin
from falcopy_sdk.oci.elf import BUILT_SECTION, read_elf

from .conftest import Falcopy
from .registries import Running

TINY = Path(__file__).parents[1] / "bundle" / "projects" / "tiny"


@pytest.fixture(scope="session")
def tiny(build_once: Callable[..., Path]) -> Path:
    """``libtiny.so``; never changed."""
    return build_once("libtiny.so", TINY)


@pytest.fixture
def damaged(tiny: Path, tmp_path: Path) -> Path:
    """The same with one bit of its payload changed: what a host reads of its name is as it was."""
    path = Path(shutil.copyfile(tiny, tmp_path / "libtiny.so"))
    with path.open("r+b") as file:
        file.seek(path.stat().st_size - 40_000)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
    return path


@pytest.fixture
def for_arm(tiny: Path, tmp_path: Path) -> Path:
    """The loader for arm64 with the static facts and the payload of ``libtiny.so``."""
    loader = sdk.loader("aarch64")
    built = image.read_image(tiny)
    offset = -(-loader.stat().st_size // 65536) * 65536
    data = bytearray(loader.read_bytes().ljust(offset, b"\0"))
    with loader.open("rb") as stream:
        place = image.place_of(stream, loader)
    filled = image.pack(dataclasses.replace(built, payload_offset=offset))
    data[place : place + len(filled)] = filled
    path = tmp_path / "arm64" / "libtiny.so"
    path.parent.mkdir()
    path.write_bytes(bytes(data) + tiny.read_bytes()[built.payload_offset :])
    return path


def test_both_sides_know_a_build_by_the_same_section(tiny: Path, plugin: Path) -> None:
    assert BUILT_SECTION == image.SECTION
    assert (read_elf(tiny).built, read_elf(plugin).built) == (True, False)


def test_a_whole_build_is_packaged(tiny: Path, falcopy: Falcopy, tmp_path: Path) -> None:
    done = falcopy("package", tiny, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr


def test_a_damaged_build_is_neither_packaged_nor_pushed(
    damaged: Path, falcopy: Falcopy, registry: Running, repository: str, tmp_path: Path
) -> None:
    for command in (
        ("package", damaged, "-o", tmp_path / "out"),
        ("push", damaged, f"{registry.host}/{repository}"),
    ):
        done = falcopy(*command)
        assert done.returncode == 5
        assert f"{damaged}: payload: its SHA-256 is " in done.stderr
        assert "build it again" in done.stderr
    assert not list((tmp_path / "out").glob("*/index.json"))
    assert registry.tags(repository) == []
    with pytest.raises(PackageError, match="payload: its SHA-256 is"):
        package_plugin([damaged], tmp_path / "layout")


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_an_empty_loader_is_no_plugin(
    tiny: Path, falcopy: Falcopy, tmp_path: Path, machine: str
) -> None:
    loader = tmp_path / "libempty.so"
    shutil.copyfile(sdk.loader(machine), loader)
    beside = [tiny] if machine == "aarch64" else []
    done = falcopy("package", *beside, loader, "-o", tmp_path / "out")
    assert done.returncode == 5
    assert f"{loader}: file: an empty loader; falcopy build makes a plugin of it" in done.stderr


def test_a_cut_off_build_for_another_machine_is_told_of(
    tiny: Path, for_arm: Path, falcopy: Falcopy, tmp_path: Path
) -> None:
    with for_arm.open("r+b") as file:
        file.truncate(for_arm.stat().st_size - 1000)
    done = falcopy("package", tiny, for_arm, "-o", tmp_path / "out")
    assert done.returncode == 5
    assert f"{for_arm}: file: cut off: " in done.stderr


def test_a_build_for_another_machine_is_checked_as_one_for_this(
    tiny: Path, for_arm: Path, falcopy: Falcopy, tmp_path: Path
) -> None:
    # Its bill of materials names the other loader.
    done = falcopy("package", tiny, for_arm, "-o", tmp_path / "out")
    assert done.returncode == 5
    assert f"{for_arm}: SBOM: changed: the loader" in done.stderr


@pytest.mark.parametrize(
    ("macro", "machine"),
    [("RESOLVER", "x86_64"), ("RESOLVER", "aarch64"), ("OF_PYTHON", "x86_64")],
)
def test_falco_3719_a_symbol_that_nothing_it_needs_has_is_refused(
    falcopy: Falcopy, plugin: Path, compiled: Any, tmp_path: Path, macro: str, machine: str
) -> None:
    """OF_PYTHON's is found where Python loads the file, and in no host."""
    library = compiled(macro, machine=machine, flags=("-Wl,-z,undefs",))
    beside = [plugin] if machine == "aarch64" else []
    done = falcopy("package", *beside, library, "-o", tmp_path / "out")
    assert done.returncode == 5
    symbol = {"RESOLVER": "res_init_of_somewhere", "OF_PYTHON": "PyErr_Occurred"}[macro]
    assert f"{library}: takes {symbol} from whatever its host has" in done.stderr


def test_symbols_of_the_compilers_libraries_are_no_findings(
    falcopy: Falcopy, compiled: Any, tmp_path: Path
) -> None:
    library = compiled("UNWINDS", flags=("-shared-libgcc",))
    assert ("libgcc_s.so.1", "GCC_3.3") in elf.read(library).version_needs
    done = falcopy("package", library, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
