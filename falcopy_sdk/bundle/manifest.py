"""``falcopy.json``: what a bundle is made of, for people and tools."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from falcopy_sdk.bundle.contents import Contents
    from falcopy_sdk.declare.facts import StaticFacts

__all__ = ["NAME", "write"]

NAME: Final = "falcopy.json"
_FORMAT: Final = 1


def write(
    contents: Contents,
    *,
    facts: StaticFacts,
    sdk_version: str,
    python: str,
    machine: str,
    packages: Mapping[str, str],
    system_libraries: Sequence[str],
    glibc_floor: str,
    bridge: str,
) -> None:
    """Writes the manifest; all other files of the bundle must be there already."""
    plugin = dataclasses.asdict(facts)
    plugin["exports"] = sorted(facts.exports)
    files = {
        name: {"sha256": contents[name].sha256, "size": contents[name].size}
        for name in contents.names()
    }
    document = {
        "format": _FORMAT,
        "sdk": sdk_version,
        "plugin": plugin,
        "python": python,
        "machine": machine,
        "glibc_floor": glibc_floor,
        "bridge": bridge,
        "packages": dict(packages),
        "system_libraries": list(system_libraries),
        "files": files,
    }
    contents.put_json(NAME, document)
