"""Dead letters in a file: JSON lines, readable for Falco's user only, bounded by a rotation."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["DeadLetterFile"]

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class DeadLetterFile:
    """One file, and the one before it under the same name with ``.1``."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        """``max_bytes`` is the size at which the file is renamed; two of them take twice that."""
        self._path, self._max_bytes = path, max_bytes
        self.pause = 0.5

    async def write(self, letters: bytes) -> None:
        """Append lines, in one piece.

        Raises:
            OSError: nothing of them was kept.
        """
        await asyncio.to_thread(self.append, letters)

    async def check(self) -> None:
        """Find out whether the file can be written; makes none before there is something to keep.

        Raises:
            OSError: it cannot.
        """
        await asyncio.to_thread(self._check)

    def _check(self) -> None:
        try:
            os.close(os.open(self._path, _FLAGS))
        except FileNotFoundError:
            os.stat(self._path.parent)
            if not os.access(self._path.parent, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None

    def append(self, letters: bytes) -> None:
        """As :meth:`write`, on the caller's thread."""
        # Opened each time: bad input is rare, and whoever moves the file away gets a new one.
        with self._opened() as descriptor:
            size = os.fstat(descriptor).st_size
            if not size or size + len(letters) <= self._max_bytes:
                _write(descriptor, letters)
                return
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        with self._opened() as descriptor:
            _write(descriptor, letters)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        descriptor = os.open(self._path, _FLAGS | os.O_CREAT, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def explain(self, error: BaseException) -> str:
        """A sentence for the user."""
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return (
            f"dead_letter_file {self._path} cannot be written ({reason}); its folder must exist "
            "and be writable for Falco, with space left"
        )

    async def aclose(self) -> None:
        """Nothing is open."""


def _write(descriptor: int, letters: bytes) -> None:
    size = os.fstat(descriptor).st_size
    if os.write(descriptor, letters) < len(letters):
        # A full disk takes a part: away with it, the letters come again.
        os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
