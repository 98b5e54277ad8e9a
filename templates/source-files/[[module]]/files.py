"""Lines of files that appear, grow and go away."""

from __future__ import annotations

import gzip
import logging
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

CHUNK = 500
log = logging.getLogger(__name__)


class Chunk(NamedTuple):
    """Whole lines of one file, and how many of its bytes, unpacked, are then read."""

    file: str
    lines: list[bytes]
    end: int


def read_on(folder: str, pattern: str, places: dict[str, int]) -> Iterator[Chunk]:
    """What is new in the files since the last call; notes in ``places`` how far it has read.

    A last line without an end is left for the next call, and so is a gzip file that is not
    complete. A file that is shorter than before was made anew, and is read from its start.
    """
    for path in sorted(Path(folder).glob(pattern)):
        name = str(path)
        packed = path.suffix == ".gz"
        try:
            size = path.stat().st_size
            if size == places.get(f"{name} packed" if packed else name):
                continue
            if not packed and size < places.get(name, 0):
                places[name] = 0
            with gzip.open(path) if packed else path.open("rb") as file:
                for chunk in _chunks(file, name, places):
                    places[name] = chunk.end
                    yield chunk
            if packed:
                places[f"{name} packed"] = size
        except FileNotFoundError:
            continue  # rotated away between the listing and now
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            log.debug("%s: %s; it may still be being written", name, error)
    for name in [n for n in places if not Path(n.removesuffix(" packed")).exists()]:
        del places[name]


def _chunks(file: BinaryIO | gzip.GzipFile, name: str, places: dict[str, int]) -> Iterator[Chunk]:
    end = places.get(name, 0)
    file.seek(end)
    lines: list[bytes] = []
    for line in file:
        if not line.endswith(b"\n"):
            break
        end += len(line)
        if line.strip():
            lines.append(line.strip())
        if len(lines) == CHUNK:
            yield Chunk(name, lines, end)
            lines = []
    if lines:
        yield Chunk(name, lines, end)
