"""The whole of this folder again, on a bridge built with AddressSanitizer and UBSan."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent


def _library(name: str) -> str:
    found = subprocess.run(
        ["gcc", f"-print-file-name={name}"], check=True, capture_output=True, text=True
    )
    return found.stdout.strip()


@pytest.fixture(scope="module")
def sanitized_bridge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = tmp_path_factory.mktemp("sanitized")
    configure = [
        "cmake",
        "-S",
        str(REPOSITORY / "loader_c"),
        "-B",
        str(build),
        "-DFALCOPY_SANITIZE=ON",
        f"-DPython_EXECUTABLE={sys.executable}",
    ]
    subprocess.run(configure, check=True, capture_output=True)
    subprocess.run(
        ["cmake", "--build", str(build), "--target", "_bridge"], check=True, capture_output=True
    )
    (built,) = build.glob("_bridge.*.so")
    return built


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_bridge_is_clean_under_address_and_undefined_behaviour_sanitizers(
    sanitized_bridge: Path, tmp_path: Path
) -> None:
    env = os.environ | {
        "PYTEST_DEBUG_TEMPROOT": str(tmp_path),
        "PYTHONPATH": str(HERE),
        "FALCOPY_TEST_BRIDGE": str(sanitized_bridge),
        "PYTHONMALLOC": "malloc",
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
        "LD_PRELOAD": f"{_library('libasan.so')} {_library('libubsan.so')}",
    }
    command = [sys.executable, "-m", "pytest", "-p", "sanitized_bridge", str(HERE), "-q"]
    command += ["-p", "no:cacheprovider", "-p", "no:xdist", f"--ignore={__file__}"]
    command.append(f"--ignore={HERE / 'test_memory.py'}")  # counts what the allocator keeps
    run = subprocess.run(
        command, cwd=REPOSITORY, env=env, capture_output=True, text=True, timeout=880
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-8000:]
    assert " passed" in run.stdout
