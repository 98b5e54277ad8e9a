"""Keeps how far each file is read."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

from falcopy_sdk import SourceFatal

log = logging.getLogger(__name__)


class Places:
    """A JSON file, replaced as a whole: a crash leaves the old one or the new one."""

    def __init__(self, path: str) -> None:
        self._path = Path(path) if path else None
        #: Bytes of each file that Falco has finished with.
        self._places: dict[str, int] = {}
        self._failing = False

    def read(self) -> dict[str, int]:
        """How far each file is read; a copy.

        Raises:
            SourceFatal: the file is there, and is not one of these.
        """
        if self._path is not None and not self._places:
            try:
                self._places = {
                    str(name): int(end)
                    for name, end in json.loads(self._path.read_text(encoding="utf-8")).items()
                }
            except FileNotFoundError:
                pass
            except (OSError, ValueError, AttributeError) as error:
                raise SourceFatal(f"places_file {self._path}: {error}") from error
        return dict(self._places)

    def write(self, name: str, end: int) -> None:
        """Note a place; if it cannot be kept that is logged once, and the events go on."""
        self._places[name] = end
        if self._path is None:
            return
        kept = {name: end for name, end in self._places.items() if Path(name).exists()}
        beside = self._path.with_name(self._path.name + ".new")
        try:
            with open(beside, "w", encoding="utf-8") as file:
                json.dump(kept, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self._path)
            self._failing = False
        except OSError as error:
            if not self._failing:
                log.warning("places_file %s: %s; a restart will repeat events", self._path, error)
            self._failing = True
