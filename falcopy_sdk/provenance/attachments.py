"""Signatures, statements and bills of materials beside an artifact in its repository.

Up to version 2, cosign keeps signatures and attestations as manifests under the tags
``sha256-<hex>.sig`` and ``.att`` of the digest they are for (cosign, specs/SIGNATURE_SPEC.md and
ATTESTATION_SPEC.md). Since version 3 each is a bundle, as a referrer: a manifest with a
``subject`` (image-spec, manifest.md). A client that finds one bundle looks at no tag any more, so
all are written in both forms. A bill of materials is a referrer as well. None of them changes the
artifact or appears in its index.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from falcopy_sdk.exceptions import IntegrityError, NotInRegistryError
from falcopy_sdk.oci.descriptor import (
    EMPTY_CONFIG,
    MANIFEST,
    Descriptor,
    canonical_json,
    parse_document,
)
from falcopy_sdk.provenance import bundles, documents

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from falcopy_sdk.oci import Registry
    from falcopy_sdk.provenance.keys import PrivateKey, PublicKey

__all__ = ["Attached", "Beside"]

_SIMPLE_SIGNING: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
_ENVELOPE: Final = "application/vnd.dsse.envelope.v1+json"
_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
_SBOM: Final = "application/vnd.cyclonedx+json"
_SIGNATURE: Final = "dev.cosignproject.cosign/signature"
#: Of a signature without a key pair: who signed.
_CERTIFICATE: Final = "dev.sigstore.cosign/certificate"
_PREDICATE: Final = "predicateType"
_BUNDLE_CONTENT: Final = "dev.sigstore.bundle.content"
_BUNDLE_PREDICATE: Final = "dev.sigstore.bundle.predicateType"
#: Bytes of a bill of materials, or of what signs one: cosign's limit (COSIGN_MAX_ATTACHMENT_SIZE).
_LARGEST: Final = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Attached:
    """One signature or envelope.

    Attributes:
        payload: What was signed, or the envelope.
        signature: Empty for an envelope, which has its own.
        keyless: Signed with a certificate of Sigstore instead of a key pair.
    """

    descriptor: Descriptor
    payload: bytes
    signature: bytes
    keyless: bool

    def is_by(self, key: PublicKey) -> bool:
        """Whether that key made it."""
        if documents.signed_digest(self.payload) is None:
            return documents.open_envelope(self.payload, key) is not None
        return key.verifies(self.signature, self.payload)

    @property
    def about(self) -> frozenset[str]:
        """The digests that it is about, whoever made it."""
        digest = documents.signed_digest(self.payload)
        if digest is not None:
            return frozenset({digest})
        return documents.subjects_of(documents.open_envelope(self.payload, None) or {})


class Beside:
    """What is beside one repository's artifacts.

    Args:
        registry: Where the repository is.
        repository: Its path.
    """

    def __init__(self, registry: Registry, repository: str) -> None:
        self._registry = registry
        self._repository = repository

    def signatures(self, digest: str) -> list[Attached]:
        """The signatures of a digest: under its tag, or where that did not come along, bundled."""
        return self._read(digest, "sig", _SIMPLE_SIGNING) or [
            one for one in self._bundles(digest) if _kind(one) == documents.COSIGN_SIGN
        ]

    def attestations(self, digest: str) -> list[Attached]:
        """The signed statements about a digest; see :meth:`signatures`."""
        return self._read(digest, "att", _ENVELOPE) or [
            one for one in self._bundles(digest) if _kind(one) != documents.COSIGN_SIGN
        ]

    def sign(self, digest: str, key: PrivateKey) -> Descriptor:
        """Adds a signature; those of others stay, an older one of this key is replaced."""
        name = f"{self._registry.host}/{self._repository}"
        made = documents.statement([(name, digest)], documents.COSIGN_SIGN, {})
        self._bundle(digest, documents.sealed(made, key), documents.COSIGN_SIGN, key)
        payload = documents.simple_signing(name, digest)
        signature = base64.b64encode(key.sign(payload)).decode()
        descriptor = Descriptor.of(payload, _SIMPLE_SIGNING, annotations={_SIGNATURE: signature})
        others = [
            one.descriptor
            for one in self._read(digest, "sig", _SIMPLE_SIGNING)
            if not key.public.verifies(one.signature, one.payload)
        ]
        return self._write(digest, "sig", [*others, descriptor], payload)

    def attest(self, digest: str, statement: bytes, kind: str, key: PrivateKey) -> Descriptor:
        """Adds a signed statement; one of the same kind by this key is replaced."""
        envelope = documents.sealed(statement, key)
        self._bundle(digest, envelope, kind, key)
        annotations = {_SIGNATURE: "", _PREDICATE: kind}
        descriptor = Descriptor.of(envelope, _ENVELOPE, annotations=annotations)
        others = []
        for one in self._read(digest, "att", _ENVELOPE):
            known = documents.open_envelope(one.payload, key.public)
            if known is None or known.get(_PREDICATE) != kind:
                others.append(one.descriptor)
        return self._write(digest, "att", [*others, descriptor], envelope)

    def attach_sbom(self, subject: Descriptor, sbom: bytes, title: str) -> Descriptor:
        """Adds a bill of materials to a manifest, as a referrer."""
        layer = Descriptor.of(sbom, _SBOM, annotations={"org.opencontainers.image.title": title})
        return self._refer(subject, layer, sbom, {})

    def sboms(self, digest: str) -> list[bytes]:
        """The bills of materials that refer to a manifest."""
        return [data for _, data in self._referring(digest, _SBOM)]

    def _bundle(self, digest: str, envelope: bytes, kind: str, key: PrivateKey) -> None:
        subject = self._registry.head_manifest(self._repository, digest)
        if subject is None:
            raise NotInRegistryError(
                f"{self._registry.host}/{self._repository}@{digest}: not found"
            )
        data = bundles.bundled(envelope, key.public)
        # By these cosign chooses before it fetches.
        annotations = {_BUNDLE_CONTENT: "dsse-envelope", _BUNDLE_PREDICATE: kind}
        self._refer(subject, Descriptor.of(data, bundles.MEDIA_TYPE), data, annotations)

    def _bundles(self, digest: str) -> list[Attached]:
        found = []
        for layer, data in self._referring(digest, bundles.MEDIA_TYPE):
            opened = bundles.unbundled(data)
            if opened is not None:
                found.append(Attached(layer, opened[0], b"", opened[1]))
        return found

    def _refer(
        self, subject: Descriptor, layer: Descriptor, data: bytes, annotations: dict[str, str]
    ) -> Descriptor:
        """Stores data as a referrer of its media type."""
        config = Descriptor.of(b"{}", EMPTY_CONFIG)
        self._registry.put_blob(self._repository, config, b"{}")
        self._registry.put_blob(self._repository, layer, data)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": layer.media_type,
            "config": config.to_json(),
            "layers": [layer.to_json()],
            "subject": replace(subject, annotations={}, platform=None).to_json(),
            **({"annotations": annotations} if annotations else {}),
        }
        return self._registry.put_manifest(self._repository, canonical_json(manifest))

    def _referring(self, digest: str, media_type: str) -> Iterator[tuple[Descriptor, bytes]]:
        for referrer in self._registry.referrers(self._repository, digest, media_type):
            _, manifest = self._registry.get_manifest(self._repository, referrer.digest)
            for layer in _layers(manifest, referrer.digest, media_type):
                yield layer, self._registry.get_blob(self._repository, layer, _LARGEST)

    def _read(self, digest: str, suffix: str, media_type: str) -> list[Attached]:
        tag = _tag(digest, suffix)
        if self._registry.head_manifest(self._repository, tag) is None:
            return []
        _, data = self._registry.get_manifest(self._repository, tag)
        found = []
        for layer in _layers(data, tag, media_type):
            text = layer.annotations.get(_SIGNATURE, "")
            try:
                signature = base64.b64decode(text, validate=True)
            except ValueError:  # not base64, or not even ASCII
                signature = b""
            payload = self._registry.get_blob(self._repository, layer, _LARGEST)
            found.append(Attached(layer, payload, signature, _CERTIFICATE in layer.annotations))
        return found

    def _write(
        self, digest: str, suffix: str, layers: Sequence[Descriptor], added: bytes
    ) -> Descriptor:
        # cosign reads the layers only, but other clients expect an image's config.
        config = canonical_json(
            {
                "architecture": "",
                "created": "0001-01-01T00:00:00Z",
                "history": [{"created": "0001-01-01T00:00:00Z"} for _ in layers],
                "os": "",
                "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
                "config": {},
            }
        )
        described = Descriptor.of(config, _CONFIG)
        self._registry.put_blob(self._repository, described, config)
        self._registry.put_blob(self._repository, layers[-1], added)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described.to_json(),
            "layers": [layer.to_json() for layer in layers],
        }
        data = canonical_json(manifest)
        return self._registry.put_manifest(self._repository, data, _tag(digest, suffix))


def _kind(one: Attached) -> object:
    return (documents.open_envelope(one.payload, None) or {}).get(_PREDICATE)


def _tag(digest: str, suffix: str) -> str:
    return f"{digest.replace(':', '-')}.{suffix}"


def _layers(data: bytes, where: str, media_type: str) -> list[Descriptor]:
    manifest: dict[str, Any] = parse_document(data, where)
    listed = manifest.get("layers")
    if not isinstance(listed, list):
        raise IntegrityError(f"{where}: a manifest without layers")
    found = [Descriptor.from_json(layer, where) for layer in listed]
    return [layer for layer in found if layer.media_type == media_type]
