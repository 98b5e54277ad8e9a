"""OCI image layouts: the format between packing and publishing (image-spec, image-layout.md).

A layout is a folder, or a tar file of one, with ``oci-layout``, ``index.json`` and blobs named by
their digests. skopeo, crane, oras and cosign read and publish it as well.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self

from falcopy_sdk.exceptions import IntegrityError, PackageError
from falcopy_sdk.oci.descriptor import (
    DEEPEST,
    DOCUMENT_LIMIT,
    INDEX,
    MANIFEST,
    Descriptor,
    canonical_json,
    parse_document,
    sha256_digest,
)
from falcopy_sdk.oci.files import sha256_of, storing, written_beside
from falcopy_sdk.oci.layout_folder import INDEX_FILE, MARKER, check_replaceable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["REF_NAME", "Layout"]

#: Annotation of an entry of ``index.json``: its tag (image-spec, annotations.md).
REF_NAME: Final = "org.opencontainers.image.ref.name"

_MARKER_TEXT: Final = b'{"imageLayoutVersion":"1.0.0"}'
_CHUNK: Final = 1024 * 1024


class Layout:
    """A layout on disk. Make one with :meth:`create`, :meth:`open` or :meth:`open_or_create`."""

    def __init__(self, path: Path, archive: tarfile.TarFile | None = None) -> None:
        self.path = path
        self._archive = archive

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make an empty layout.

        Args:
            path: A folder that does not exist, is empty, or is a layout, which is replaced.

        Raises:
            PackageError: something else is there.
            StorageError: it cannot be written.
        """
        check_replaceable(path)
        with storing(path):
            if path.is_dir() and any(path.iterdir()):
                shutil.rmtree(path)
        layout = cls(path)
        with storing(path):
            (path / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
            layout._write(path / MARKER, _MARKER_TEXT)
        layout._write_index([])
        return layout

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a layout that is there; one in a tar file can only be read.

        Raises:
            PackageError: there is none.
        """
        archive = None
        if path.is_file():
            try:
                archive = tarfile.open(path, "r:")  # noqa: SIM115 - closed by close()
            except tarfile.TarError as error:
                raise PackageError(
                    f"{path}: neither a layout's folder nor a tar file of one ({error})"
                ) from error
        layout = cls(path, archive)
        try:
            document = parse_document(layout._contents(MARKER), f"{path}/{MARKER}")
        except FileNotFoundError:
            layout.close()
            raise PackageError(
                f"{path}: no OCI layout (it has no {MARKER}); falcopy package makes one"
            ) from None
        if document.get("imageLayoutVersion") != "1.0.0":
            layout.close()
            raise PackageError(f"{path}: a layout of another version than 1.0.0")
        return layout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the tar file, if it is one."""
        if self._archive is not None:
            self._archive.close()

    # Reading

    def entries(self) -> tuple[Descriptor, ...]:
        """The descriptors in ``index.json``, in their order."""
        where = f"{self.path}/{INDEX_FILE}"
        try:
            document = parse_document(self._contents(INDEX_FILE), where)
        except FileNotFoundError:
            raise IntegrityError(f"{where}: missing; pack it again") from None
        entries = document.get("manifests")
        if not isinstance(entries, list):
            raise IntegrityError(f"{where}: has no list of manifests")
        return tuple(Descriptor.from_json(entry, where) for entry in entries)

    def tagged(self, tag: str) -> Descriptor | None:
        """The entry with that tag."""
        return next((e for e in self.entries() if e.annotations.get(REF_NAME) == tag), None)

    def has(self, digest: str) -> bool:
        """Whether a blob is there; its contents are not looked at."""
        name = _blob(digest)
        if self._archive is None:
            return (self.path / name).is_file()
        return name in self._archive.getnames()

    @contextmanager
    def open_blob(self, descriptor: Descriptor) -> Iterator[BinaryIO]:
        """Opens a blob for reading; it can be sought. The digest is not checked.

        Raises:
            IntegrityError: it is missing, or of another size.
        """
        try:
            stream = self._stream(_blob(descriptor.digest))
        except FileNotFoundError:
            raise IntegrityError(
                f"{self.path}: blob {descriptor.digest} is missing; pack or pull it again"
            ) from None
        with stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(0)
            if size != descriptor.size:
                raise IntegrityError(
                    f"{self.path}: blob {descriptor.digest} has {size} bytes instead of "
                    f"{descriptor.size}; pack or pull it again"
                )
            yield stream

    def read(self, descriptor: Descriptor) -> bytes:
        """Returns a small blob: a manifest, index or config.

        Raises:
            IntegrityError: it is missing, too large, or not what its digest says.
        """
        if descriptor.size > DOCUMENT_LIMIT:
            raise IntegrityError(
                f"{self.path}: {descriptor.digest} ({descriptor.media_type}) has "
                f"{descriptor.size} bytes; documents have at most {DOCUMENT_LIMIT}"
            )
        with self.open_blob(descriptor) as stream:
            data = stream.read()
        if sha256_digest(data) != descriptor.digest:
            raise self._damaged(descriptor)
        return data

    def document(self, descriptor: Descriptor) -> dict[str, Any]:
        """Returns a manifest, index or config, read.

        Raises:
            IntegrityError: see :meth:`read`; or it is no JSON object.
        """
        return parse_document(self.read(descriptor), f"{self.path}: {descriptor.digest}")

    def children(self, descriptor: Descriptor) -> tuple[Descriptor, ...]:
        """What an index or a manifest refers to, without ``subject``; nothing for other blobs.

        Raises:
            IntegrityError: see :meth:`document`.
        """
        where = f"{self.path}: {descriptor.digest}"
        if descriptor.media_type == INDEX:
            parts = self.document(descriptor).get("manifests")
        elif descriptor.media_type == MANIFEST:
            document = self.document(descriptor)
            layers = document.get("layers")
            parts = [document.get("config"), *layers] if isinstance(layers, list) else None
        else:
            return ()
        if not isinstance(parts, list):
            raise IntegrityError(f"{where}: no list of manifests or layers in it")
        return tuple(Descriptor.from_json(part, where) for part in parts)

    def walk(self, descriptor: Descriptor) -> Iterator[Descriptor]:
        """A descriptor and all below it, parts before the whole, each once.

        Raises:
            IntegrityError: see :meth:`children`; or there is no end to it.
        """
        seen: set[str] = set()

        def below(one: Descriptor, depth: int) -> Iterator[Descriptor]:
            if one.digest in seen:
                return
            seen.add(one.digest)
            if depth > DEEPEST:
                raise IntegrityError(
                    f"{self.path}: {descriptor.digest}: more than {DEEPEST} indexes in each other"
                )
            for child in self.children(one):
                yield from below(child, depth + 1)
            yield one

        return below(descriptor, 0)

    def subject(self, descriptor: Descriptor) -> str | None:
        """The digest that a manifest is about (a signature, an SBOM), or None."""
        if descriptor.media_type not in (MANIFEST, INDEX):
            return None
        subject = self.document(descriptor).get("subject")
        where = f"{self.path}: {descriptor.digest}"
        return None if subject is None else Descriptor.from_json(subject, where).digest

    def verify(self) -> None:
        """Reads every blob that is referred to.

        Raises:
            IntegrityError: one is missing, or is not what its digest says.
        """
        for entry in self.entries():
            for part in self.walk(entry):
                with self.open_blob(part) as stream:
                    digest = sha256_of(stream)
                if digest != part.digest:
                    raise self._damaged(part)

    # Writing

    def add_blob(self, contents: bytes | Path, media_type: str, **more: Any) -> Descriptor:
        """Stores contents.

        Args:
            contents: Bytes, or a file with them.
            media_type: What they are.
            **more: Of the descriptor: ``annotations``, ``platform``, ``artifact_type``.

        Raises:
            StorageError: it cannot be written.
        """
        if isinstance(contents, bytes):
            descriptor = Descriptor.of(contents, media_type, **more)
            target = self._target(descriptor.digest)
            if not target.exists():
                with storing(target):
                    self._write(target, contents)
            return descriptor
        with contents.open("rb") as stream:
            digest = sha256_of(stream)
            target = self._target(digest)
            if not target.exists():
                stream.seek(0)
                with storing(target), written_beside(target) as copy:
                    shutil.copyfileobj(stream, copy, _CHUNK)
        return Descriptor(media_type, digest, target.stat().st_size, **more)

    def add_manifest(
        self, document: Mapping[str, Any], *, tag: str | None = None, listed: bool = True
    ) -> Descriptor:
        """Stores a manifest or an index.

        Args:
            document: With ``mediaType``.
            tag: Under which it stands in ``index.json``; another of that tag is replaced.
            listed: False: not in ``index.json``, because an index that is there refers to it.

        Raises:
            StorageError: it cannot be written.
        """
        descriptor = self.add_blob(canonical_json(document), document["mediaType"])
        if listed:
            self.list_manifest(descriptor, tag=tag)
        return descriptor

    def list_manifest(self, descriptor: Descriptor, *, tag: str | None = None) -> None:
        """Adds a manifest that is stored to ``index.json``.

        Raises:
            StorageError: it cannot be written.
        """
        if tag is None:
            entry = descriptor
            kept = [e for e in self.entries() if e != entry]
        else:
            entry = Descriptor(
                descriptor.media_type,
                descriptor.digest,
                descriptor.size,
                {**descriptor.annotations, REF_NAME: tag},
                descriptor.platform,
                descriptor.artifact_type,
            )
            kept = [e for e in self.entries() if e.annotations.get(REF_NAME) != tag]
        self._write_index([*kept, entry])

    def write_tar(self, path: Path) -> None:
        """Writes the layout as a tar file; the same layout gives the same bytes.

        Raises:
            StorageError: it cannot be written.
        """
        names = sorted(
            str(file.relative_to(self.path)) for file in self.path.rglob("*") if file.is_file()
        )
        with (
            storing(path),
            written_beside(path) as stream,
            tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive,
        ):
            for name in names:
                info = tarfile.TarInfo(name)
                info.size = (self.path / name).stat().st_size
                info.mode = 0o644
                with (self.path / name).open("rb") as contents:
                    archive.addfile(info, contents)

    def _write_index(self, entries: list[Descriptor]) -> None:
        document = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [entry.to_json() for entry in entries],
        }
        with storing(self.path / INDEX_FILE):
            self._write(self.path / INDEX_FILE, canonical_json(document))

    def _target(self, digest: str) -> Path:
        if self._archive is not None:
            raise PackageError(f"{self.path}: a tar file cannot be added to; unpack it first")
        return self.path / _blob(digest)

    def _write(self, path: Path, data: bytes) -> None:
        with written_beside(path) as stream:
            stream.write(data)

    def _contents(self, name: str) -> bytes:
        with self._stream(name) as stream:
            return stream.read(DOCUMENT_LIMIT)

    def _stream(self, name: str) -> BinaryIO:
        if self._archive is None:
            return (self.path / name).open("rb")
        for spelled in (name, f"./{name}"):
            try:
                member = self._archive.getmember(spelled)
            except KeyError:
                continue
            found = self._archive.extractfile(member)
            return found if found is not None else io.BytesIO()  # type: ignore[return-value]
        raise FileNotFoundError(name)

    def _damaged(self, descriptor: Descriptor) -> IntegrityError:
        return IntegrityError(
            f"{self.path}: blob {descriptor.digest} is damaged (its contents have another "
            "digest); pack or pull it again"
        )


def _blob(digest: str) -> str:
    algorithm, _, value = digest.partition(":")
    return f"blobs/{algorithm}/{value}"
