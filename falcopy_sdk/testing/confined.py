"""The pytest plugin behind ``falcopy build --test``: bundled code finds only what its bundle has.

Also on the Python inside a plugin (:mod:`.inside_boot`) the author's environment is there for the
tests, much more is installed in it, and often imported already by the tools of the tests. So each
request is judged by who makes it. The nearest code on the stack decides
that is either the plugin's own or in no bundle; dependencies and the standard library, which tests
use as well, ask on behalf of their caller. The top level of a module of the bundle is always
confined, since what it finds stays.
"""

from __future__ import annotations

import atexit
import builtins
import errno
import importlib.metadata
import importlib.util
import json
import os
import re
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import FrameType

__all__ = ["LIMITS"]

#: The environment variable that names the file with the bundle's contents (:mod:`.suite`).
LIMITS: Final = "FALCOPY_TEST_LIMITS"

_MACHINERY: Final = frozenset({"_frozen_importlib", "_frozen_importlib_external"})
#: Every process has the first. The second is imported by what pytest rewrites into the modules of
#: packages that are pytest plugins as well, such as anyio and this one.
_ALWAYS: Final = frozenset({"__main__", "_pytest.assertion.rewrite"})
_CODE: Final = (".py", ".pyc", ".so")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Confine the bundle's code; this hook runs before pytest imports any other plugin."""
    if (file := os.environ.get(LIMITS)) and not isinstance(builtins.__import__, _Import):
        with open(file, encoding="utf-8") as text:
            _Confinement(json.load(text)).start()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(specs: Sequence[Any]) -> None:
    """Have the workers of pytest-xdist run on the same Python."""
    with open(os.environ[LIMITS], encoding="utf-8") as text:
        python = json.load(text).get("python")
    for spec in specs:
        if python and spec.popen and not spec.python:
            spec.python = python


