"""A TUF repository for sigstore's tools, with a trusted root that trusts nobody.

falcoctl and cosign fetch one before they look at any key (falcoctl, internal/cosign/verify.go),
and a machine without the internet can only be given another.
"""

from __future__ import annotations

import datetime
import json
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

_TRUSTED_ROOT = {
    "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "tlogs": [],
    "certificateAuthorities": [],
    "ctlogs": [],
    "timestampAuthorities": [],
}


def write_mirror(folder: Path) -> dict[str, str]:
    """Writes the repository; returns what has to be in the environment beside TUF_MIRROR."""
    signer = CryptoSigner.generate_ecdsa()
    targets_folder = folder / "targets"
    targets_folder.mkdir(parents=True)
    data = json.dumps(_TRUSTED_ROOT).encode()
    target = TargetFile.from_data("trusted_root.json", data, ["sha256"])
    (targets_folder / f"{target.hashes['sha256']}.trusted_root.json").write_bytes(data)
    expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    root = Root(expires=expires.replace(microsecond=0), consistent_snapshot=True)
    for role in ("root", "timestamp", "snapshot", "targets"):
        root.add_key(signer.public_key, role)
    files = {
        "1.root.json": root,
        "1.targets.json": Targets(targets={target.path: target}),
        "1.snapshot.json": Snapshot(meta={"targets.json": MetaFile(1)}),
        "timestamp.json": Timestamp(snapshot_meta=MetaFile(1)),
    }
    for name, signed in files.items():
        signed.expires = root.expires
        made = Metadata(signed)
        made.sign(signer)
        made.to_file(str(folder / name))
    log_key = ec.generate_private_key(ec.SECP256R1()).public_key()
    log_file = folder / "ctlog.pub"
    log_file.write_bytes(
        log_key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return {
        "TUF_ROOT": str(folder / "cache"),
        "TUF_ROOT_JSON": str(folder / "1.root.json"),
        "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": str(log_file),
    }
