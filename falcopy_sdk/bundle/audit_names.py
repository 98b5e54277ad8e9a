"""The part of an audit that looks for names by which a bundle and its host can get mixed up.

The dynamic loader looks into the program and its libraries first, so that a name which a host may
have as well is the host's, even where the bundle has a definition of its own
(:mod:`falcopy_sdk.bundle.symbols`). Only names that no host has, and glibc's, are safe.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from falcopy_sdk.bundle import elf, glibc_symbols, symbols

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from falcopy_sdk.bundle.elf import DynamicSymbol, SharedLibrary

__all__ = ["Names"]

_SHOWN: Final = 3
_BUILD_AGAIN: Final = "Build the plugin again with this version of falcopy."
_INSTALL: Final = (
    "Install the library that defines them as a wheel or system package and build again."
)
_LINK_AGAIN: Final = (
    "Use a build of it that was linked with -Bsymbolic or has hidden visibility, or leave its "
    "package out."
)


@dataclass(frozen=True, slots=True)
class Names:
    """What is known of the names in one bundle.

    Attributes:
        prefix: of those that are its own; empty: it has none.
        linked: the libraries that another one of the bundle needs.
    """

    prefix: str
    linked: frozenset[Path]

    @classmethod
    def of(cls, libraries: Mapping[Path, SharedLibrary], linked: Iterable[SharedLibrary]) -> Names:
        """Of all libraries; ``linked``: those that another one needs."""
        used = Counter(
            match[0]
            for library in libraries.values()
            for symbol in library.symbols
            if symbol.defined and (match := symbols.PREFIX.match(symbol.name))
        )
        prefix = used.most_common(1)[0][0] if used else ""
        return cls(prefix, frozenset(library.path for library in linked))

    def problems(
        self, library: SharedLibrary, reachable: Collection[str], has_libm: bool
    ) -> list[tuple[str, str, str]]:
        """Code, problem and fix of all that is wrong with the names of a library.

        Args:
            library: to look at.
            reachable: names that the libraries define which it brings along.
            has_libm: whether libm is one of these.
        """
        found = []
        missing: list[str] = []
        hosts: list[str] = []
        for symbol in library.symbols:
            if symbol.defined or self._is_glibcs(symbol, has_libm):
                continue
            if not self._is_own(symbol.name):
                known = symbol.name in reachable
                (hosts if known or symbol.weak else missing).append(symbol.name)
            elif symbol.name not in reachable and not symbol.weak:
                missing.append(symbol.name)
        if missing:
            problem = f"takes {_some(missing)} from whatever its host has"
            found.append(("host-symbol", problem, _INSTALL))
        if hosts:
            problem = f"takes {_some(hosts)} from its host, if that has the name as well"
            found.append(("public-name", problem, _BUILD_AGAIN))
        if public := [s.name for s in library.symbols if s.defined and self._is_public(s, library)]:
            problem = f"defines {_some(public)} under a name that its host may have as well"
            found.append(("public-name", problem, _BUILD_AGAIN))
        if not self._has_private_names(library) and (
            own := [s.name for s in library.symbols if s.interposable and not self._is_own(s.name)]
        ):
            problem = f"finds its own {_some(own)} by name, and its host's first"
            found.append(("public-name", problem, _LINK_AGAIN))
        return found

    def _is_own(self, name: str) -> bool:
        return bool(self.prefix) and name.startswith(self.prefix)

    def _has_private_names(self, library: SharedLibrary) -> bool:
        return library.path in self.linked or library.is_extension_module

    def _is_public(self, symbol: DynamicSymbol, library: SharedLibrary) -> bool:
        if self._is_own(symbol.name) or not self._has_private_names(library):
            return False
        return library.path in self.linked or not symbols.LOOKED_UP.fullmatch(symbol.name)

    def _is_glibcs(self, symbol: DynamicSymbol, has_libm: bool) -> bool:
        if symbol.provider in elf.GLIBC_LIBRARIES or glibc_symbols.is_glibc(symbol.name):
            return True
        return (has_libm or symbol.weak) and glibc_symbols.is_libm(symbol.name)


def _some(names: Collection[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(sorted(names)[:_SHOWN]) + more
