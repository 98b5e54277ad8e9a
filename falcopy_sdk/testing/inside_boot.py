"""The first code that the Python inside a plugin runs for tests (:mod:`.inside`); run by path.

All modules that the bundle has come from it. Others, which pytest and the tests need and the
plugin's code is refused (:mod:`.confined`), come from the author's environment: pure Python as it
is, extension modules as copies that are bound to this interpreter instead of the author's.
"""

from __future__ import annotations

import _imp
import os
import sys
from importlib.machinery import BuiltinImporter, FrozenImporter, ModuleSpec, PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Holds the task (:mod:`.inner_python`), with what inside.py adds.
_VARIABLE = "FALCOPY_INSIDE"


class _Bundle:
    """Finds what the bundle has, whatever pytest puts before it on ``sys.path``."""

    def __init__(self, path: list[str]) -> None:
        self._path = path

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if path is not None:
            return None  # the package says where its modules are
        found = PathFinder.find_spec(name, self._path)
        # Of a package that lies in several places PathFinder finds all of them.
        return None if found is None or found.loader is None else found


class _Rest:
    """Finds modules that packages of the bundle lack in the same packages of the author's."""

    def __init__(self, bundle: list[str], hooks: list[Any]) -> None:
        self._bundle = bundle
        self._hooks = hooks

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return self.of_author(name)

    def of_author(self, name: str) -> ModuleSpec | None:
        """What the author's environment has under that name, whatever the bundle has."""
        parent = name.rpartition(".")[0]
        places: list[str] = [folder for folder in sys.path if folder not in self._bundle]
        if parent:
            package = self.of_author(parent)
            places = list((package and package.submodule_search_locations) or ())
        for finder in self._hooks:
            found: ModuleSpec | None = finder.find_spec(name, places if parent else None)
            if found is not None:
                return found
        return PathFinder.find_spec(name, places)


class _Extensions:
    """Makes extension modules of the author's environment those of this interpreter."""

    def __init__(self, task: dict[str, str]) -> None:
        self._root = os.path.join(task["root"], "")
        self._folder = task["scratch"]
        self._patchelf = task["patchelf"]
        self._names = task["names"]
        self._libpython = os.path.basename(task["libpython"])
        self._create = _imp.create_dynamic

    def create(self, spec: ModuleSpec, *more: Any) -> Any:
        origin = spec.origin or ""
        if not origin.startswith(self._root):
            import copy

            spec = copy.copy(spec)
            spec.origin = self._bound(origin)
        return self._create(spec, *more)

    def _bound(self, origin: str) -> str:
        """A copy that takes Python's functions from this libpython, by their names there."""
        name = origin.replace(os.sep, "|")[-240:]
        target = os.path.join(self._folder, name)
        if os.path.exists(target):
            return target
        partial = f"{target}.{os.getpid()}"
        with open(origin, "rb") as source, open(partial, "wb") as file:
            file.write(source.read())
        folder = os.path.dirname(origin)
        paths = self._run("--print-rpath", partial).strip().replace("$ORIGIN", folder)
        edits = ["--rename-dynamic-symbols", self._names, "--add-needed", self._libpython]
        self._run(*edits, *(["--set-rpath", paths] if paths else []), partial)
        os.rename(partial, target)
        return target

    def _run(self, *arguments: str) -> str:
        # Not subprocess, which may itself need an extension module.
        told = os.path.join(self._folder, f"told.{os.getpid()}")
        opened = (os.POSIX_SPAWN_OPEN, 1, told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        command = [self._patchelf, *arguments]
        child = os.posix_spawn(command[0], command, os.environ, file_actions=[opened])
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code:
            raise ImportError(f"patchelf {' '.join(arguments)} ended with {code}")
        with open(told, encoding="utf-8") as text:
            return text.read()


def _set_up(task: dict[str, str], author: list[str]) -> None:
    bundle = [folder for folder in sys.path if folder.startswith(task["root"])]
    bundle = [folder for folder in bundle if os.path.isdir(folder)]
    bundle.append(os.path.join(task["root"], "site-packages"))
    sys.path[:] = [*bundle, *author]
    _imp.create_dynamic = _Extensions(task).create
    import site

    before = list(sys.meta_path)
    for folder in author:
        if os.path.basename(folder) in {"site-packages", "dist-packages"}:
            site.addsitedir(folder)
    # Of editable installations; some put themselves before all others.
    hooks = [finder for finder in sys.meta_path if finder not in before]
    finders: list[Any] = [BuiltinImporter, FrozenImporter, _Bundle(bundle), PathFinder]
    sys.meta_path[:] = [*finders, _Rest(bundle, hooks)]


def main() -> None:
    """Sets up and runs what the arguments say, as ``python`` does."""
    # Not for the processes that tests start.
    del os.environ["PYTHONHOME"]
    import json

    task = json.loads(os.environ.pop(_VARIABLE))
    sys.executable = task["executable"]
    _set_up(task, task["path"])
    import runpy

    words = sys.argv[1:]
    while words and words[0][:2] not in {"-m", "-c"}:
        words.pop(0)  # options such as -u
    kind, what, sys.argv = words[0], words[1], ["-c", *words[2:]]
    sys.path.insert(0, os.getcwd())
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        names: dict[str, object] = {"__name__": "__main__", "__builtins__": __builtins__}
        exec(compile(what, "<string>", "exec"), names)  # noqa: S102 - as python -c does


if __name__ == "__main__":
    main()
