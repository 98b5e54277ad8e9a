"""The same sources and lock give the same bytes, whoever builds them, when, where and how."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from falcopy_sdk.bundle import installer
from falcopy_sdk.bundle.difference import differences

HERE = Path(__file__).parent
_FALCOPY = [sys.executable, "-m", "falcopy_sdk"]
_WITHOUT_UV = """
import sys
from falcopy_sdk.bundle import installer
from falcopy_sdk.cli import main
installer.uv = lambda: None
main(sys.argv[1:])
"""


@pytest.fixture
def cold(tmp_path):
    """The environment of a build that finds nothing of an earlier one.

    Only falcopy's own cache is to be empty: uv's holds what the index serves.
    """
    uv_cache = subprocess.run(
        [str(installer.uv()), "cache", "dir"], capture_output=True, text=True, check=True
    ).stdout.strip()
    empty = str(tmp_path / "empty")
    return {**os.environ, "XDG_CACHE_HOME": empty, "UV_CACHE_DIR": uv_cache}


def run(*command: str | Path, **options) -> str:
    """What it prints; it must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_builds_in_different_settings_give_the_same_bytes(
    built, tmp_path, project, cold, compile_c
):
    other = tmp_path / "another folder" / "out.so"
    clock = compile_c("clock.so", [HERE / "clock.c"], "-shared", "-fPIC")
    environment = {
        **cold,
        "LD_PRELOAD": str(clock),
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "C",
        "PYTHONHASHSEED": "7",
        "SOURCE_DATE_EPOCH": "1",
        "TMPDIR": str(tmp_path),
        "HOME": str(tmp_path / "another home"),
        "USER": "somebody",
    }
    told = float(run(sys.executable, "-c", "import time; print(time.time())", env=environment))
    assert told - time.time() > 2 * 24 * 3600
    told = run(*_FALCOPY, "build", "-o", other, cwd=project, umask=0o077, env=environment)
    assert told == f"{other}\n"
    assert differences(other, built.result.path) == []


def test_another_user_builds_the_same_bytes(built, tmp_path, project, cold):
    """A user id that is in no list of users; a namespace of its own lets it read this checkout."""
    as_another = ["unshare", "--user", "--map-user=12345", "--map-group=12345"]
    code = "import os; print(os.getuid(), os.getgid())"
    probe = subprocess.run([*as_another, "true"], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"no user namespaces here: {probe.stderr.strip()}")
    assert run(*as_another, sys.executable, "-c", code) == "12345 12345\n"
    output = tmp_path / "x.so"
    run(*as_another, *_FALCOPY, "build", project, "-o", output, env=cold)
    assert differences(output, built.result.path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="a network of one's own needs root")
@pytest.mark.parametrize("start", [["-m", "falcopy_sdk"], ["-c", _WITHOUT_UV]], ids=["uv", "pip"])
def test_a_changed_project_is_built_without_a_network(project, tmp_path, start):
    """Once its build backend was fetched: what uv has kept, or this environment has, is enough."""
    command = [sys.executable, *start, "build", str(project), "-o", str(tmp_path / "x.so")]
    for alone in ([], ["unshare", "--net"]):
        (project / "src/tiny/newer.txt").write_text(str(time.time_ns()))
        done = subprocess.run([*alone, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "building falcopy-tiny" in done.stderr
