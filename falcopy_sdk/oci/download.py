"""Fetches blobs, whole or the rest of them, and checks what came."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, BinaryIO, Final
from urllib.parse import urlsplit

from urllib3.exceptions import HTTPError

from falcopy_sdk.exceptions import IntegrityError
from falcopy_sdk.oci.descriptor import DOCUMENT_LIMIT, sha256_digest
from falcopy_sdk.oci.files import storing, written_beside
from falcopy_sdk.oci.transport import unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from urllib3 import BaseHTTPResponse

    from falcopy_sdk.oci.descriptor import Descriptor
    from falcopy_sdk.oci.session import Session
    from falcopy_sdk.oci.upload import Progress

__all__ = ["blob", "document", "to_file"]

_BLOCK: Final = 256 * 1024
_WHOLE, _REST = 200, 206


def document(
    session: Session,
    url: str,
    *,
    scope: str,
    expect: frozenset[int],
    headers: Mapping[str, str] | None = None,
) -> tuple[BaseHTTPResponse, bytes]:
    """Returns the answer to a GET and its body: a manifest, a list.

    Raises:
        IntegrityError: it has more than 4 MiB, of which no more were read.
    """
    for attempt in session.retry.retrying():
        with attempt:
            response = session.request(
                "GET", url, scope=scope, expect=expect, headers=headers, stream=True, retried=False
            )
            try:
                data = response.read(DOCUMENT_LIMIT + 1)
            except (HTTPError, OSError) as error:
                raise unavailable(error, session.registry) from error
            finally:
                response.close()  # with what was not read of it
            if len(data) > DOCUMENT_LIMIT:
                raise IntegrityError(
                    f"{session.registry}: GET {urlsplit(url).path}: more than {DOCUMENT_LIMIT} "
                    "bytes; no manifest or list is so large"
                )
            return response, bytes(data)
    raise AssertionError("tenacity raises the last error")


def blob(session: Session, repository: str, descriptor: Descriptor) -> bytes:
    """Returns a small blob."""
    for attempt in session.retry.retrying():
        with attempt:
            response = _get(session, repository, descriptor, 0)
            try:
                data = response.read(descriptor.size + 1)
            except (HTTPError, OSError) as error:
                raise unavailable(error, session.registry) from error
            finally:
                response.release_conn()
            _check(session, repository, descriptor, sha256_digest(data), len(data))
            return bytes(data)
    raise AssertionError("tenacity raises the last error")


def to_file(
    session: Session,
    repository: str,
    descriptor: Descriptor,
    path: Path,
    progress: Progress | None,
) -> None:
    """Writes a blob to a file, which gets its name when it is complete and checked."""
    with storing(path), written_beside(path) as stream:
        hasher = hashlib.sha256()
        received = 0
        for attempt in session.retry.retrying():
            with attempt:
                if received >= descriptor.size > 0:
                    continue  # the connection broke after the last byte
                response = _get(session, repository, descriptor, received)
                if response.status == _WHOLE and received:
                    stream.seek(0)
                    stream.truncate()
                    hasher, received = hashlib.sha256(), 0
                try:
                    for block in response.stream(_BLOCK):
                        _write(stream, block, path)
                        hasher.update(block)
                        received += len(block)
                        if received > descriptor.size:
                            break
                        if progress is not None:
                            progress(received, descriptor.size)
                except (HTTPError, ConnectionError, TimeoutError) as error:
                    raise unavailable(error, session.registry) from error
                finally:
                    response.release_conn()
        digest = f"sha256:{hasher.hexdigest()}"
        _check(session, repository, descriptor, digest, received)


def _write(stream: BinaryIO, block: bytes, path: Path) -> None:
    # Here, so that a full disk is not taken for a broken connection.
    with storing(path):
        stream.write(block)
        stream.flush()


def _get(session: Session, repository: str, descriptor: Descriptor, start: int) -> BaseHTTPResponse:
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-{descriptor.size - 1}"
    return session.request(
        "GET",
        f"/v2/{repository}/blobs/{descriptor.digest}",
        scope=f"repository:{repository}:pull",
        expect=frozenset({_WHOLE, _REST} if start else {_WHOLE}),
        headers=headers,
        stream=True,
        retried=False,
    )


def _check(
    session: Session, repository: str, descriptor: Descriptor, digest: str, size: int
) -> None:
    if size != descriptor.size:
        raise IntegrityError(
            f"{session.registry}/{repository}: blob {descriptor.digest} has "
            f"{'more than ' if size > descriptor.size else ''}{min(size, descriptor.size)} bytes "
            f"where {descriptor.size} were announced; nothing of it is kept"
        )
    if digest != descriptor.digest:
        raise IntegrityError(
            f"{session.registry}/{repository}: blob {descriptor.digest} came with digest "
            f"{digest}: it was tampered with or damaged; nothing of it is kept"
        )
