"""What extension modules import, found by importing them: nothing in them tells for sure."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from falcopy_sdk.bundle import cache
from falcopy_sdk.exceptions import BuildError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from falcopy_sdk.bundle.interpreter import Python
    from falcopy_sdk.bundle.modules import Module

__all__ = ["loaded_with"]

_WORKER = Path(__file__).with_name("trace_worker.py")


def loaded_with(
    extensions: Sequence[Module],
    path: Sequence[Path],
    python: Python,
    digest_of: Callable[[Path], str],
) -> frozenset[str]:
    """Names of all modules that are loaded once these extension modules are imported.

    Args:
        extensions: for the Python that runs them.
        path: its ``sys.path``.
        python: that Python.
        digest_of: hash of a file.

    Raises:
        BuildError: a module ended the process.
    """
    modules = {each.name: each.extension for each in extensions if each.extension}
    names = sorted(modules)
    store = cache.Store("trace")
    contents = [digest_of(modules[name]) for name in names]
    # What can be imported counts as well, by name: what modules of Python import is read from them.
    there = [sorted(os.listdir(folder)) for folder in path if folder.is_dir()]
    key = cache.digest(
        _WORKER.read_bytes(), python.executable, python.version, there, *names, "", *contents
    )
    if (stored := store.get(key)) is not None:
        return frozenset(stored.decode().split())
    task = {"path": [str(folder) for folder in path], "modules": names}
    with tempfile.TemporaryDirectory(prefix="falcopy-trace-") as scratch:
        answer = Path(scratch) / "answer"
        command = [
            str(python.executable),
            "-I",
            "-S",
            "-B",
            "-X",
            "utf8",
            str(_WORKER),
            str(answer),
        ]
        done = subprocess.run(
            command, input=json.dumps(task), capture_output=True, text=True, check=False, env={}
        )
        lines = answer.read_text(encoding="utf-8").splitlines() if answer.is_file() else [""]
    if not lines[-1].startswith("="):
        raise BuildError(
            f"importing the extension module {lines[-1].lstrip('?')} ended the process with "
            f"{done.returncode}: {done.stderr.strip()}. Use another version of its package, or "
            "leave it out: [tool.falcopy] exclude-modules."
        )
    if not any(line.startswith("!") for line in lines):  # else another try may tell more
        store.put(key, lines[-1][1:].encode())
    return frozenset(lines[-1][1:].split())
