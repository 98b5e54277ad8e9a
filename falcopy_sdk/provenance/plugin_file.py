"""A built plugin, opened to be checked: static facts, manifest, bill of materials, contents."""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

from falcopy_sdk.bundle import image, manifest, sbom
from falcopy_sdk.exceptions import BundleFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from falcopy_sdk.bundle.image import Image

__all__ = ["PluginFile"]

_CHUNK: Final = 1024 * 1024
#: Bytes of a document in the payload.
_LARGEST: Final = 64 * 1024 * 1024
#: Of a member's flags (PKWARE APPNOTE 4.4.4).
_ENCRYPTED: Final = 1
#: What zipfile and struct raise at damaged archives; NotImplementedError is a RuntimeError.
_UNREADABLE: Final = (
    *(zipfile.BadZipFile, struct.error, EOFError, OSError, LookupError),
    *(MemoryError, OverflowError, RuntimeError, ValueError),
)


@dataclass
class PluginFile:
    """A file that ``falcopy build`` made, or that says so. Nothing in it is trusted or run."""

    path: Path
    image: Image
    archive: zipfile.ZipFile

    @classmethod
    def open(cls, path: Path) -> Self:
        """Opens a plugin.

        Raises:
            BundleFormatError: falcopy did not build it, or it is damaged or cut off.
            OSError: the file cannot be read.
        """
        facts = image.read_image(path)
        if facts.payload_size == 0:
            raise BundleFormatError(f"{path}: an empty loader; falcopy build makes a plugin of it")
        try:
            archive = zipfile.ZipFile(path)
        except _UNREADABLE as error:
            raise _damaged(path, error) from error
        return cls(path, facts, archive)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.archive.close()

    def payload_sha256(self) -> str:
        """SHA-256 of the payload as it is, in hex."""
        with self.path.open("rb") as stream:
            stream.seek(self.image.payload_offset)
            return _digest(stream, self.image.payload_size)

    def loader_sha256(self) -> str:
        """SHA-256 of the ELF file as it was before a build filled it in, in hex."""
        with self.path.open("rb") as stream:
            place = image.place_of(stream, self.path)
            stream.seek(0)
            loader = bytearray(stream.read(self.image.payload_offset))
        blank = image.MAGIC.ljust(image.IMAGE.size, b"\0")
        loader[place : place + image.IMAGE.size] = blank
        return hashlib.sha256(loader).hexdigest()

    def ends_with_payload(self) -> bool:
        """Whether nothing was put behind the payload."""
        return self.path.stat().st_size == self.image.payload_offset + self.image.payload_size

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """``falcopy.json``.

        Raises:
            BundleFormatError: there is none, or it is damaged.
        """
        return self._document(manifest.NAME)

    @cached_property
    def sbom(self) -> dict[str, Any]:
        """The bill of materials.

        Raises:
            BundleFormatError: there is none, or it is damaged.
        """
        return self._document(sbom.NAME)

    def read(self, name: str) -> bytes:
        """A file of the payload.

        Raises:
            BundleFormatError: there is none, or it is damaged.
        """
        self._checked  # noqa: B018 - raises
        try:
            return self.archive.read(name)
        except _UNREADABLE as error:
            raise _damaged(self.path, error) from error

    def digests(self) -> Iterator[tuple[str, str]]:
        """Name and SHA-256 of each file in the payload.

        Raises:
            BundleFormatError: one is damaged, or a name is there twice.
        """
        for entry in self._checked:
            yield entry.filename, hashlib.sha256(self.read(entry.filename)).hexdigest()

    @cached_property
    def _checked(self) -> list[zipfile.ZipInfo]:
        """What is in the payload, if a build could have written it: stored files, each once."""
        entries = self.archive.infolist()
        seen = set()
        for entry in entries:
            if entry.filename in seen:
                raise _damaged(self.path, f"{entry.filename} is in it twice")
            seen.add(entry.filename)
            if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & _ENCRYPTED:
                raise _damaged(self.path, f"{entry.filename} is compressed or encrypted")
        total = sum(entry.file_size for entry in entries)
        if total > self.image.payload_size:
            raise _damaged(self.path, f"its files have {total} bytes, more than all of it")
        return entries

    def _document(self, name: str) -> dict[str, Any]:
        data = self.read(name)
        if len(data) > _LARGEST:
            raise _damaged(self.path, f"{name} has {len(data)} bytes")
        try:
            document = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise _damaged(self.path, f"{name}: {error}") from error
        if not isinstance(document, dict):
            raise _damaged(self.path, f"{name} is no JSON object")
        return document


def _damaged(path: Path, error: object) -> BundleFormatError:
    text = str(error).strip("\"'")
    return BundleFormatError(f"{path}: its payload is damaged ({text}); build or download it again")


def _digest(stream: BinaryIO, size: int) -> str:
    hasher = hashlib.sha256()
    while size and (block := stream.read(min(size, _CHUNK))):
        hasher.update(block)
        size -= len(block)
    return hasher.hexdigest()
