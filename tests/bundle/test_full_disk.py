"""A disk that is full while a plugin is built or audited: which one it is, and what to do."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from falcopy_sdk.bundle import installer

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")


@pytest.fixture
def on_small_disk(tmp_path):
    """``run(size, arguments, variable)``: the command, with a disk of that size at ``disk``."""
    disk = tmp_path / "disk"
    disk.mkdir()
    uv_cache = subprocess.run(
        [str(installer.uv()), "cache", "dir"], capture_output=True, text=True, check=True
    ).stdout.strip()

    def run(size: str, *arguments: str | Path, **variables: str):
        script = f"""
            mount -t tmpfs -o size={size} tmpfs {disk}
            "$@" || code=$?
            ls -A {disk} >&2
            exit $code
        """
        command = [sys.executable, "-m", "falcopy_sdk", *map(str, arguments)]
        return subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *command],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "UV_CACHE_DIR": uv_cache, **variables},
        )

    run.disk = disk
    return run


@pytest.fixture
def new(project):
    """The small project as no earlier build had it, or its result would be taken."""
    (project / "src/tiny/newer.txt").write_text(str(time.time_ns()))
    return project


@pytest.mark.parametrize("size", ["3m", "30m"])
def test_a_full_temporary_folder_is_named(on_small_disk, new, tmp_path, size):
    """A step of the build itself, or a program that it starts, finds no room."""
    output = tmp_path / "out" / "x.so"
    done = on_small_disk(size, "build", new, "-o", output, TMPDIR=str(on_small_disk.disk))
    assert done.returncode == 4, done.stderr
    assert f"falcopy: {on_small_disk.disk} is full (No space left on device;" in done.stderr
    assert "another disk in the environment variable TMPDIR." in done.stderr
    assert "Traceback" not in done.stderr
    assert not output.exists()
    assert done.stderr.endswith("variable TMPDIR.\n")  # and `ls` found nothing on the disk


@pytest.mark.parametrize("size", ["100k", "20m"])
def test_a_full_cache_folder_fails_no_build(on_small_disk, new, tmp_path, size):
    output = tmp_path / "x.so"
    variables = {"XDG_CACHE_HOME": str(on_small_disk.disk)}
    done = on_small_disk(size, "build", new, "-o", output, **variables)
    assert done.returncode == 0, done.stderr
    assert output.is_file()


def test_a_full_disk_of_the_output_is_named(on_small_disk, new):
    done = on_small_disk("3m", "build", new, "-o", on_small_disk.disk / "x.so")
    assert done.returncode == 4, done.stderr
    assert f"{on_small_disk.disk / 'x.so'} cannot be written: No space left" in done.stderr
    assert done.stderr.endswith("make room.\n")


def test_an_audit_without_room_blames_no_file(on_small_disk, built):
    disk = str(on_small_disk.disk)
    done = on_small_disk("3m", "inspect", "--audit", built.result.path, TMPDIR=disk)
    assert done.returncode == 4, done.stderr
    assert f"falcopy: {disk} is full (No space left on device;" in done.stderr
    assert "damaged" not in done.stderr