class _Import:
    """Stands in for ``__import__``; a type of its own, to be recognised."""

    def __init__(self, limits: _Confinement) -> None:
        self._limits = limits
        self.original = builtins.__import__

    def __call__(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        __tracebackhide__ = True
        absolute = _absolute(name, globals or {}, level)
        self._limits.check_module(absolute)
        found = self.original(name, globals, locals, fromlist or (), level)
        for each in fromlist or ():
            value = getattr(found, "__dict__", {}).get(each)
            if isinstance(value, ModuleType) and value.__name__ == f"{absolute}.{each}":
                self._limits.check_name(absolute, each)
        return found


class _Confinement:
    def __init__(self, limits: Mapping[str, Any]) -> None:
        self._name: str = limits["name"]
        self._modules = frozenset(limits["modules"]) | _MACHINERY | {*sys.builtin_module_names}
        self._own = frozenset(limits["own"])
        self._data = frozenset(limits["data"])
        self._distributions = frozenset(limits["distributions"])
        self._reasons: dict[str, str] = limits["reasons"]
        self._report: str = limits["report"]
        self._find_spec = importlib.util.find_spec
        self._folders: dict[str, str] = {}
        self._sources: dict[str, list[str]] = {}

    def start(self) -> None:
        self._write({"started": True})
        for top in sorted({name.partition(".")[0] for name in self._own}):
            spec = self._find_spec(top)
            for folder in (spec.submodule_search_locations or ()) if spec else ():
                self._folders[os.path.join(folder, "")] = top
            # On the Python inside a plugin that is its folder; the author's may have more.
            finders = (getattr(finder, "of_author", None) for finder in sys.meta_path)
            author = next((find(top) for find in finders if find), spec)
            self._sources[top] = [*(author.submodule_search_locations or ())] if author else []
        self._replace(importlib.import_module, self._import_module(importlib.import_module))
        self._replace(importlib.util.find_spec, self._spec_finder())
        self._confine_metadata()
        sys.addaudithook(self._on_audit)
        wrapper = _Import(self)
        builtins.__import__ = wrapper
        atexit.register(setattr, builtins, "__import__", wrapper.original)

    # ---- what is asked for

    def check_module(self, name: str) -> None:
        """Raises what an import raises of a module that the bundle lacks."""
        __tracebackhide__ = True
        if name in self._modules or name in _ALWAYS or (asker := self._asker()) is None:
            return
        if missing := self._missing(name):
            self._note(missing, asker)
            raise ModuleNotFoundError(
                f"No module named {missing!r}; {self._advice(missing)}", name=missing
            )

    def check_name(self, package: str, name: str) -> None:
        """The same for ``from package import name``, where that is a module."""
        __tracebackhide__ = True
        full = f"{package}.{name}"
        if full in self._modules or (asker := self._asker()) is None or not self._missing(full):
            return
        self._note(full, asker)
        raise ImportError(
            f"cannot import name {name!r} from {package!r}; {self._advice(full)}", name=package
        )

    def _import_module(self, original: Any) -> Any:
        def import_module(name: str, package: str | None = None) -> ModuleType:
            __tracebackhide__ = True
            self.check_module(_resolved(name, package))
            found: ModuleType = original(name, package)
            return found

        return import_module

    def _spec_finder(self) -> Any:
        def find_spec(name: str, package: str | None = None) -> Any:
            absolute = _resolved(name, package)
            outside = absolute not in self._modules and absolute not in _ALWAYS
            if outside and (asker := self._asker()) and self._missing(absolute) == absolute:
                self._note(absolute, asker)
                return None
            return self._find_spec(name, package)

        return find_spec

    def _confine_metadata(self) -> None:
        limits = self
        distribution: Any = importlib.metadata.Distribution
        from_name, discover = distribution.from_name, distribution.discover

        def one(_cls: type, /, name: str) -> Any:
            found = from_name(name)
            if not limits._has(found) and (asker := limits._asker()) is not None:
                limits._note(
                    f"metadata of {name}", asker, "only packages that the plugin imports have it"
                )
                raise importlib.metadata.PackageNotFoundError(name)
            return found

        def several(_cls: type, /, **given: Any) -> Iterable[Any]:
            found = discover(**given)
            return found if limits._asker() is None else filter(limits._has, list(found))

        distribution.from_name, distribution.discover = classmethod(one), classmethod(several)

    def _has(self, distribution: Any) -> bool:
        name = distribution.metadata["Name"] or ""
        return re.sub(r"[-_.]+", "-", name).lower() in self._distributions

    def _on_audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Files in the plugin's own packages that are in the sources, but not in its wheel."""
        if event != "open" or not isinstance(arguments[0], str) or arguments[2] & os.O_CREAT:
            return
        path = os.path.abspath(arguments[0])
        for folder, top in self._folders.items():
            if not path.startswith(folder) or path.endswith(_CODE):
                continue
            rest = path[len(folder) :]
            inside = f"{top}/{rest}"
            places = (os.path.join(source, rest) for source in self._sources[top])
            if inside in self._data or not any(map(os.path.isfile, places)):
                continue
            if (asker := self._asker()) is not None:
                self._note(f"file {inside}", asker, "have the build backend put it into the wheel")
                raise FileNotFoundError(
                    errno.ENOENT, f"Not in the wheel, so not in the bundle of {self._name}", path
                )

    # ---- who asks, and what is there

    def _asker(self) -> FrameType | None:
        """The frame of bundled code that asks; None: a test, or a tool of the tests."""
        frame: FrameType | None = sys._getframe(1)
        nearest = None
        while frame is not None:
            name, code = frame.f_globals.get("__name__"), frame.f_code.co_name
            if frame.f_globals is not globals() and name is not None:
                if name not in self._modules:
                    return None
                if not name.startswith(("importlib", "_frozen_importlib")):
                    nearest = nearest or frame
                if name in self._own or code == "<module>":
                    return frame
                if name == "asyncio.events" and code == "_run":
                    # A task of the bundle's code; who runs the loop has nothing to do with it.
                    return nearest
            frame = frame.f_back
        return nearest

    def _missing(self, name: str) -> str | None:
        """The first part of a dotted name that is here, but not in the bundle."""
        parts = name.split(".")
        for number in range(1, len(parts) + 1):
            part = ".".join(parts[:number])
            if part in self._modules:
                continue
            try:
                spec = self._find_spec(part)
            except (ImportError, ValueError, AttributeError):
                return None  # not here either, or an object that a test put into sys.modules
            if spec is None:
                return None
            made_by_code = spec.origin is None and not spec.submodule_search_locations
            inside = spec.origin in {"built-in", "frozen"} or spec.name in self._modules
            if not made_by_code and not inside:
                return part
        return None

    def _advice(self, module: str) -> str:
        where = f"it is not in the bundle of {self._name}"
        parts = module.split(".")
        for number in range(1, len(parts) + 1):
            if reason := self._reasons.get(".".join(parts[:number])):
                return f"{where}: {reason}"
        keep = f'keep it with [tool.falcopy] include-modules = ["{module}"] in pyproject.toml'
        if parts[0] in sys.stdlib_module_names or parts[0] in self._modules:
            return f"{where}; {keep}"
        return f"{where}; {keep}, and its package in [project] dependencies and the lock"

    def _note(self, missing: str, asker: FrameType, advice: str = "") -> None:
        name = asker.f_globals["__name__"]
        line = {"missing": missing, "by": name, "line": asker.f_lineno, "own": name in self._own}
        self._write({**line, "advice": advice or self._advice(missing)})

    def _write(self, line: dict[str, Any]) -> None:
        # One write in append mode: the workers of pytest-xdist have the same file.
        with open(self._report, "a", encoding="utf-8") as report:
            report.write(json.dumps(line) + "\n")

    @staticmethod
    def _replace(original: object, replacement: Any) -> None:
        """Replaces a function wherever it has been imported to."""
        for module in list(sys.modules.values()):
            for name, value in list(getattr(module, "__dict__", {}).items()):
                if value is original:
                    setattr(module, name, replacement)


def _absolute(name: str, importer: Mapping[str, Any], level: int) -> str:
    if level == 0:
        return name
    package = importer.get("__package__")
    if package is None:
        package = importer.get("__name__", "")
        package = package if "__path__" in importer else package.rpartition(".")[0]
    base = package.rsplit(".", level - 1)[0]
    return f"{base}.{name}" if name else base


def _resolved(name: str, package: str | None) -> str:
    return importlib.util.resolve_name(name, package) if package else name
