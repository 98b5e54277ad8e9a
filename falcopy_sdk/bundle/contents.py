"""The files of a bundle's folder, each read once: several steps of a build ask for their hashes."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from falcopy_sdk.bundle import links

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Contents", "File", "files_of"]

#: Enough to tell what kind of file it is, and for which machine.
_HEAD: Final = 20
_READABLE: Final = orjson.OPT_APPEND_NEWLINE | orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS


@dataclass(frozen=True, slots=True)
class File:
    """What is known of a file: ``size`` in bytes, ``sha256`` in hex, its first bytes."""

    size: int
    sha256: str
    head: bytes

    @classmethod
    def of(cls, data: bytes) -> File:
        """Of a file with these contents."""
        return cls(len(data), hashlib.sha256(data).hexdigest(), data[:_HEAD])


class Contents:
    """All files below a folder, which are changed by these methods only from here on.

    Attributes:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        # Most are small: threads would wait for each other longer than they read and hash.
        self._files = {name: File.of((root / name).read_bytes()) for name in files_of(root)}

    def __getitem__(self, name: str) -> File:
        return self._files[name]

    def names(self) -> list[str]:
        """Relative, with slashes, in the payload's order."""
        return sorted(self._files)

    def put(self, name: str, data: bytes) -> None:
        """Adds a file, or puts a new one in the place of one that is there."""
        links.place(self.root / name).write_bytes(data)
        self._files[name] = File.of(data)

    def put_json(self, name: str, document: dict[str, Any]) -> None:
        """The same with a document for people and tools; equal ones give the same bytes."""
        self.put(name, orjson.dumps(document, option=_READABLE))

    def remove(self, name: str) -> None:
        """Removes a file."""
        (self.root / name).unlink()
        del self._files[name]


def files_of(root: Path) -> list[str]:
    """The regular files below ``root``, relative, with slashes, in the payload's order."""
    found: list[str] = []
    start = len(os.path.join(root, ""))
    for folder, _, names in os.walk(root):
        paths = (os.path.join(folder, name) for name in names)
        found += (path[start:] for path in paths if os.path.isfile(path))
    return sorted(found)
