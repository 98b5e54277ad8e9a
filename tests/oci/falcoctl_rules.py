"""How falcoctl unpacks a layer (internal/utils/extract.go), strictly, with none of our code."""

from __future__ import annotations

import gzip
from pathlib import Path

_BLOCK = 512


def members(layer: bytes) -> list[tuple[str, int, bytes]]:
    """Name, mode and contents of every member, from the raw headers of the archive."""
    data = gzip.decompress(layer)
    found = []
    at = 0
    while at < len(data) and data[at : at + _BLOCK].strip(b"\0"):
        header = data[at : at + _BLOCK]
        name = header[:100].rstrip(b"\0").decode()
        mode, size = (int(header[a:b].rstrip(b"\0 "), 8) for a, b in ((100, 108), (124, 136)))
        kind = header[156:157]
        assert kind == b"0", f"{name}: entry of type {kind!r}"
        assert header[257:263] == b"ustar\0", name
        assert not header[345:500].strip(b"\0"), f"{name}: has a prefix"
        assert not header[265:329].strip(b"\0"), f"{name}: has owner names"
        assert int(header[108:116].rstrip(b"\0 "), 8) == 0, f"{name}: owner"
        at += _BLOCK
        found.append((name, mode, data[at : at + size]))
        at += -(-size // _BLOCK) * _BLOCK
    return found


def install(layer: bytes, folder: Path) -> list[Path]:
    """Extracts as falcoctl does: in place, at the root, refusing what it refuses."""
    written = []
    for name, mode, contents in members(layer):
        assert ".." not in name
        assert "/" not in name, f"{name}: its folder has no entry of its own"
        assert mode in (0o755, 0o644), oct(mode)
        path = folder / name
        with path.open("wb") as stream:
            stream.write(contents)
        path.chmod(mode)
        written.append(path)
    return written
