"""The loader as a file: what it needs of a host, what it shows to one."""

import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

ROOT = Path(__file__).parents[2]
ARCHS = ["x86_64", "aarch64"]


@pytest.fixture(
    scope="module",
    params=["installed", *(pytest.param(arch, marks=pytest.mark.slow) for arch in ARCHS)],
)
def elf(request, tmp_path_factory):
    """The installed loader, and loaders built afresh for each architecture."""
    if request.param == "installed":
        # Not under sanitizers: that build is not shipped.
        from falcopy_sdk.runtime import _bridge

        path = Path(_bridge.__file__).with_name(f"loader-{platform.machine()}.so")
    else:
        if not shutil.which("cmake"):
            pytest.skip("cmake is not installed")
        build = request.getfixturevalue("both_loaders")
        path = build / f"loader-{request.param}.so"
    with path.open("rb") as file:
        yield ELFFile(file)


@pytest.fixture(scope="module")
def both_loaders(tmp_path_factory):
    """The build folder of both loaders, built by CMake as the wheel's build does."""
    build = tmp_path_factory.mktemp("loaders")
    options = [
        f"-DPython_EXECUTABLE={sys.executable}",
        "-DFALCOPY_MACHINES=x86_64;aarch64",
    ]
    for command in (
        ["cmake", "-S", ROOT / "loader_c", "-B", build, *options],
        ["cmake", "--build", build, "--target", "loaders"],
    ):
        subprocess.run(command, check=True, capture_output=True)
    return build


def segments(elf, kind):
    return [each for each in elf.iter_segments() if each["p_type"] == kind]


def dynamic(elf):
    (section,) = [each for each in elf.iter_sections() if isinstance(each, DynamicSection)]
    return section


def test_no_symbol_newer_than_glibc_2_17_is_needed(elf):
    (needs,) = [each for each in elf.iter_sections() if isinstance(each, GNUVerNeedSection)]
    versions = {version.name for _, all_of in needs.iter_versions() for version in all_of}

    numbers = {
        tuple(map(int, re.fullmatch(r"GLIBC_([\d.]+)", each)[1].split("."))) for each in versions
    }
    assert numbers
    assert max(numbers) <= (2, 17)


def test_only_the_c_library_is_needed(elf):
    needed = {tag.needed for tag in dynamic(elf).iter_tags() if tag.entry.d_tag == "DT_NEEDED"}

    assert "libc.so.6" in needed
    assert needed <= {"libc.so.6", "libdl.so.2", "libpthread.so.0"}


def test_exactly_the_33_symbols_of_the_api_are_exported(elf):
    symbols = [
        symbol
        for symbol in elf.get_section_by_name(".dynsym").iter_symbols()
        if symbol["st_shndx"] != "SHN_UNDEF"
    ]
    kinds = [symbol["st_info"]["type"] for symbol in symbols]

    assert len(symbols) == 33
    assert all(symbol.name.startswith("plugin_") for symbol in symbols)
    assert kinds.count("STT_FUNC") == 8
    assert kinds.count("STT_GNU_IFUNC" if "STT_GNU_IFUNC" in kinds else "STT_LOOS") == 25


def test_it_is_never_unloaded_and_fully_bound_at_load(elf):
    flags = {tag.entry.d_tag: tag.entry.d_val for tag in dynamic(elf).iter_tags()}

    assert flags["DT_FLAGS_1"] & 0x8  # DF_1_NODELETE
    assert flags["DT_FLAGS_1"] & 0x1  # DF_1_NOW
    assert segments(elf, "PT_GNU_RELRO")
    assert "DT_TEXTREL" not in flags


def test_no_segment_is_writable_and_executable(elf):
    kinds = [each["p_flags"] & 0x3 for each in segments(elf, "PT_LOAD")]
    (stack,) = segments(elf, "PT_GNU_STACK")

    assert kinds
    assert 0x3 not in kinds
    assert not stack["p_flags"] & 0x1


def test_the_image_is_one_read_only_object_in_its_own_section(elf):
    section = elf.get_section_by_name(".falcopy")
    content = section.data()

    assert section["sh_flags"] == 0x2  # SHF_ALLOC only
    assert len(content) == 280 + 512 * 1024
    assert content.startswith(b"falcopy-image-1\0")
    assert not any(content[16:])
    elf.stream.seek(0)
    assert elf.stream.read().count(b"falcopy-image-1\0") == 1


def test_no_path_of_the_build_machine_is_left_in_it(elf):
    elf.stream.seek(0)

    assert str(ROOT).encode() not in elf.stream.read()
