"""Sends blobs: skips what is there, goes on where it stopped (distribution-spec, "Push").

The first attempt is one PUT, which every registry takes. Once that was cut off, the blob goes in
chunks from then on, also in a later run: a registry that keeps uploads open tells how far it got.
A registry that takes no chunks gets the whole again.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, Final, TypeAlias
from urllib.parse import quote

from falcopy_sdk.exceptions import (
    CredentialsError,
    IntegrityError,
    NotInRegistryError,
    RegistryRefusedError,
    RegistryUnavailableError,
)
from falcopy_sdk.oci.uploads import OpenUpload, Uploads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from falcopy_sdk.oci.descriptor import Descriptor
    from falcopy_sdk.oci.session import Session

logger = logging.getLogger(__name__)

__all__ = ["CHUNK_SIZE", "Progress", "Source", "blob", "exists", "scope"]

#: Opens the contents of a blob; called anew for each attempt.
Source: TypeAlias = Callable[[], "AbstractContextManager[BinaryIO]"]
#: Told how many bytes the other side has, of how many. May step back after a broken connection.
Progress: TypeAlias = Callable[[int, int], None]

#: Bytes; GHCR takes no larger chunk, and answers 416 (measured by several clients' authors).
CHUNK_SIZE: Final = 4 * 1024 * 1024
_BLOCK: Final = 64 * 1024

_FOUND: Final = frozenset({200, 404})

_STORED: Final = frozenset({201, 202, 204})


class _NoChunksError(Exception):
    """The registry does not take this blob in chunks."""


def scope(repository: str) -> str:
    """The right that pushing needs, for a token server."""
    return f"repository:{repository}:pull,push"


def exists(
    session: Session,
    repository: str,
    digest: str,
    wanted: str | None = None,
    *,
    retried: bool = True,
) -> bool:
    """Whether the registry has a blob; see :meth:`Session.request`."""
    response = session.request(
        "HEAD",
        f"/v2/{repository}/blobs/{digest}",
        scope=wanted or f"repository:{repository}:pull",
        expect=_FOUND,
        retried=retried,
    )
    return response.status == 200


def blob(
    session: Session,
    repository: str,
    descriptor: Descriptor,
    contents: bytes | Source,
    progress: Progress | None,
    mount_from: tuple[str, ...],
) -> bool:
    """Sends a blob unless it is there; see :meth:`Registry.put_blob`."""
    source: Source = (lambda: io.BytesIO(contents)) if isinstance(contents, bytes) else contents
    job = _Upload(session, repository, descriptor, source, progress or (lambda _done, _all: None))
    sent = False
    for attempt in session.retry.retrying():
        # The one loop of retries: none of the requests in it has its own.
        with attempt:
            if not exists(session, repository, descriptor.digest, scope(repository), retried=False):
                sent = True
                if not job.mounted(mount_from):
                    job.send()
    job.finished()
    return sent


class _Upload:
    def __init__(
        self,
        session: Session,
        repository: str,
        descriptor: Descriptor,
        source: Source,
        progress: Progress,
    ) -> None:
        self._session = session
        self._repository = repository
        self._descriptor = descriptor
        self._source = source
        self._progress = progress
        self._store = Uploads(session.registry, repository, descriptor.digest)
        self._open = self._store.load()
        #: A run was cut off before: go on in chunks.
        self._in_chunks = self._open is not None

    def mounted(self, sources: tuple[str, ...]) -> bool:
        """Whether the registry took it over from another repository."""
        for name in sources if self._open is None else ():
            query = f"?mount={quote(self._descriptor.digest)}&from={quote(name)}"
            try:
                if self._start(query, f"repository:{name}:pull") is None:
                    return True
            except (CredentialsError, NotInRegistryError, RegistryRefusedError) as error:
                # It is sent then; whether this account may push shows there.
                logger.warning("not taken over from %s: %s", name, error)
        return False

    def send(self) -> None:
        whole = not self._in_chunks
        self._in_chunks = True  # unless this attempt gets through
        if whole:
            self._send_whole()
            return
        try:
            self._send_chunks()
        except _NoChunksError:
            self._in_chunks = False
            self._open = None
            self._send_whole()

    def finished(self) -> None:
        self._progress(self._descriptor.size, self._descriptor.size)
        self._store.clear()

    def _start(self, query: str = "", also: str = "") -> OpenUpload | None:
        """Opens an upload; None: the blob was mounted. ``also``: a scope beside that to push."""
        url = f"/v2/{self._repository}/blobs/uploads/"
        response = self._session.request(
            "POST",
            url + query,
            scope=f"{scope(self._repository)} {also}".strip(),
            expect=frozenset({201, 202}),
            headers={"Content-Length": "0"},
            retried=False,
        )
        if response.status == 201 and query:
            return None
        least = response.headers.get("OCI-Chunk-Min-Length", "")
        self._open = OpenUpload(
            self._resolve(url, response.headers.get("Location")),
            int(least) if least.isdecimal() else 0,
        )
        self._store.save(self._open)
        return self._open

    def _resolve(self, base: str, location: str | None) -> str:
        if not location:
            raise RegistryRefusedError(
                f"{self._session.registry}: opens an upload without saying where (no Location)"
            )
        return self._session.resolve(base, location)

    def _send_whole(self) -> None:
        opened = self._open or self._start()
        assert opened is not None
        self._put(opened.location, 0)

    def _send_chunks(self) -> None:
        offset = self._where_it_stopped()
        if self._open is None:
            offset = 0
            self._start()
        assert self._open is not None
        step = max(CHUNK_SIZE, self._open.least_chunk)
        while self._descriptor.size - offset > step:
            self._patch(offset, step)
            offset += step
            self._progress(offset, self._descriptor.size)
        self._put(self._open.location, offset)

    def _where_it_stopped(self) -> int:
        """The bytes that the registry has of an upload; forgets one that is gone."""
        if self._open is None:
            return 0
        try:
            response = self._session.request(
                "GET",
                self._open.location,
                scope=scope(self._repository),
                expect=frozenset({202, 204}),
                retried=False,
            )
        except (NotInRegistryError, RegistryRefusedError, CredentialsError):
            # Gone, or another account's; a new one tells whether this account may push.
            self._open = None
            return 0
        start, _, end = response.headers.get("Range", "").removeprefix("bytes=").partition("-")
        # A fresh upload says 0-0, which may also stand for one byte: that byte goes again.
        known = int(end) + 1 if start == "0" and end.isdecimal() and int(end) else 0
        if not known or known > self._descriptor.size:
            self._open = None
            return 0
        location = response.headers.get("Location")
        if location:
            self._open = OpenUpload(
                self._resolve(self._open.location, location), self._open.least_chunk
            )
        return known

    def _patch(self, offset: int, length: int) -> None:
        assert self._open is not None
        try:
            response = self._session.request(
                "PATCH",
                self._open.location,
                scope=scope(self._repository),
                expect=_STORED,
                headers=self._headers(offset, length),
                body=lambda: self._blocks(offset, length),
                retried=False,
            )
        except (RegistryRefusedError, NotInRegistryError) as error:
            raise _NoChunksError from error
        location = response.headers.get("Location")
        if location:
            self._open = OpenUpload(
                self._resolve(self._open.location, location), self._open.least_chunk
            )
        self._store.save(self._open)

    def _put(self, location: str, offset: int) -> None:
        """Sends the rest and closes the upload."""
        length = self._descriptor.size - offset
        headers = self._headers(offset, length)
        if not offset:
            del headers["Content-Range"]
        joint = "&" if "?" in location else "?"
        try:
            response = self._session.request(
                "PUT",
                f"{location}{joint}digest={quote(self._descriptor.digest, safe='')}",
                scope=scope(self._repository),
                expect=_STORED,
                headers=headers,
                body=lambda: self._blocks(offset, length),
                retried=False,
            )
        except NotInRegistryError as error:
            self._open = None
            raise RegistryUnavailableError(
                f"{self._session.registry} has lost the upload of {self._descriptor.digest} "
                f"({error})"
            ) from error
        except RegistryRefusedError as error:
            self._open = None
            if "DIGEST_INVALID" in str(error):
                self._store.clear()
                raise IntegrityError(
                    f"{self._session.registry} received other contents than "
                    f"{self._descriptor.digest} ({error}); pack again, and push again"
                ) from error
            if offset:
                raise _NoChunksError from error
            raise
        stored = response.headers.get("Docker-Content-Digest", self._descriptor.digest)
        if stored != self._descriptor.digest:
            raise IntegrityError(
                f"{self._session.registry} stored {stored} instead of {self._descriptor.digest}"
            )

    def _headers(self, offset: int, length: int) -> dict[str, str]:
        return {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(length),
            "Content-Range": f"{offset}-{offset + length - 1}",
        }

    def _blocks(self, offset: int, length: int) -> Iterator[bytes]:
        with self._source() as stream:
            stream.seek(offset)
            sent = 0
            while sent < length:
                block = stream.read(min(_BLOCK, length - sent))
                if not block:
                    raise IntegrityError(
                        f"{self._descriptor.digest}: its file ends before {self._descriptor.size} "
                        "bytes; pack it again"
                    )
                sent += len(block)
                yield block
                self._progress(offset + sent, self._descriptor.size)
