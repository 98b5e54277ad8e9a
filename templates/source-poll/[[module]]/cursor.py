"""Keeps the place in the log in a file."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from falcopy_sdk import SourceFatal

log = logging.getLogger(__name__)


class CursorFile:
    """One line of text, replaced as a whole: a crash leaves the old one or the new one."""

    def __init__(self, path: str) -> None:
        self._path = Path(path) if path else None
        #: What was written last: the place to go on from after an outage, with or without a file.
        self._cursor = ""
        self._failing = False

    def read(self) -> str:
        """The cursor; empty if none is kept.

        Raises:
            SourceFatal: the file is there, and cannot be read.
        """
        if self._cursor or self._path is None:
            return self._cursor
        try:
            return self._path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise SourceFatal(f"cursor_file {self._path}: {error}") from error

    def write(self, cursor: str) -> None:
        """Keep ``cursor``; if the file cannot be written that is logged once, and events go on."""
        self._cursor = cursor
        if self._path is None:
            return
        beside = self._path.with_name(self._path.name + ".new")
        try:
            with open(beside, "w", encoding="utf-8") as file:
                file.write(cursor)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self._path)
            self._failing = False
        except OSError as error:
            if not self._failing:
                log.warning("cursor_file %s: %s; a restart will repeat events", self._path, error)
            self._failing = True
