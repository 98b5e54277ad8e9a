"""Finding modules in folders, by the rules of CPython's path finder, without importing any."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Finder", "Module"]


@dataclass(frozen=True, slots=True)
class Module:
    """A module's files.

    Attributes:
        name: dotted.
        source: its Python source; of an extension module what it was made from, if that is there.
        extension: its shared library, for an extension module.
        folders: where its submodules are; empty if it is no package.
    """

    name: str
    source: Path | None
    extension: Path | None
    folders: tuple[Path, ...]

    @property
    def package(self) -> str:
        """What its relative imports are relative to."""
        return self.name if self.folders else self.name.rpartition(".")[0]


class Finder:
    """A search path of folders.

    Args:
        path: in the order of ``sys.path``.
        suffixes: of extension modules, the first that fits wins
            (``importlib.machinery.EXTENSION_SUFFIXES`` of the interpreter that will run them).
    """

    def __init__(self, path: Sequence[Path], suffixes: Sequence[str]) -> None:
        self._path = tuple(path)
        self._suffixes = tuple(suffixes)
        self._found: dict[str, Module | None] = {}
        self._listed: dict[Path, frozenset[str]] = {}

    def find(self, name: str) -> Module | None:
        """The module of that dotted name; None: there is none in these folders."""
        if name not in self._found:
            self._found[name] = self._search(name)
        return self._found[name]

    def below(self, name: str) -> Iterator[str]:
        """Dotted names of all that lies in a package, at any depth."""
        module = self.find(name)
        for folder in module.folders if module else ():
            for entry in sorted(os.listdir(folder)):
                inner = f"{name}.{entry.split('.')[0]}"
                if entry.split(".")[0] not in {"__init__", "__pycache__"} and self.find(inner):
                    yield inner
                    yield from self.below(inner)

    def _search(self, name: str) -> Module | None:
        parent, _, last = name.rpartition(".")
        package = self.find(parent) if parent else None
        places = (package.folders if package else ()) if parent else self._path
        spread: list[Path] = []
        for place in places:
            names = self._names(place)
            if last in names and (regular := self._file(name, place / last, "__init__")):
                return regular
            if module := self._file(name, place, last):
                return module
            if last in names and (place / last).is_dir():
                spread.append(place / last)
        return Module(name, None, None, tuple(spread)) if spread else None

    def _file(self, name: str, folder: Path, stem: str) -> Module | None:
        names = self._names(folder)
        source = folder / f"{stem}.py" if f"{stem}.py" in names else None
        # "package.__init__" is the file once more, and no package (SourceFileLoader.is_package).
        is_package = stem == "__init__" and name.rpartition(".")[2] != "__init__"
        inside = (folder,) if is_package else ()
        for suffix in self._suffixes:
            if f"{stem}{suffix}" in names:
                return Module(name, source, folder / f"{stem}{suffix}", inside)
        return Module(name, source, None, inside) if source else None

    def _names(self, folder: Path) -> frozenset[str]:
        if folder not in self._listed:
            try:
                self._listed[folder] = frozenset(os.listdir(folder))
            except (FileNotFoundError, NotADirectoryError):
                self._listed[folder] = frozenset()
        return self._listed[folder]
