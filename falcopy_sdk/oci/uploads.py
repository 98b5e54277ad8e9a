"""Remembers uploads that are not finished, so that a later run can go on with them."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from falcopy_sdk.exceptions import StorageError
from falcopy_sdk.oci.files import write_file

__all__ = ["OpenUpload", "Uploads"]


@dataclass(frozen=True, slots=True)
class OpenUpload:
    """An upload that a registry has begun.

    Attributes:
        location: Where the next bytes go, with the registry's own state in it.
        least_chunk: Bytes that a chunk must have, but for the last; 0: any.
    """

    location: str
    least_chunk: int


class Uploads:
    """The open upload of one blob, in a file of the user's cache folder.

    Losing it costs time, not correctness; where it cannot be written, nothing is remembered.
    """

    def __init__(self, registry: str, repository: str, digest: str) -> None:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        name = hashlib.sha256(f"{registry}/{repository}@{digest}".encode()).hexdigest()
        self._path = folder / "falcopy" / "uploads" / f"{name}.json"

    def load(self) -> OpenUpload | None:
        """What is remembered."""
        try:
            return OpenUpload(**json.loads(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def save(self, upload: OpenUpload) -> None:
        """Remembers."""
        try:
            # The location holds the registry's state token: for this user only.
            write_file(self._path, json.dumps(asdict(upload)).encode(), mode=0o600)
        except StorageError:
            return

    def clear(self) -> None:
        """Forgets."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            return
