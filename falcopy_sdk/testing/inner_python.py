"""The Python inside a built plugin as a program, to run tests with."""

from __future__ import annotations

import json
import shlex
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from falcopy_sdk.bundle import elf, privatize, symbols
from falcopy_sdk.exceptions import BundleFormatError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["prepare"]

_RUNNER: Final = Path(__file__).with_name("inside.py")
_MAIN: Final = "Py_BytesMain"


def prepare(library: Path, folder: Path) -> Path:
    """Unpacks a plugin and makes a program of its interpreter.

    Args:
        library: the built plugin, for this machine.
        folder: an empty one, which the program needs.

    Returns:
        the program, which takes ``-m MODULE`` and ``-c CODE`` as ``python`` does.

    Raises:
        BundleFormatError: the plugin has no interpreter inside.
        ToolchainError: patchelf is missing.
        OSError: there is no room.
    """
    root = folder / "bundle"
    with zipfile.ZipFile(library) as archive:
        archive.extractall(root)
    libpython = next((root / "lib").glob("libpython*"), None)
    private = () if libpython is None else _private(elf.read(libpython).defined)
    main = next((name for name, old in private if old == _MAIN), None)
    if libpython is None or main is None:
        raise BundleFormatError(f"{library}: no Python inside. Build the plugin again.")
    names = folder / "names"
    names.write_text("".join(f"{old} {name}\n" for name, old in private), encoding="utf-8")
    extensions = folder / "extensions"
    extensions.mkdir()
    task = folder / "inside.json"
    document = {
        "root": str(root),
        "libpython": str(libpython),
        "main": main,
        "names": str(names),
        "scratch": str(extensions),
        "patchelf": privatize.patchelf(),
    }
    task.write_text(json.dumps(document), encoding="utf-8")
    program = folder / "python"
    words = (sys.executable, "-P", str(_RUNNER), str(task))
    program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
    program.chmod(0o700)
    return program


def _private(names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The names with the bundle's prefix, and as others know them."""
    return tuple(
        (name, symbols.PREFIX.sub("", name)) for name in sorted(names) if symbols.PREFIX.match(name)
    )
