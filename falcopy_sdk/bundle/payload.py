"""The payload: the bundle's folder as one stored ZIP whose bytes depend on its contents only."""

from __future__ import annotations

import hashlib
import stat
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Payload", "files_of", "write"]

#: The first moment that a ZIP can express (PKWARE APPNOTE 4.4.6).
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3


@dataclass(frozen=True, slots=True)
class Payload:
    """A written payload: ``size`` in bytes, ``sha256`` in hex, number of ``files``."""

    size: int
    sha256: str
    files: int


def files_of(root: Path) -> list[str]:
    """The regular files below ``root``, relative, with slashes, in the payload's order."""
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())


def write(root: Path, output: Path) -> Payload:
    """Packs all files below ``root``; times, owners and modes of the files do not matter."""
    names = files_of(root)
    with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name in names:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = _UNIX
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, (root / name).read_bytes())
    with output.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Payload(size=output.stat().st_size, sha256=digest, files=len(names))
