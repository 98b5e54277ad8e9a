"""The modules that a plugin can reach: its own, and all that these import, and so on.

An import counts wherever it is written, in a function as well. See ``imports`` for what is read
from a source, ``implicit`` for what no source says, ``trace`` for what extension modules import.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from falcopy_sdk.bundle import cache
from falcopy_sdk.bundle.implicit import IMPLICIT, codec_module

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from falcopy_sdk.bundle.imports import Imports, Scans
    from falcopy_sdk.bundle.modules import Finder, Module

__all__ = ["Graph"]


@dataclass(frozen=True, slots=True)
class Graph:
    """What decides which modules are reached.

    Attributes:
        finder: finds them.
        excluded: dotted names that stay out, with their submodules.
        rare: top-level names that stay out unless a module that is reached cannot be imported
            without them.
        groups: modules that entry points name, by group.
        scans: what their sources say.
    """

    finder: Finder
    excluded: frozenset[str]
    groups: Mapping[str, tuple[str, ...]]
    scans: Scans
    rare: frozenset[str] = frozenset()
    _digests: dict[Path, str] = field(default_factory=dict)

    def reach(self, roots: Iterable[str]) -> dict[str, Module]:
        """All modules that the roots lead to, by name; what is not found is passed over."""
        reached: dict[str, Module] = {}
        seen: set[str] = set()
        waiting = list(roots)
        spelt = _SpeltOut()
        needed: set[str] = set()
        put_off: dict[str, set[str]] = defaultdict(set)
        while waiting:
            name = waiting.pop()
            if name in seen or not name or self._is_excluded(name):
                continue
            if (top := name.partition(".")[0]) in self.rare and top not in needed:
                put_off[top].add(name)
                continue
            seen.add(name)
            waiting += IMPLICIT.get(name, ())
            module = self.finder.find(name)
            if module is None:
                continue
            waiting.append(name.rpartition(".")[0])
            reached[name] = module
            if module.source is not None:
                imports = self.scans.of(module.source)
                waiting += self._from_source(module, imports)
                waiting += spelt.by(module, imports)
                for top in self.rare.intersection(imports.required) - needed:
                    needed.add(top)
                    waiting += put_off.pop(top, ())
            if module.extension is not None and "." in name:
                waiting += self._named_in(module)
        return reached

    def digest_of(self, path: Path) -> str:
        """Hash of a file, which is read once."""
        if path not in self._digests:
            self._digests[path] = cache.digest(path.read_bytes())
        return self._digests[path]

    def _is_excluded(self, name: str) -> bool:
        parts = name.split(".")
        return any(".".join(parts[:n]) in self.excluded for n in range(1, len(parts) + 1))

    def _from_source(self, module: Module, imports: Imports) -> set[str]:
        found: set[str] = set()
        for level, name, names in imports.modules:
            base = _absolute(level, name, module.package)
            found |= {base, *(f"{base}.{each}" for each in names)}
            if "*" in names:
                found |= self._exported(base)
        found |= {_resolved(name, module.package) for name in imports.named}
        if imports.computed:
            bare_names = [text.lstrip(".") for text in imports.strings]
            found |= {part for text in bare_names if "." in text for part in _and_parent(text)}
            found |= {f"{module.package}.{text}" for text in bare_names if module.package}
            for text in imports.starts:
                full = _resolved(text, module.package)
                children = self.finder.below(full.rpartition(".")[0])
                found |= {child for child in children if child.startswith(full)}
        if imports.walks:
            found |= set(self.finder.below(module.name))
        found |= {codec for text in imports.codecs if (codec := codec_module(text))}
        for group in imports.groups:
            found |= set(self.groups.get(group, ()))
        return found

    def _exported(self, package: str) -> set[str]:
        module = self.finder.find(package)
        if module is None or module.source is None or not module.folders:
            return set()
        exported = self.scans.of(module.source).exported
        return {f"{package}.{name}" for name in exported}

    def _named_in(self, module: Module) -> list[str]:
        """Modules of its own package whose names an extension module has inside.

        Native code imports by name, when it first needs something. Other packages' names would be
        found by chance.
        """
        assert module.extension is not None
        names = sorted(set(self.finder.below(module.name.split(".")[0])))
        store = cache.store("named")
        key = cache.digest(self.digest_of(module.extension), *names)
        stored = store.get(key)
        if stored is None:
            data = module.extension.read_bytes()
            stored = "\n".join(name for name in names if name.encode() in data).encode()
            store.put(key, stored)
        return stored.decode().split()


class _SpeltOut:
    """Modules that one module of a package has in strings, and another imports by computed names.

    ``select("package.fast")`` in one, ``import_module(name)`` in the other. Names may be relative,
    and those of a function in the module.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, set[str]] = defaultdict(set)
        self._computing: set[str] = set()

    def by(self, module: Module, imports: Imports) -> set[str]:
        """What another module adds to what is reached: names that need not be of modules."""
        top = module.name.partition(".")[0]
        for text in imports.strings:
            name = _resolved(text, module.package)
            if name.startswith(f"{top}."):
                self._waiting[top] |= _and_parent(name)
        if imports.computed:
            self._computing.add(top)
        return self._waiting.pop(top, set()) if top in self._computing else set()


def _and_parent(name: str) -> set[str]:
    return {name, name.rpartition(".")[0]}


def _resolved(name: str, package: str) -> str:
    """The dotted name that one in a string means, with dots in front if it is relative."""
    bare = name.lstrip(".")
    return _absolute(len(name) - len(bare), bare, package)


def _absolute(level: int, name: str, package: str) -> str:
    """The dotted name that an import means (language reference, "Package Relative Imports")."""
    if level == 0:
        return name
    parts = package.split(".")
    base = ".".join(parts[: max(len(parts) - level + 1, 0)])
    return f"{base}.{name}" if name and base else base
