"""The payload: the bundle's folder as one stored ZIP whose bytes depend on its contents only."""

from __future__ import annotations

import hashlib
import stat
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from falcopy_sdk.bundle.contents import Contents

__all__ = ["Payload", "write"]

#: The first moment that a ZIP can express (PKWARE APPNOTE 4.4.6).
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3


@dataclass(frozen=True, slots=True)
class Payload:
    """A written payload: ``size`` in bytes, ``sha256`` in hex, number of ``files``."""

    size: int
    sha256: str
    files: int


def write(contents: Contents, output: Path) -> Payload:
    """Packs all files; their times, owners and modes do not matter."""
    names = contents.names()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name in names:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = _UNIX
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, (contents.root / name).read_bytes())
    with output.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Payload(size=output.stat().st_size, sha256=digest, files=len(names))
