"""The standard library of a bundle: the interpreter's own, less what no plugin can use."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from falcopy_sdk.bundle import cache, trees

if TYPE_CHECKING:
    from pathlib import Path

    from falcopy_sdk.bundle.interpreter import Python

__all__ = ["LEFT_OUT", "copy"]

_TESTS = "tests of CPython itself"
_TERMINAL = "needs a terminal, which a plugin has not"
_WINDOW = "needs a display, which a plugin has not"
_INSTALL = "installs or builds packages, which a plugin cannot"
_LIBRARY = "needs a shared library that no plugin uses otherwise"
_SITE = "packages of the building environment; a bundle has its own"

#: Top-level modules that stay out, with the reason. Extension modules go by the same names.
LEFT_OUT: Final = {
    "__phello__": _TESTS,
    "_crypt": _LIBRARY + " (libcrypt); removed in Python 3.13",
    "_ctypes_test": _TESTS,
    "_curses": _TERMINAL,
    "_curses_panel": _TERMINAL,
    "_dbm": _LIBRARY + " (libdb)",
    "_gdbm": _LIBRARY + " (libgdbm)",
    "_pyrepl": _TERMINAL,
    "_testbuffer": _TESTS,
    "_testcapi": _TESTS,
    "_testclinic": _TESTS,
    "_testclinic_limited": _TESTS,
    "_testexternalinspection": _TESTS,
    "_testimportmultiple": _TESTS,
    "_testinternalcapi": _TESTS,
    "_testlimitedcapi": _TESTS,
    "_testmultiphase": _TESTS,
    "_testsinglephase": _TESTS,
    "_tkinter": _WINDOW,
    "_xxtestfuzz": _TESTS,
    "antigravity": "opens a web browser",
    "config": "static libpython and build files",
    "crypt": _LIBRARY + " (libcrypt); removed in Python 3.13",
    "curses": _TERMINAL,
    "dist-packages": _SITE,
    "distutils": _INSTALL,
    "ensurepip": _INSTALL,
    "idlelib": _WINDOW,
    "lib2to3": "translates Python 2 sources",
    "nis": _LIBRARY + " (libnsl, libtirpc); removed in Python 3.13",
    "ossaudiodev": "drives sound cards; removed in Python 3.13",
    "pydoc_data": "texts of the interactive help",
    "readline": _TERMINAL,
    "rlcompleter": _TERMINAL,
    "site-packages": _SITE,
    "sitecustomize": _SITE,
    "test": _TESTS,
    "tkinter": _WINDOW,
    "turtle": _WINDOW,
    "turtledemo": _WINDOW,
    "venv": _INSTALL,
    "xxlimited": _TESTS,
    "xxlimited_35": _TESTS,
    "xxsubtype": _TESTS,
}

#: So many Pythons, of this machine and of others, are built with at a time.
_KEPT: Final = 4
#: Packages inside other packages: ``ctypes/test``, ``unittest/test``, ``sqlite3/test``.
_LEFT_OUT_INSIDE = frozenset({"__pycache__", "test", "tests"})


def copy(interpreter: Python, target: Path) -> None:
    """Puts sources and extension modules into ``target`` (``root/lib/pythonX.Y``)."""
    key = cache.digest(cache.own_code("stdlib"), interpreter.signature())
    trees.fill(target, "stdlib", key, lambda to: _fill(to, interpreter), _KEPT)


def _fill(target: Path, interpreter: Python) -> None:
    for entry in sorted(interpreter.stdlib.iterdir()):
        if _module_name(entry) in LEFT_OUT:
            continue
        if entry.name.startswith("_sysconfigdata"):
            _write_config(target / entry.name, interpreter)
        elif entry.is_file() and (entry.suffix == ".py" or entry.name == "LICENSE.txt"):
            shutil.copyfile(entry, target / entry.name)
        elif entry.is_dir() and entry.name not in {"lib-dynload", "__pycache__"}:
            _copy_package(entry, target / entry.name)
    _copy_extensions(interpreter.dynload, target / "lib-dynload")


def _module_name(entry: Path) -> str:
    # "config-3.11-x86_64-linux-gnu" is the one folder with a version in its name.
    name = entry.name.split(".")[0]
    return "config" if name.startswith("config-") else name


def _copy_package(source: Path, target: Path) -> None:
    for entry in sorted(source.iterdir()):
        if entry.is_dir() and entry.name not in _LEFT_OUT_INSIDE:
            _copy_package(entry, target / entry.name)
        elif entry.is_file() and entry.suffix == ".py":
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(entry, target / entry.name)


def _copy_extensions(source: Path, target: Path) -> None:
    target.mkdir()
    if not source.is_dir():
        return
    for entry in sorted(source.glob("*.so")):
        if _module_name(entry) not in LEFT_OUT:
            shutil.copyfile(entry, target / entry.name)


def _write_config(module: Path, interpreter: Python) -> None:
    lines = [f"    {name!r}: {value!r},\n" for name, value in interpreter.config.items()]
    module.write_text(f"build_time_vars = {{\n{''.join(lines)}}}\n", encoding="utf-8")
