"""Keeps how far each file is read."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import NamedTuple

from falcopy_sdk import SourceFatal

#: Bytes by which a file is known again.
HEAD = 1024
log = logging.getLogger(__name__)


class Place(NamedTuple):
    """How many bytes of a file, unpacked, are read, and a hash of the first of them."""

    end: int = 0
    head: str = ""

    @classmethod
    def after(cls, end: int, start: bytes) -> Place:
        """The place at ``end`` in a file that starts so."""
        return cls(end, hashlib.sha256(start[: min(end, HEAD)]).hexdigest())

    def fits(self, start: bytes) -> bool:
        """Whether it can be in the file that starts so, with so many bytes as are there to HEAD."""
        return not self.end or self == self.after(self.end, start)


class Places:
    """A JSON file, replaced as a whole: a crash leaves the old one or the new one."""

    def __init__(self, path: str) -> None:
        self._path = Path(path) if path else None
        self._failing = False

    def read(self) -> dict[str, Place]:
        """The places, by the file's device and inode; none if none are kept.

        Raises:
            SourceFatal: the file is there, and is not one of these.
        """
        if self._path is None:
            return {}
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            return {key: Place(int(end), str(head)) for key, (end, head) in kept.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise SourceFatal(
                f"places_file {self._path}: {error}; remove it to read all files again"
            ) from error

    def write(self, places: dict[str, Place]) -> None:
        """Keep the places; if that fails it is logged once, and the events go on."""
        if self._path is None:
            return
        beside = self._path.with_name(self._path.name + ".new")
        try:
            with open(beside, "w", encoding="utf-8") as file:
                json.dump(places, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self._path)
            self._failing = False
        except OSError as error:
            if not self._failing:
                log.warning("places_file %s: %s; a restart will repeat events", self._path, error)
            self._failing = True
