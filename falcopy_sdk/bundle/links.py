"""Filling a folder from the build cache by hard links: nothing is copied that nobody changes.

So a file of a bundle is never written into. What has to differ is another file, in its place.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

__all__ = ["link", "place", "protect", "tree"]


def link(source: str | Path, target: str | Path) -> str | Path:
    """Links a file to a new place, and returns that; across file systems it is copied.

    Raises:
        OSError: there is no such file, or no room for another.
    """
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, place(Path(target)))
    return target


def tree(source: Path, target: Path) -> None:
    """Links all files of a folder into another one; across file systems they are copied."""
    shutil.copytree(source, target, copy_function=link, dirs_exist_ok=True)


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
