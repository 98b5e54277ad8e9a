"""Layers: gzip-compressed tar files, written reproducibly and read by falcoctl's rules.

The rules are those of falcoctl's extractor (internal/utils/extract.go) in its strictest version:
flat, regular files only. What passes here installs with every falcoctl.
"""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zlib
from typing import TYPE_CHECKING, Final

from falcopy_sdk.exceptions import IntegrityError, PackageError
from falcopy_sdk.oci.files import storing, written_beside

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["Member", "pack_layer", "unpack_layer"]

_LEVEL: Final = 9
_MODES: Final = (0o755, 0o644)
_CHUNK: Final = 1024 * 1024
#: Bytes that a layer may have unpacked: gzip makes a thousandth of zeros.
_UNPACKED: Final = 4 * 1024**3
#: What reading an archive raises that is none; the last of tarfile's own fields.
_UNREADABLE: Final = (
    *(tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error),
    *(ValueError, OverflowError, RecursionError),
)

#: A file to pack and its permissions.
Member = tuple["Path", int]


def pack_layer(members: Mapping[str, Member], path: Path, mtime: int) -> None:
    """Write a layer; the same members and time give the same bytes (with the same zlib).

    Args:
        members: Files by the name they get, at the root of the archive.
        path: The file to write.
        mtime: Of every member, in seconds since the epoch.

    Raises:
        PackageError: a name is not that of a file at the root, or a mode is another than 0755
            or 0644.
        StorageError: it cannot be written.
    """
    for name, (_, mode) in members.items():
        _check_name(name, PackageError, str(path))
        if mode not in _MODES:
            raise PackageError(f"{name}: mode {mode:o}; a member has 0755 or 0644")
    # No name and no time in the gzip header; USTAR has no extended headers, and falcoctl refuses
    # global ones.
    with (
        storing(path),
        written_beside(path) as stream,
        gzip.GzipFile("", "wb", compresslevel=_LEVEL, fileobj=stream, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, (file, mode) in sorted(members.items()):
            info = tarfile.TarInfo(name)
            info.size = file.stat().st_size
            info.mtime = mtime
            info.mode = mode
            with file.open("rb") as contents:
                archive.addfile(info, contents)


def unpack_layer(stream: BinaryIO, folder: Path, where: str) -> list[Path]:
    """Write the members of a layer into a folder; each gets its name when it is complete.

    Args:
        stream: The layer.
        folder: Made if it is not there; files of these names are replaced, not written into.
        where: For messages: the layer.

    Raises:
        IntegrityError: it is no such archive, or has what falcoctl refuses; checked before the
            first file is written.
        StorageError: a file cannot be written.
    """
    start = stream.tell()
    try:
        with tarfile.open(fileobj=stream, mode="r:gz") as archive:
            total = 0
            for member in archive:
                if archive.pax_headers:
                    raise IntegrityError(
                        f"{where}: has a global extended header; falcoctl refuses the archive, "
                        "and so do we"
                    )
                _check_member(member, where)
                total += member.size
                if total > _UNPACKED:
                    raise IntegrityError(f"{where}: {total} bytes or more, unpacked")
        stream.seek(start)
        with tarfile.open(fileobj=stream, mode="r:gz") as archive:
            return list(_write(archive, folder))
    except _UNREADABLE as error:
        raise IntegrityError(
            f"{where}: not a readable gzip-compressed tar file ({error})"
        ) from error


def _write(archive: tarfile.TarFile, folder: Path) -> Iterator[Path]:
    for member in archive:
        if member.isdir():
            continue
        contents = archive.extractfile(member)
        assert contents is not None
        target = folder / member.name
        mode = 0o755 if member.mode & 0o100 else 0o644
        with storing(target), written_beside(target, mode) as stream:
            shutil.copyfileobj(contents, stream, _CHUNK)
        yield target


def _check_member(member: tarfile.TarInfo, where: str) -> None:
    if not (member.isreg() or member.isdir()) or member.issparse():
        kind = "a link" if member.islnk() or member.issym() else "no regular file"
        raise IntegrityError(
            f"{where}: {member.name!r} in it is {kind}; falcoctl refuses the archive, and so do we"
        )
    if member.isdir() and member.name in (".", ""):
        return
    _check_name(member.name.removeprefix("./"), IntegrityError, where)


def _check_name(name: str, error_class: type[IntegrityError | PackageError], where: str) -> None:
    if not name or ".." in name or "/" in name or "\0" in name or name == ".":
        raise error_class(
            f"{where}: {name!r} is not the name of a file at the archive's root; falcoctl takes "
            'no ".." in a name, and folders break installs'
        )
