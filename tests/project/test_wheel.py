"""The wheel: a working ``falcopy`` for authors who have no compiler."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Author

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_it_holds_the_native_parts_the_types_marker_and_the_license(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert [name for name in names if name.startswith("falcopy_sdk/runtime/loader-")]
    assert [name for name in names if name.startswith("falcopy_sdk/runtime/_bridge.")]
    assert "falcopy_sdk/py.typed" in names
    assert "falcopy_sdk/templates/common/pyproject.toml.jinja" in names
    assert [name for name in names if name.endswith("licenses/LICENSE")]
    others = ("tests/", "plugins/", "loader_c/", "templates/")
    assert not [name for name in names if name.startswith(others)]


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
