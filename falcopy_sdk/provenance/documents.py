"""What is signed: a digest, or a statement about it, in the forms that cosign reads.

Simple signing (containers/image, docs/containers-signature.5.md) names the digest of an artifact.
An in-toto statement (in-toto/attestation, spec/v1) says something about it; DSSE
(secure-systems-lab/dsse) signs the statement together with its type.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from falcopy_sdk.provenance.keys import PrivateKey, PublicKey

__all__ = [
    "COSIGN_SIGN",
    "CYCLONEDX",
    "IN_TOTO",
    "SLSA",
    "open_envelope",
    "sealed",
    "signed_digest",
    "simple_signing",
    "statement",
    "subjects_of",
]

#: Types of predicates: what a statement says; the first: no more than that it is signed.
COSIGN_SIGN: Final = "https://sigstore.dev/cosign/sign/v1"
CYCLONEDX: Final = "https://cyclonedx.org/bom"
SLSA: Final = "https://slsa.dev/provenance/v1"
#: DSSE's payloadType of a statement.
IN_TOTO: Final = "application/vnd.in-toto+json"
_STATEMENT: Final = "https://in-toto.io/Statement/v1"
_STATEMENTS: Final = frozenset({_STATEMENT, "https://in-toto.io/Statement/v0.1"})
_SIGNATURE_OF: Final = "cosign container image signature"


def simple_signing(name: str, digest: str) -> bytes:
    """The payload that cosign signs.

    Args:
        name: Registry and repository.
        digest: ``sha256:<hex>`` of a manifest or an index.
    """
    document = {
        "critical": {
            "identity": {"docker-reference": name},
            "image": {"docker-manifest-digest": digest},
            "type": _SIGNATURE_OF,
        },
        "optional": None,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def signed_digest(payload: bytes) -> str | None:
    """The digest that a payload of simple signing names; None: it is no such payload."""
    try:
        critical = json.loads(payload)["critical"]
        if critical["type"] != _SIGNATURE_OF:
            return None
        return str(critical["image"]["docker-manifest-digest"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def statement(
    subjects: Sequence[tuple[str, str]], predicate_type: str, predicate: Mapping[str, Any]
) -> bytes:
    """An in-toto statement.

    Args:
        subjects: Names and digests (``sha256:<hex>``) of what it is about.
        predicate_type: A URI.
        predicate: What it says.
    """
    document = {
        "_type": _STATEMENT,
        "subject": [
            {"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}}
            for name, digest in subjects
        ],
        "predicateType": predicate_type,
        "predicate": predicate,
    }
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def subjects_of(document: Mapping[str, Any]) -> frozenset[str]:
    """The digests that a statement is about."""
    found = set()
    listed = document.get("subject")
    for subject in listed if isinstance(listed, list) else ():
        digest = subject.get("digest") if isinstance(subject, dict) else None
        if isinstance(digest, dict) and isinstance(digest.get("sha256"), str):
            found.add(f"sha256:{digest['sha256']}")
    return frozenset(found)


def sealed(payload: bytes, key: PrivateKey) -> bytes:
    """A DSSE envelope around a statement."""
    signature = key.sign(_encoded(IN_TOTO, payload))
    document = {
        "payloadType": IN_TOTO,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"sig": base64.b64encode(signature).decode()}],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def open_envelope(data: bytes, key: PublicKey | None) -> dict[str, Any] | None:
    """The statement in an envelope.

    Args:
        data: The envelope.
        key: Who must have signed it; None: anyone.

    Returns:
        None: it is no statement in an envelope, or that key did not sign it.
    """
    try:
        envelope = json.loads(data)
        payload = base64.b64decode(envelope["payload"], validate=True)
        kind = str(envelope["payloadType"])
        signatures = [base64.b64decode(s["sig"], validate=True) for s in envelope["signatures"]]
        signed = _encoded(kind, payload)
        document = json.loads(payload)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if key is not None and not any(key.verifies(signature, signed) for signature in signatures):
        return None
    if kind != IN_TOTO or not isinstance(document, dict):
        return None
    return document if str(document.get("_type")) in _STATEMENTS else None


def _encoded(kind: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding (protocol.md, "Signature Definition")."""
    name = kind.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)
