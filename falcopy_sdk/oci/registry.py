"""A client of the OCI distribution API (distribution-spec 1.1): blobs, manifests, tags, referrers.

registry = Registry("ghcr.io")
descriptor, data = registry.get_manifest("acme/plugins/plugin/acme", "0.1.0")
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Self

from falcopy_sdk.exceptions import IntegrityError, NotInRegistryError
from falcopy_sdk.oci import download, referrers, upload
from falcopy_sdk.oci.credentials import find_credential
from falcopy_sdk.oci.descriptor import (
    DOCUMENT_LIMIT,
    INDEX,
    MANIFEST,
    Descriptor,
    check_digest,
    parse_document,
    sha256_digest,
)
from falcopy_sdk.oci.session import RetryPolicy, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from urllib3 import BaseHTTPResponse

    from falcopy_sdk.oci.credential import ClientCredentials, Credential
    from falcopy_sdk.oci.upload import Progress, Source

__all__ = ["Registry", "RetryPolicy"]

_ACCEPTED: Final = ", ".join(
    (
        INDEX,
        MANIFEST,
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_OK: Final = frozenset({200})
_CREATED: Final = frozenset({201, 202})
_MAYBE: Final = frozenset({200, 404})
_NEXT: Final = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')


class Registry:
    """One registry. Repositories are given by their path, ``"acme/plugins/plugin/acme"``.

    Every method may raise a :class:`falcopy_sdk.exceptions.RegistryError`: CredentialsError,
    NotInRegistryError, RegistryRefusedError, RegistryUnavailableError (after the retries), or
    IntegrityError (what came is not what its digest says).

    Args:
        host: ``"ghcr.io"``, ``"127.0.0.1:5000"``.
        credentials: Looks credentials up; called when the registry wants some. Default: Docker's
            and falcoctl's stores and so on (:mod:`falcopy_sdk.oci.credentials`).
        plain_http: True: no TLS; False: TLS; None: TLS unless the host is this machine.
        ca_file: Certificates (PEM) to trust beside the system's.
        retry: How often and how soon to try again.
        timeout: Seconds to wait for the next byte.
    """

    def __init__(
        self,
        host: str,
        *,
        credentials: Callable[[str], Credential | ClientCredentials | None] = find_credential,
        plain_http: bool | None = None,
        ca_file: Path | None = None,
        retry: RetryPolicy | None = None,
        timeout: float = 60.0,
    ) -> None:
        self.host = host
        self._session = Session(
            host,
            credentials,
            plain_http=plain_http,
            ca_file=ca_file,
            retry=retry or RetryPolicy(),
            timeout=timeout,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes idle connections."""
        self._session.close()

    # Blobs

    def blob_exists(self, repository: str, digest: str) -> bool:
        """Whether a blob is there."""
        return upload.exists(self._session, repository, digest)

    def get_blob(
        self, repository: str, descriptor: Descriptor, limit: int = DOCUMENT_LIMIT
    ) -> bytes:
        """Returns a small blob, checked: a config, a signature.

        Raises:
            IntegrityError: it has another digest or size, or more bytes than ``limit``.
        """
        if descriptor.size > limit:
            raise IntegrityError(
                f"{self.host}/{repository}: {descriptor.digest} has {descriptor.size} bytes; "
                f"expected a document, at most {limit}"
            )
        return download.blob(self._session, repository, descriptor)

    def download_blob(
        self,
        repository: str,
        descriptor: Descriptor,
        path: Path,
        progress: Progress | None = None,
    ) -> None:
        """Writes a blob to a file, checked; goes on where a broken connection stopped.

        Raises:
            IntegrityError: it has another digest or size.
            StorageError: the file cannot be written.
        """
        download.to_file(self._session, repository, descriptor, path, progress)

    def put_blob(
        self,
        repository: str,
        descriptor: Descriptor,
        contents: bytes | Source,
        *,
        progress: Progress | None = None,
        mount_from: Sequence[str] = (),
    ) -> bool:
        """Sends a blob unless it is there.

        Args:
            repository: Where to.
            descriptor: Of the contents.
            contents: Bytes, or what opens a stream of them, anew for each attempt.
            progress: Told the bytes that are there, of how many.
            mount_from: Repositories of the same registry that may have it already.

        Returns:
            Whether it was sent.

        Raises:
            IntegrityError: the contents are not what the descriptor says.
        """
        return upload.blob(
            self._session, repository, descriptor, contents, progress, tuple(mount_from)
        )

    # Manifests

    def head_manifest(self, repository: str, reference: str) -> Descriptor | None:
        """The descriptor behind a tag or digest, or None if there is none."""
        response = self._session.request(
            "HEAD",
            f"/v2/{repository}/manifests/{reference}",
            scope=_pull(repository),
            expect=_MAYBE,
            headers={"Accept": _ACCEPTED},
        )
        if response.status == 404:
            return None
        digest = response.headers.get("Docker-Content-Digest")
        length = response.headers.get("Content-Length", "")
        if digest is None or not length.isdecimal():  # some registries leave them out of HEAD
            return self.get_manifest(repository, reference)[0]
        where = f"{self.host}/{repository}:{reference}"
        return Descriptor(_media_type(response), check_digest(digest, where), int(length))

    def get_manifest(self, repository: str, reference: str) -> tuple[Descriptor, bytes]:
        """Returns a manifest or an index, checked when ``reference`` is a digest.

        Raises:
            NotInRegistryError: there is none.
            IntegrityError: it has another digest than asked for, or than the registry says.
        """
        where = f"{self.host}/{repository}{_shown(reference)}"
        try:
            response, data = download.document(
                self._session,
                f"/v2/{repository}/manifests/{reference}",
                scope=_pull(repository),
                expect=_OK,
                headers={"Accept": _ACCEPTED},
            )
        except NotInRegistryError:
            raise NotInRegistryError(self._missing(repository, reference)) from None
        named = response.headers.get("Docker-Content-Digest")
        expected = reference if ":" in reference else named
        found = sha256_digest(data)
        if expected is not None and found != expected:
            raise IntegrityError(
                f"{where}: the registry gave contents with digest {found} instead of {expected}"
            )
        document = parse_document(data, where)
        media_type = document.get("mediaType") or _media_type(response)
        return Descriptor(str(media_type), found, len(data)), data

    def put_manifest(
        self, repository: str, data: bytes, reference: str | None = None
    ) -> Descriptor:
        """Stores a manifest or an index; all that it refers to must be there.

        One with a ``subject`` becomes a referrer also where the registry has no referrers API
        (distribution-spec, "Referrers Tag Schema").

        Args:
            repository: Where to.
            data: The exact bytes, with ``mediaType`` in them.
            reference: A tag; None: stored by its digest only.
        """
        document = parse_document(data, "manifest")
        descriptor = Descriptor.of(data, str(document.get("mediaType") or MANIFEST))
        response = self._put(repository, descriptor, data, reference or descriptor.digest)
        stored = response.headers.get("Docker-Content-Digest", descriptor.digest)
        if stored != descriptor.digest:
            raise IntegrityError(
                f"{self.host}/{repository}: the registry stored the manifest as {stored} instead "
                f"of {descriptor.digest}"
            )
        subject = document.get("subject")
        if subject is not None and response.headers.get("OCI-Subject") is None:
            digest = Descriptor.from_json(subject, "subject").digest
            referrers.add_to_tag(self, repository, digest, document, descriptor)
        return descriptor

    def referrers(
        self, repository: str, digest: str, artifact_type: str | None = None
    ) -> list[Descriptor]:
        """The manifests whose ``subject`` is that digest: signatures, SBOMs, attestations."""
        url = f"/v2/{repository}/referrers/{digest}"
        response, data = self._get(url, repository, frozenset({200, 400, 404, 405, 406}))
        where = f"{self.host}{url}"
        if response.status != 200:
            found = _listed(referrers.of_tag(self, repository, digest), where)
        else:
            found = _listed(parse_document(data, url), where)
            while (following := self._next(url, response)) is not None:
                url = following
                response, data = self._get(url, repository, _OK)
                found += _listed(parse_document(data, url), where)
        return [d for d in found if artifact_type is None or d.artifact_type == artifact_type]

    # Tags

    def tags(self, repository: str) -> list[str]:
        """Every tag of a repository; none if it does not exist."""
        url: str | None = f"/v2/{repository}/tags/list"
        found: list[str] = []
        while url is not None:
            response, data = self._get(url, repository, _MAYBE)
            if response.status == 404:
                break
            listed = parse_document(data, url).get("tags") or []
            if not isinstance(listed, list) or not all(isinstance(tag, str) for tag in listed):
                raise IntegrityError(f"{self.host}/{repository}: its tags are no list of texts")
            found += listed
            url = self._next(url, response)
        return found

    def _next(self, url: str, response: BaseHTTPResponse) -> str | None:
        """The URL of the next page (distribution-spec, "Listing Tags")."""
        link = _NEXT.search(response.headers.get("Link", ""))
        return self._session.resolve(url, link[1]) if link else None

    def _get(
        self, url: str, repository: str, expect: frozenset[int]
    ) -> tuple[BaseHTTPResponse, bytes]:
        return download.document(self._session, url, scope=_pull(repository), expect=expect)

    def _put(
        self, repository: str, descriptor: Descriptor, data: bytes, reference: str
    ) -> BaseHTTPResponse:
        return self._session.request(
            "PUT",
            f"/v2/{repository}/manifests/{reference}",
            scope=upload.scope(repository),
            expect=_CREATED,
            headers={"Content-Type": descriptor.media_type},
            body=data,
        )

    def _missing(self, repository: str, reference: str) -> str:
        there = self.tags(repository)
        shown = f"{self.host}/{repository}{_shown(reference)}"
        if not there:
            return f"{shown}: not found; {self.host} has no such repository"
        listed = ", ".join(there[:12]) + (", …" if len(there) > 12 else "")
        return f"{shown}: not found; there are {listed}"


def _listed(document: Mapping[str, Any], where: str) -> list[Descriptor]:
    listed = document.get("manifests") or []
    if not isinstance(listed, list):
        raise IntegrityError(f"{where}: its manifests are not a list")
    return [Descriptor.from_json(item, where) for item in listed]


def _pull(repository: str) -> str:
    return f"repository:{repository}:pull"


def _shown(reference: str) -> str:
    return f"@{reference}" if ":" in reference else f":{reference}"


def _media_type(response: BaseHTTPResponse) -> str:
    return response.headers.get("Content-Type", "").partition(";")[0].strip()
