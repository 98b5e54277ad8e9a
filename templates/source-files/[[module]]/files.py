"""Lines of files that appear, grow, are rotated and packed, and go away."""

from __future__ import annotations

import gzip
import logging
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from .places import HEAD, Place, Places

CHUNK = 500
log = logging.getLogger(__name__)


class Found(NamedTuple):
    """What is in the folder under one name."""

    path: Path
    #: Device and inode: a file keeps them when it is renamed.
    key: str
    #: Size and time of the last change.
    stamp: tuple[int, int]

    @property
    def packed(self) -> bool:
        """Whether it is a gzip file."""
        return self.path.suffix == ".gz"

    @contextmanager
    def open(self) -> Iterator[BinaryIO | gzip.GzipFile]:
        """The content, unpacked."""
        with self.path.open("rb") as raw:
            if _key(os.fstat(raw.fileno())) != self.key:
                raise FileNotFoundError(f"{self.path} was replaced a moment ago")
            yield gzip.GzipFile(fileobj=raw) if self.packed else raw


@dataclass(eq=False)
class File:
    """A file that was met; still the same one when it was renamed or packed."""

    key: str
    read: Place
    #: Up to where Falco has finished with it.
    kept: Place
    #: Of what was read: while it is the same, nothing is new.
    stamp: tuple[int, int] | None = None

    def is_still(self, found: Found) -> bool:
        """Whether this has not been made anew under the same inode."""
        if self.stamp == found.stamp:
            return True
        try:
            with found.open() as content:
                whole = found.packed or found.stamp[0] >= self.read.end
                return whole and self.read.fits(content.read(HEAD))
        except (OSError, EOFError, zlib.error):
            return True  # reading will tell


class Chunk(NamedTuple):
    """Whole lines of one file, and the place after them."""

    file: File
    lines: list[bytes]
    place: Place


class Files:
    """The files of a folder, and how far each is read.

    A file is known by its inode. When that is gone, or has other content, the file that begins as
    it did takes its place: it was packed, or copied.
    """

    def __init__(self, folder: str, pattern: str, places: Places) -> None:
        self._folder = Path(folder)
        self._pattern = pattern
        self._places = places
        self._files: dict[str, File] = {}
        #: No longer there, and for how many calls more they are looked for.
        self._lost: dict[File, int] = {}
        #: What went wrong in the last call and in this one: each is logged once.
        self._told: set[str] = set()
        self._wrong: set[str] = set()

    def rewind(self) -> None:
        """Go back to where Falco has been; the first time, in an earlier run."""
        if not self._files:
            kept = self._places.read()
            self._files = {key: File(key, place, place) for key, place in kept.items()}
        for file in (*self._files.values(), *self._lost):
            file.read, file.stamp = file.kept, None

    def keep(self, chunk: Chunk) -> None:
        """Falco has finished with these lines."""
        chunk.file.kept = chunk.place
        files = (*self._lost, *self._files.values())
        self._places.write({file.key: file.kept for file in files if file.kept.end})

    def read_on(self) -> Iterator[Chunk]:
        """What is new since the last call, in the order of the files' names.

        A last line without an end is left until it has one, save in a gzip file, which does not
        grow. What cannot be read is passed over until it can be.
        """
        self._told, self._wrong = self._wrong, set()
        there = self._list()
        if there is None:
            return
        self._lost = {file: calls - 1 for file, calls in self._lost.items() if calls}
        for file in list(self._files.values()):
            if file.key not in there or not file.is_still(there[file.key]):
                self._lost[self._files.pop(file.key)] = 1
        for found in there.values():
            try:
                yield from self._read(found, there)
            except (FileNotFoundError, EOFError):
                pass  # renamed a moment ago, or gzip has only begun
            except (OSError, zlib.error) as error:
                self._tell(f"{found.path} cannot be read: {error}")

    def _list(self) -> dict[str, Found] | None:
        try:
            os.listdir(self._folder)
        except OSError as error:
            self._tell(f"nothing can be read until this is mended: {error}")
            return None
        there: dict[str, Found] = {}
        for path in sorted(self._folder.glob(self._pattern)):
            try:
                state = path.stat()
            except FileNotFoundError:
                continue
            except OSError as error:
                self._tell(f"{path} cannot be read: {error}")
                continue
            if stat.S_ISREG(state.st_mode):
                found = Found(path, _key(state), (state.st_size, state.st_mtime_ns))
                there.setdefault(found.key, found)
            else:
                self._tell(f"{path} is passed over: it is no file")
        return there

    def _read(self, found: Found, there: dict[str, Found]) -> Iterator[Chunk]:
        known = self._files.get(found.key)
        if known and known.stamp == found.stamp:
            return
        with found.open() as content:
            # Of which nothing is read may just have been begun, by gzip or cp.
            file = known if known and known.read.end else None
            file = file or self._meet(found, content.read(HEAD), there)
            if file is None:
                return
            try:
                yield from _chunks(file, content, found.packed)
            except EOFError:
                pass  # gzip is still at work on it
            except (gzip.BadGzipFile, zlib.error) as error:
                self._tell(f"{found.path} cannot be unpacked: {error}")
            file.stamp = found.stamp

    def _meet(self, found: Found, start: bytes, there: dict[str, Found]) -> File | None:
        """Which file this is; None: the same is there unpacked, and perhaps soon no longer."""
        for file in self._lost:
            if file.read.end and file.read.fits(start):
                del self._lost[file]
                file.key = found.key
                break
        else:
            plain = [file for key, file in self._files.items() if not there[key].packed]
            if found.packed and any(file.read.end and file.read.fits(start) for file in plain):
                return None
            file = File(found.key, Place(), Place())
        self._files[found.key] = file
        return file

    def _tell(self, problem: str) -> None:
        if problem not in self._told | self._wrong:
            log.warning("%s", problem)
        self._wrong.add(problem)


def _chunks(file: File, content: BinaryIO | gzip.GzipFile, packed: bool) -> Iterator[Chunk]:
    end = file.read.end
    content.seek(0)
    start = content.read(min(end, HEAD))
    content.seek(end)
    lines: list[bytes] = []
    for line in content:
        if not line.endswith(b"\n") and not packed:
            break
        end += len(line)
        start += line if len(start) < HEAD else b""
        if line.strip():
            lines.append(line.strip())
        if len(lines) == CHUNK:
            file.read = Place.after(end, start)
            yield Chunk(file, lines, file.read)
            lines = []
    if lines:
        file.read = Place.after(end, start)
        yield Chunk(file, lines, file.read)


def _key(state: os.stat_result) -> str:
    return f"{state.st_dev}:{state.st_ino}"
