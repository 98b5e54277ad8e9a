"""Sigstore bundles: a statement in its envelope, and by what it can be verified (v0.3).

sigstore/protobuf-specs, sigstore_bundle.proto, in its JSON form. One of a key pair holds a hint
to the key; one without holds a certificate and entries of the transparency log.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Final

from falcopy_sdk.oci.descriptor import canonical_json

if TYPE_CHECKING:
    from falcopy_sdk.provenance.keys import PublicKey

__all__ = ["MEDIA_TYPE", "bundled", "unbundled"]

MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"


def bundled(envelope: bytes, key: PublicKey) -> bytes:
    """A bundle of an envelope that was signed with a key pair."""
    hint = base64.b64encode(bytes.fromhex(key.fingerprint)).decode()
    return canonical_json(
        {
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": {"publicKey": {"hint": hint}},
            "dsseEnvelope": json.loads(envelope),
        }
    )


def unbundled(data: bytes) -> tuple[bytes, bool] | None:
    """The envelope of a bundle, and whether it was signed without a key pair.

    Returns:
        None: it is no bundle with an envelope.
    """
    try:
        bundle = json.loads(data)
        envelope, material = bundle["dsseEnvelope"], bundle["verificationMaterial"]
        return canonical_json(envelope), "publicKey" not in material
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
