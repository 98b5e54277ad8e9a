"""Telling which disk is full, instead of the system's bare error."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from falcopy_sdk.exceptions import BuildError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["is_full", "told"]

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_REASONS: Final = tuple(os.strerror(number) for number in _FULL)


def is_full(error: BaseException) -> bool:
    """Whether an error comes of a full disk; programs that a build starts say so in words."""
    if isinstance(error, (BuildError, shutil.Error)):  # the latter of several files: words as well
        return any(reason in str(error) for reason in _REASONS)
    return isinstance(error, OSError) and error.errno in _FULL


@contextlib.contextmanager
def told(cache: Path | None = None) -> Iterator[None]:
    """Names the folder that is full, and the variable that names another.

    Args:
        cache: the folder of kept results, where something is written besides the temporary one.

    Raises:
        StorageError: a disk is full.
    """
    try:
        yield
    except (OSError, BuildError) as error:
        if not is_full(error):
            raise
        folder, variable = _fullest(error, cache)
        raise StorageError(
            f"{folder} is full ({_REASONS[0]}; {_free(folder) / 1e6:.0f} MB are left). Make room "
            f"there, or name a folder on another disk in the environment variable {variable}."
        ) from error


def _fullest(error: OSError | BuildError, cache: Path | None) -> tuple[Path, str]:
    places = [(Path(tempfile.gettempdir()), "TMPDIR")]
    if cache is not None:
        places.append((cache, "XDG_CACHE_HOME"))
    named = getattr(error, "filename2", None) or getattr(error, "filename", None)
    for folder, variable in places:
        if isinstance(named, str) and Path(named).is_relative_to(folder):
            return folder, variable
    return min(places, key=lambda place: _free(place[0]))


def _free(folder: Path) -> int:
    there = next(each for each in (folder, *folder.parents) if each.exists())
    return shutil.disk_usage(there).free
