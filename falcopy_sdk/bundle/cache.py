"""Results of build steps, kept for the user's next build, named by the hash of their inputs."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

__all__ = ["Store"]

_log = logging.getLogger(__name__)


class Store:
    """Small files in ``$XDG_CACHE_HOME/falcopy/<kind>`` (XDG Base Directory Specification).

    A cache may be emptied at any time; a folder that cannot be written to is no error.
    """

    def __init__(self, kind: str) -> None:
        base = os.environ.get("XDG_CACHE_HOME", "")
        home = Path(base) if base.startswith("/") else Path("~/.cache").expanduser()
        self._folder: Path | None = home / "falcopy" / kind
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            self._give_up(error)

    def get(self, key: str) -> bytes | None:
        """What was stored under the key, or None."""
        if self._folder is None:
            return None
        try:
            return (self._folder / key[:2] / key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._give_up(error)
            return None

    def put(self, key: str, data: bytes) -> None:
        """Stores data whole or not at all: another build may look at the same time."""
        if self._folder is None:
            return
        target = self._folder / key[:2] / key
        try:
            target.parent.mkdir(exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
                file.write(data)
            Path(file.name).replace(target)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        _log.debug("no build cache in %s: %s", self._folder, error)
        self._folder = None
