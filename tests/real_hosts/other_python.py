"""A second Python of this machine, and ``falcopy`` installed for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

_TELL = (
    "import sys, sysconfig; v = sysconfig.get_config_var; "
    "print(sys.version_info[:3] >= (3, 11) and bool(v('Py_ENABLE_SHARED')), "
    "sys.version.split()[0])"
)


def find_other_python() -> tuple[str, str] | None:
    """The path and version of a Python that falcopy can bundle, and that is not the running one.

    Another minor version is preferred to another patch level: FALCOPY_OTHER_PYTHON, else what PATH
    and pyenv have.
    """
    given = os.environ.get("FALCOPY_OTHER_PYTHON")
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates = [given] if given else [f"python3.{minor}" for minor in (14, 13, 12, 11)]
    candidates += sorted(map(str, pyenv.glob("versions/3.*/bin/python3")), reverse=True)
    candidates.append("/usr/bin/python3")
    found: list[tuple[str, str]] = []
    for name in candidates:
        path = shutil.which(name or "")
        if path is None:
            continue
        # A pyenv shim fails where its version is not selected.
        told = subprocess.run([path, "-c", _TELL], capture_output=True, text=True, check=False)
        usable, _, version = told.stdout.strip().partition(" ")
        if usable == "True" and version != sys.version.split()[0]:
            found.append((path, version))
    here = f"{sys.version_info.major}.{sys.version_info.minor}."
    found.sort(key=lambda item: item[1].startswith(here))
    return found[0] if found else None


def install_falcopy(python: str, folder: Path) -> Path:
    """Installs this checkout for another Python; returns its ``falcopy`` command.

    The installation of the running Python is left alone: the build folder is a new one.
    """
    venv = folder / "venv"
    commands = [
        [python, "-m", "venv", venv],
        [
            *(venv / "bin" / "python", "-m", "pip", "install", "--quiet", ROOT),
            *("--disable-pip-version-check", "--config-settings", f"build-dir={folder / 'cmake'}"),
        ],
    ]
    for command in commands:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return venv / "bin" / "falcopy"
