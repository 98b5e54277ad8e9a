"""Dead letters in a file: JSON lines, readable for Falco's user only, bounded by a rotation."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DeadLetterFile"]


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

    def append(self, letters: bytes) -> None:
        """As :meth:`write`, on the caller's thread."""
        # Opened each time: bad input is rare, and whoever moves the file away gets a new one.
        descriptor = self._open()
        try:
            size = os.fstat(descriptor).st_size
            if size and size + len(letters) > self._max_bytes:
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
                os.close(descriptor)
                descriptor = self._open()
                size = 0
            written = os.write(descriptor, letters)
            if written < len(letters):
                # A full disk takes a part: away with it, the letters come again.
                os.ftruncate(descriptor, size)
                raise OSError(28, os.strerror(28))
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(self._path, flags, 0o600)

    def explain(self, error: BaseException) -> str:
        """A sentence for the user."""
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return (
            f"dead_letter_file {self._path} cannot be written ({reason}); its folder must exist "
            "and be writable for Falco, with space left"
        )

    async def aclose(self) -> None:
        """Nothing is open."""
