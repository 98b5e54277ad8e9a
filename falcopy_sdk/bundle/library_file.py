"""Writing ``lib<name>.so``: the loader, filled in, with the payload behind it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from falcopy_sdk.bundle import image, room
from falcopy_sdk.exceptions import BuildError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from falcopy_sdk.bundle.contents import Contents

__all__ = ["Written", "replacing", "sha256", "write"]


@dataclass(frozen=True, slots=True)
class Written:
    """A written file: its size in bytes, its sha256 in hex, and what its audit has to say."""

    size: int
    sha256: str
    notes: tuple[str, ...]


def write(
    path: Path,
    loader: Path,
    archive: Path,
    filled: image.Image,
    contents: Contents,
    glibc: str | None,
) -> Written:
    """Puts loader and payload together beside ``path``, audits the whole and moves it there.

    Args:
        path: the file; an existing one is replaced, never written into.
        loader: the prebuilt one.
        archive: the payload.
        filled: what to write into the loader.
        contents: the payload, unpacked.
        glibc: the oldest version that it must run on; None: the one that comes out.

    Raises:
        BuildError: it cannot be written, or the audit finds what would harm a host.
    """
    with replacing(path) as partial:
        with partial.open("w+b") as file:
            with loader.open("rb") as source:
                shutil.copyfileobj(source, file)
                place = image.place_of(source, loader)
            with archive.open("rb") as source:
                shutil.copyfileobj(source, file)
            file.seek(place)
            file.write(image.pack(filled))
        with ThreadPoolExecutor(1) as beside:
            digest = beside.submit(sha256, partial)
            notes = _audit(partial, contents, path, glibc)
        return Written(partial.stat().st_size, digest.result(), notes)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside ``path`` that takes its place at the end, if all goes well.

    Raises:
        BuildError: it cannot be written.
        StorageError: there is no room for it.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(path)
    except OSError as error:
        told = StorageError if room.is_full(error) else BuildError
        raise told(
            f"{path} cannot be written: {error.strerror} ({error.filename or path}). "
            "Name another file with -o, or make room."
        ) from error
    finally:
        with contextlib.suppress(OSError):  # the folder is a file: told above
            partial.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """Of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _audit(built: Path, contents: Contents, path: Path, glibc: str | None) -> tuple[str, ...]:
    """Refuses what would harm a host; a missing licence is the author's to judge, a note."""
    # Slow to import, and of no use to who only copies a file.
    from falcopy_sdk.bundle import audit

    about = audit.audit_unpacked(built, contents.root, path.name, glibc=glibc, contents=contents)
    found = about.findings
    notes = tuple(str(f).removesuffix(".") for f in found if f.code == "no-licence")
    harmful = [f for f in found if f.code != "no-licence"]
    if harmful:
        lines = "\n".join(f"  {finding}" for finding in harmful)
        count = "1 finding" if len(harmful) == 1 else f"{len(harmful)} findings"
        raise BuildError(f"the audit of {path.name} has {count}:\n{lines}")
    return notes
