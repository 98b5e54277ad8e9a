"""What earlier audits saw in the same shared libraries: reading them takes longer than all else.

Private libraries differ from one build to the next by the mark in their names alone
(:mod:`falcopy_sdk.bundle.private_cache`), so that they are compared with a stand-in for it.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from falcopy_sdk.bundle import audit_elf, cache
from falcopy_sdk.bundle.audit_elf import Finding
from falcopy_sdk.bundle.elf import DynamicSymbol, SharedLibrary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Looks"]

_MARK: Final = re.compile(r"-([0-9a-f]{10})\.")
_STAND_IN: Final = "-fpBUNDLEID."
_OF_SYMBOLS: Final = [field.name for field in dataclasses.fields(DynamicSymbol)]


class Looks:
    """Looks at the libraries of one bundle."""

    def __init__(self, machine: str, names: Sequence[str]) -> None:
        """For the machine of the plugin, as pyelftools names it; ``names`` of all libraries."""
        self._machine = machine
        marks = {match[0] for name in names for match in _MARK.finditer(name)}
        # More than one is none of ours: then nothing is made alike.
        self._mark = marks.pop() if len(marks) == 1 else _STAND_IN
        self._store = cache.store("looks")
        self._code = cache.own_code("audit_cache", "audit_elf", "elf")

    def at(self, path: Path, name: str) -> tuple[list[Finding], SharedLibrary | None]:
        """As :func:`falcopy_sdk.bundle.audit_elf.look`."""
        alike = path.read_bytes().replace(self._mark.encode(), _STAND_IN.encode())
        shown = name.replace(self._mark, _STAND_IN)
        key = cache.digest(self._code, self._machine, shown, alike)
        stored = self._store.get(key)
        if stored is not None:
            return _decoded(stored.decode().replace(_STAND_IN, self._mark), path)
        seen = audit_elf.look(path, name, self._machine)
        self._store.put(key, _encoded(*seen).replace(self._mark, _STAND_IN).encode())
        return seen


def _encoded(findings: Sequence[Finding], library: SharedLibrary | None) -> str:
    told: dict[str, Any] = {"findings": [dataclasses.astuple(each) for each in findings]}
    if library is not None:
        told["library"] = {
            "soname": library.soname,
            "needed": library.needed,
            "rpath": library.rpath,
            "runpath": library.runpath,
            "symbols": [[getattr(each, name) for name in _OF_SYMBOLS] for each in library.symbols],
            "version_needs": library.version_needs,
        }
    return json.dumps(told)


def _decoded(text: str, path: Path) -> tuple[list[Finding], SharedLibrary | None]:
    told = orjson.loads(text)
    findings = [Finding(*each) for each in told["findings"]]
    if "library" not in told:
        return findings, None
    about = told["library"]
    return findings, SharedLibrary(
        path=path,
        soname=about["soname"],
        needed=tuple(about["needed"]),
        rpath=tuple(about["rpath"]),
        runpath=tuple(about["runpath"]),
        symbols=tuple(DynamicSymbol(*each) for each in about["symbols"]),
        version_needs=tuple((provider, version) for provider, version in about["version_needs"]),
    )
