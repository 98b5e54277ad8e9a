"""The folder of a layout: whether one may be replaced, and replacing it as a whole."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from falcopy_sdk.exceptions import PackageError
from falcopy_sdk.oci.files import storing

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["INDEX_FILE", "MARKER", "check_replaceable", "replaced"]

#: Files of a layout (image-spec, image-layout.md).
MARKER: Final = "oci-layout"
INDEX_FILE: Final = "index.json"
_PARTS: Final = frozenset({MARKER, INDEX_FILE, "blobs"})


def check_replaceable(path: Path) -> None:
    """Check that a layout may be made at a place: nothing is there, or a layout alone.

    Raises:
        PackageError: something else is there.
    """
    if path.is_dir() and any(path.iterdir()):
        # What begins with a dot was left by a run that was killed.
        others = sorted(
            found.name
            for found in path.iterdir()
            if found.name not in _PARTS and not found.name.startswith(".")
        )
        if others or not (path / MARKER).is_file():
            raise PackageError(
                f"{path}: a folder with other things in it"
                f"{f' ({others[0]})' if others else ''}; name an empty one, or a layout"
            )
    elif path.exists() and not path.is_dir():
        raise PackageError(f"{path}: a file; name a folder for the layout")


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Give a place for a new layout, which replaces the one at ``path`` when the block ends well.

    After an error the old one is as it was. The place is within ``path``, which may be where a
    disk is mounted.

    Args:
        path: Of the layout that is there, or is to be.

    Raises:
        PackageError: something else is there.
        StorageError: it cannot be replaced.
    """
    check_replaceable(path)
    new = not path.exists()
    with storing(path):
        path.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=path, prefix=".new-"))
    try:
        yield scratch / "layout"
        with storing(path):
            (scratch / "old").mkdir()
            for part in [found for found in path.iterdir() if found != scratch]:
                part.rename(scratch / "old" / part.name)
            for part in (scratch / "layout").iterdir():
                part.rename(path / part.name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if new and not any(path.iterdir()):
            path.rmdir()
