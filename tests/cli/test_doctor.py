"""``falcopy doctor``: what is there, what is missing, and what to do about it."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import pytest

from falcopy_sdk.bundle import sdk
from falcopy_sdk.cli.diagnosis import diagnose


def answers(done: Any) -> dict[str, dict[str, str]]:
    return {answer["what"]: answer for answer in json.loads(done.stdout)}


def test_a_machine_that_builds_plugins_lacks_nothing(falcopy: Any, tmp_path: Path) -> None:
    done = falcopy("doctor", "--json", cwd=tmp_path)
    found = answers(done)
    assert done.returncode == 0, found
    assert found["shared libpython"]["found"].endswith(".so.1.0")
    assert found["native parts"]["found"].endswith(f"loader-{platform.machine()}.so")
    for needed in ("Python", "patchelf", "installer of packages", "glibc", "cache folder"):
        assert found[needed]["state"] == "ok"


def test_what_is_missing_is_told_with_its_fix_and_exits_with_1(
    falcopy: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    environment = {**os.environ, "FALCOPY_CACHE_DIR": str(tmp_path / "file")}
    done = falcopy("doctor", "-q", cwd=tmp_path, env=environment)
    assert done.returncode == 1
    first, fix = done.stdout.splitlines()
    assert first.split() == ["MISSING", "cache", "folder", f"{tmp_path}/file", "is", "no", "folder"]
    assert "FALCOPY_CACHE_DIR" in fix


def test_a_plugin_of_this_folder_that_does_not_load_is_told(falcopy: Any, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "acme"\nversion = "1"\n'
        '[project.entry-points.falcopy]\nacme = "acme_missing:Acme"\n'
    )
    done = falcopy("doctor", "--json", cwd=tmp_path)
    assert done.returncode == 1
    plugin = answers(done)["plugin"]
    assert plugin["state"] == "missing"
    assert "there is no module acme_missing" in plugin["fix"]


def test_loaders_of_other_machines_do_not_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdk, "native_files", lambda: [tmp_path / "loader-another.so"])
    answer = next(answer for answer in diagnose(None) if answer.what == "native parts")
    assert answer.state == "missing"
    assert answer.found == f"there is no loader-{platform.machine()}.so"
    assert "Install its wheel again" in answer.fix


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A program that answers as Falco's --version does."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "falco"
    program.write_text("#!/bin/sh\necho 'Falco version: 0.44.1 (x86_64)'\n")
    program.chmod(0o755)
    return folder


def test_hosts_and_the_plugins_of_falcos_configuration_are_looked_up(
    falcopy: Any, tmp_path: Path, host: Path
) -> None:
    (tmp_path / "libhere.so").touch()
    config = tmp_path / "falco.yaml"
    config.write_text(
        f"plugins:\n  - name: here\n    library_path: {tmp_path}/libhere.so\n"
        "  - name: gone\n    library_path: libgone-nowhere.so\n"
        "load_plugins: [here, other]\n"
    )
    environment = {**os.environ, "PATH": f"{host}:{Path(sys.executable).parent}:/usr/bin:/bin"}
    done = falcopy("doctor", "--json", "--falco-config", config, cwd=tmp_path, env=environment)
    found = answers(done)
    assert done.returncode == 1
    assert found["falco"]["found"] == f"{host}/falco: Falco version: 0.44.1 (x86_64)"
    assert found["plugin here of Falco"]["state"] == "ok"
    assert found["plugin gone of Falco"]["found"].endswith("libgone-nowhere.so: no such file")
    assert found["plugin other of Falco"]["found"] == "loaded and not configured"
