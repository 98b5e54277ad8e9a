"""The wheel: a working ``falcopy`` for authors who have no compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from falcopy_sdk.bundle import elf

if TYPE_CHECKING:
    from conftest import Author

SOURCE = Path(__file__).parents[2] / "loader_c"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_it_holds_the_native_parts_the_types_marker_and_the_license(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    # For both platforms that plugins are built for, whichever this machine is.
    minor = "{}{}".format(*sys.version_info[:2])
    for machine in ("x86_64", "aarch64"):
        assert f"falcopy_sdk/runtime/loader-{machine}.so" in names
        assert f"falcopy_sdk/runtime/_bridge.cpython-{minor}-{machine}-linux-gnu.so" in names
    assert "falcopy_sdk/py.typed" in names
    assert "falcopy_sdk/templates/common/pyproject.toml.jinja" in names
    assert [name for name in names if name.endswith("licenses/LICENSE")]
    others = ("tests/", "plugins/", "loader_c/", "templates/")
    assert not [name for name in names if name.startswith(others)]


def test_what_goes_into_plugins_asks_for_no_newer_glibc_than_2_17(
    wheel: Path, tmp_path: Path
) -> None:
    """So that the Python inside is what decides on which hosts a plugin runs."""
    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if "/runtime/" in n and n.endswith(".so")]
        archive.extractall(tmp_path, names)
    assert len(names) == 4
    for name in names:
        floor = elf.glibc_floor([elf.read(tmp_path / name)])
        assert tuple(map(int, floor.split("."))) <= (2, 17), name


def test_headers_that_are_spread_over_folders_as_debian_does_are_found(tmp_path: Path) -> None:
    """``pyconfig.h`` there includes ``<x86_64-linux-gnu/python3.11/pyconfig.h>``."""
    minor = "python{}.{}".format(*sys.version_info[:2])
    headers, machine = tmp_path / "include" / minor, f"{os.uname().machine}-linux-gnu"
    shutil.copytree(sysconfig.get_path("include"), headers)
    real = tmp_path / "include" / machine / minor / "pyconfig.h"
    real.parent.mkdir(parents=True)
    shutil.copyfile(sysconfig.get_config_h_filename(), real)
    (headers / "pyconfig.h").write_text(
        "#if defined(__x86_64__)\n"
        f"# include <x86_64-linux-gnu/{minor}/pyconfig.h>\n"
        "#elif defined(__aarch64__)\n"
        f"# include <aarch64-linux-gnu/{minor}/pyconfig.h>\n#endif\n"
    )
    # What must not be seen: the folder has the machine's own C library, too.
    (tmp_path / "include/stdio.h").write_text("#error the machine's own\n")
    cmake = Path(sys.executable).with_name("cmake")
    options = [f"-DPython_EXECUTABLE={sys.executable}", f"-DPython_INCLUDE_DIR={headers}"]
    for command in (
        [cmake, "-S", SOURCE, "-B", tmp_path / "build", *options],
        [cmake, "--build", tmp_path / "build", "--target", "bridges"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((tmp_path / "build").glob("_bridge.*.so"))) == 2


def test_it_builds_and_runs_a_plugin_where_there_is_no_compiler(
    author: Author, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "tick"\nversion = "1"\ndependencies = ["falcopy-sdk"]\n'
        '[project.entry-points.falcopy]\ntick = "tick:Tick"\n'
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[tool.hatch.build.targets.wheel]\ninclude = ["tick.py"]\n'
    )
    (project / "tick.py").write_text(
        "from falcopy_sdk import Event, extract, plugin, source\n"
        '@plugin(name="tick", id=999, version="0.1.0", event_source="tick", description="Ticks",\n'
        '        contact="https://example.org")\n'
        "class Tick:\n"
        "    @source\n"
        "    def ticks(self):\n"
        '        yield Event({"n": 41})\n'
        '    n = extract.path("tick.n", "n", desc="The number", type=int)\n'
    )
    author.run("falcopy", "build", ".", cwd=project)
    library = project / "dist" / "libtick.so"
    printed = author.run("falcopy", "run", library, "--fields", "tick.n", "--json", cwd=tmp_path)
    assert '"tick.n":41' in printed.replace(" ", "")


def test_off_linux_the_parts_for_linux_are_made_and_no_others(tmp_path: Path) -> None:
    """Without FALCOPY_NATIVE, which is off there: no C compiler's output is installed."""
    cmake = Path(sys.executable).with_name("cmake")
    configure = [cmake, "-S", SOURCE, "-B", tmp_path / "build", "-DFALCOPY_NATIVE=OFF"]
    configure += [f"-DPython_EXECUTABLE={sys.executable}", "-DCMAKE_BUILD_TYPE=Release"]
    for command in (
        configure,
        [cmake, "--build", tmp_path / "build"],
        [cmake, "--install", tmp_path / "build", "--prefix", tmp_path / "out"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    made = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.so")}
    minor = "{}{}".format(*sys.version_info[:2])
    machines = ("x86_64", "aarch64")
    assert made == {f"runtime/loader-{machine}.so" for machine in machines} | {
        f"runtime/_bridge.cpython-{minor}-{machine}-linux-gnu.so" for machine in machines
    }
    # The one for this machine is imported by this Python.
    (bridge,) = (tmp_path / "out/runtime").glob(f"_bridge.*-{os.uname().machine}-*")
    code = (
        "import importlib.util as util, sys\n"
        "spec = util.spec_from_file_location('falcopy_sdk.runtime._bridge', sys.argv[1])\n"
        "module = util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "assert module.table_address()\n"
    )
    subprocess.run([sys.executable, "-c", code, bridge], check=True)
