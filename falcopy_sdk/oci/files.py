"""Writing files so that a name never stands for half of its contents."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from falcopy_sdk.exceptions import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["sha256_of", "storing", "write_file", "written_beside"]


@contextmanager
def storing(where: object) -> Iterator[None]:
    """Turns what the file system refuses into a sentence.

    Raises:
        StorageError: writing failed.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{where}: cannot be written ({error.strerror or error}); make room or choose another "
            "place, and run the same again"
        ) from error


@contextmanager
def written_beside(path: Path, mode: int = 0o644) -> Iterator[BinaryIO]:
    """Opens a new file that gets its name when the block ends without an error.

    Args:
        path: Its name; the folder is made, and a file that is there is replaced.
        mode: Its permissions.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as stream:
        try:
            yield stream  # type: ignore[misc]
            stream.flush()
            os.chmod(stream.name, mode)
            os.replace(stream.name, path)
        except BaseException:
            os.unlink(stream.name)
            raise


def sha256_of(stream: BinaryIO) -> str:
    """Reads a stream to its end; returns ``"sha256:<hex>"``."""
    hasher = hashlib.sha256()
    while block := stream.read(1024 * 1024):
        hasher.update(block)
    return f"sha256:{hasher.hexdigest()}"


def write_file(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Writes a whole file.

    Raises:
        StorageError: it cannot be written.
    """
    with storing(path), written_beside(path, mode) as stream:
        stream.write(data)
