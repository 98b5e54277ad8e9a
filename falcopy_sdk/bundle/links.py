"""Filling a folder from the build cache by hard links: no code is copied that nobody changes.

So a build never writes into a file of a bundle. What has to differ is another file, in its place.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

__all__ = ["link", "place", "protect", "tree"]

#: What a package that runs while its bundle is made does not write into. Data it may.
_CODE: Final = frozenset({".py", ".pyc", ".so"})
_METADATA: Final = f".dist-info{os.sep}"


def link(source: str | Path, target: str | Path) -> str | Path:
    """Links a file to another place, where it replaces what was there; copies it if need be.

    Returns:
        the target.

    Raises:
        OSError: there is no such file, or no room for another.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        link(source, place(Path(target)))
    except FileNotFoundError:
        raise
    except OSError:  # another file system, one without links, or too many of one file
        shutil.copyfile(source, target)
    return target


def tree(source: Path, target: Path) -> None:
    """Puts all files of a folder into another one: code and metadata by links, data as copies."""
    shutil.copytree(source, target, copy_function=_put, dirs_exist_ok=True)


def protect(folder: Path) -> None:
    """Has writing into the folder's files fail, for all but root."""
    for parent, _, names in os.walk(folder):
        for name in names:
            os.chmod(os.path.join(parent, name), 0o444)


def place(path: Path) -> Path:
    """Makes the place of a new file free, and returns it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    return path


def _put(source: str, target: str) -> None:
    if os.path.splitext(source)[1] in _CODE or _METADATA in source:
        link(source, target)
    else:
        shutil.copyfile(source, place(Path(target)))
