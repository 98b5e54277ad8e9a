"""Folders of the build cache that bundles link to, used as long as they are as they were made."""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Final

from falcopy_sdk.bundle import cache, links
from falcopy_sdk.bundle.contents import files_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["fill"]

_log = logging.getLogger(__name__)

_TREE: Final = "tree"
_STAMPS: Final = "stamps.json"


def fill(
    target: Path, kind: str, key: str, make: Callable[[Path], None], kept: int = cache.KEPT
) -> None:
    """Fills a folder with what the cache has, or is given now.

    Args:
        target: the folder.
        kind: of the cache's folders.
        key: hash of all that ``make`` depends on.
        make: fills an empty folder. Its errors pass.
        kept: so many folders of the kind stay in the cache.
    """
    folders = cache.Folders(kind, kept)

    def make_and_stamp(folder: Path) -> None:
        tree = folder / _TREE
        tree.mkdir()
        make(tree)
        links.protect(tree)
        (folder / _STAMPS).write_text(json.dumps(_stamps(tree)), encoding="utf-8")

    key = cache.digest(cache.own_code("trees"), key)
    with folders.get(key, make_and_stamp) as folder:
        if _is_as_made(folder):
            links.tree(folder / _TREE, target)
            return
    # Code that ran while a bundle was made, a plugin's or a dependency's, has written through a
    # link, as root: nobody else can.
    _log.warning("%s of the build cache was changed; it is made again", kind)
    folders.drop(key)
    target.mkdir(parents=True, exist_ok=True)
    make(target)


def _is_as_made(folder: Path) -> bool:
    try:
        told = json.loads((folder / _STAMPS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(told == _stamps(folder / _TREE))


def _stamps(tree: Path) -> list[list[object]]:
    """Names, sizes and times, as make has it."""
    return [[name, *cache.stamp(os.path.join(tree, name))[1:]] for name in files_of(tree)]
