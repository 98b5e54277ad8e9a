"""Digests, descriptors and media types of the OCI formats (image-spec 1.1)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from falcopy_sdk.exceptions import IntegrityError

__all__ = [
    "DEEPEST",
    "DOCUMENT_LIMIT",
    "EMPTY_CONFIG",
    "INDEX",
    "MANIFEST",
    "Descriptor",
    "Platform",
    "canonical_json",
    "check_digest",
    "parse_document",
    "sha256_digest",
]

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
#: The config of a manifest that needs none, ``{}`` (image-spec, manifest.md).
EMPTY_CONFIG: Final = "application/vnd.oci.empty.v1+json"
#: Bytes; what clients and registries hold of a manifest, index or config (distribution-spec).
DOCUMENT_LIMIT: Final = 4 * 1024 * 1024
#: Manifests one below, or about, the other: an artifact has an index, its manifests, what is about
#: these, and a signature of that.
DEEPEST: Final = 16

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


def sha256_digest(data: bytes) -> str:
    """Return ``"sha256:<hex>"`` of some bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def check_digest(digest: object, where: str) -> str:
    """Return the digest if it is one that names contents safely.

    Raises:
        IntegrityError: it is not ``sha256:`` and 64 hexadecimal digits.
    """
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise IntegrityError(f"{where}: {digest!r} is not a digest (sha256: and 64 hex digits)")
    return digest


def canonical_json(document: Mapping[str, Any]) -> bytes:
    """Return compact UTF-8 JSON, keys in the order given, as Go's encoder writes it."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def parse_document(data: bytes, where: str) -> dict[str, Any]:
    """Read a manifest, index or config.

    Raises:
        IntegrityError: it is no JSON object.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{where}: not valid JSON ({error})") from error
    if not isinstance(document, dict):
        raise IntegrityError(f"{where}: not a JSON object")
    return document


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """Operating system and architecture, by Go's names: ``linux/amd64``."""

    os: str
    architecture: str

    def __str__(self) -> str:
        return f"{self.os}/{self.architecture}"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Names contents by digest (image-spec, descriptor.md).

    Attributes:
        media_type: What the contents are.
        digest: ``sha256:<hex>``.
        size: In bytes.
        annotations: May be empty.
        platform: In an index: what the manifest is for.
        artifact_type: In an index: the type of a manifest that is no image.
    """

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    platform: Platform | None = None
    artifact_type: str | None = None

    @classmethod
    def of(cls, data: bytes, media_type: str, **more: Any) -> Self:
        """Describe some bytes."""
        return cls(media_type, sha256_digest(data), len(data), **more)

    @classmethod
    def from_json(cls, document: object, where: str) -> Self:
        """Read a descriptor.

        Raises:
            IntegrityError: a part is missing or of another kind.
        """
        if not isinstance(document, Mapping):
            raise IntegrityError(f"{where}: no descriptor (not a JSON object)")
        size, media_type = document.get("size"), document.get("mediaType")
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise IntegrityError(f"{where}: the descriptor has no size")
        if not isinstance(media_type, str):
            raise IntegrityError(f"{where}: the descriptor has no mediaType")
        platform = document.get("platform")
        if platform is not None:
            platform = _platform(platform, where)
        annotations = document.get("annotations") or {}
        if not isinstance(annotations, Mapping):
            raise IntegrityError(f"{where}: its annotations are not an object")
        return cls(
            media_type,
            check_digest(document.get("digest"), where),
            size,
            {str(name): str(value) for name, value in annotations.items()},
            platform,
            document.get("artifactType"),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object, without what is empty, keys in the order of Go's struct."""
        document: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": self.size,
        }
        if self.annotations:
            document["annotations"] = dict(sorted(self.annotations.items()))
        if self.platform is not None:
            document["platform"] = {
                "architecture": self.platform.architecture,
                "os": self.platform.os,
            }
        if self.artifact_type is not None:
            document["artifactType"] = self.artifact_type
        return document


def _platform(document: object, where: str) -> Platform:
    if not isinstance(document, Mapping):
        raise IntegrityError(f"{where}: its platform is not an object")
    os, architecture = document.get("os"), document.get("architecture")
    if not isinstance(os, str) or not isinstance(architecture, str):
        raise IntegrityError(f"{where}: its platform lacks os or architecture")
    return Platform(os, architecture)
