"""Which component of a bundle a file of it belongs to."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Owners"]


class Owners:
    """Files and folders of a bundle by owner.

    Args:
        packages: names, and files relative to site-packages as the wheel had them. A build turns
            sources into bytecode and gives libraries other names; these are found by their folder.
    """

    def __init__(self, packages: Mapping[str, Iterable[str]]) -> None:
        self._files: dict[str, str] = {}
        self._folders: dict[str, str] = {}
        shared: set[str] = set()
        for owner, files in packages.items():
            for file in files:
                path = PurePosixPath("site-packages", file)
                self._files[str(path)] = owner
                for folder in list(path.parents)[:-2]:
                    if self._folders.setdefault(str(folder), owner) != owner:
                        shared.add(str(folder))
        for folder_of_several in shared:
            del self._folders[folder_of_several]

    def add(self, owner: str, path: str) -> None:
        """One file."""
        self._files[path] = owner

    def add_folder(self, owner: str, path: str) -> None:
        """All files below a folder that nobody owns more closely."""
        self._folders[path] = owner

    def of(self, path: str) -> str | None:
        """The owner; None: nobody is known to have brought it."""
        for name in (path, path[:-1] if path.endswith(".pyc") else path):
            if name in self._files:
                return self._files[name]
        for folder in PurePosixPath(path).parents:
            if str(folder) in self._folders:
                return self._folders[str(folder)]
        return None
