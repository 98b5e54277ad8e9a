"""Signing what is published, and attaching what is known about it."""

from __future__ import annotations

import base64
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from falcopy_sdk.bundle import sbom
from falcopy_sdk.bundle.image import is_built
from falcopy_sdk.exceptions import PackageError
from falcopy_sdk.oci.files import write_file
from falcopy_sdk.provenance import documents, origin
from falcopy_sdk.provenance.artifact import fetch, plugin_in
from falcopy_sdk.provenance.attachments import Beside
from falcopy_sdk.provenance.checks import Report
from falcopy_sdk.provenance.plugin_file import PluginFile
from falcopy_sdk.provenance.verify_file import check_plugin, signature_file

if TYPE_CHECKING:
    from falcopy_sdk.oci import Descriptor, Reference, Registry
    from falcopy_sdk.provenance.artifact import Artifact, Part
    from falcopy_sdk.provenance.keys import PrivateKey
    from falcopy_sdk.provenance.origin import Commit

__all__ = ["Signed", "predicate_of", "sign_artifact", "sign_file"]


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed.

    Attributes:
        digest: Of the index, or of the manifest of rules.
        sboms: Platforms whose bill of materials was attached.
    """

    digest: str
    sboms: tuple[str, ...]


def sign_file(path: Path, key: PrivateKey) -> Path:
    """Writes the signature of a file beside it; ``cosign verify-blob --signature`` reads it.

    Raises:
        StorageError: it cannot be written.
        OSError: the file cannot be read.
    """
    signature = key.sign(path.read_bytes())
    target = signature_file(path)
    write_file(target, base64.b64encode(signature) + b"\n")
    return target


def sign_artifact(
    registry: Registry,
    reference: Reference,
    key: PrivateKey,
    *,
    commit: Commit | None = None,
    builder: str | None = None,
) -> Signed:
    """Signs what a reference points to, and attaches bills of materials and provenance.

    The signature comes last: where it is, the rest is as well.

    Args:
        registry: Of the reference.
        reference: A tag or a digest.
        key: Signs the digest and the statements.
        commit: That the plugin was built from.
        builder: URI of who ran the build.

    Raises:
        RegistryError: the artifact is not there, or is not what its digests say.
        PackageError: a plugin in it is damaged; it is not signed.
    """
    artifact = fetch(registry, reference)
    beside = Beside(registry, reference.repository)
    bills: dict[str, bytes] = {}
    for part in artifact.parts:
        bill = _bill_of(registry, artifact, part)
        if bill is None:
            continue
        bills[part.platform] = bill
        name = f"{reference.name}@{part.descriptor.digest}"
        about = [(name, part.descriptor.digest)]
        made = documents.statement(about, documents.CYCLONEDX, json.loads(bill))
        beside.attach_sbom(part.descriptor, bill, _title(part))
        beside.attest(part.descriptor.digest, made, documents.CYCLONEDX, key)
    subjects = [(reference.name, d.digest) for d in _manifests(artifact)]
    parsed = [json.loads(bill) for bill in bills.values()]
    predicate = origin.predicate(parsed, commit, builder)
    made = documents.statement(subjects, documents.SLSA, predicate)
    beside.attest(artifact.root.digest, made, documents.SLSA, key)
    beside.sign(artifact.root.digest, key)
    return Signed(artifact.root.digest, tuple(bills))


def predicate_of(
    registry: Registry,
    reference: Reference,
    *,
    commit: Commit | None = None,
    builder: str | None = None,
    attach: bool = False,
) -> bytes:
    """The provenance predicate of an artifact, for others to sign: ``cosign attest --predicate``.

    Args:
        registry: Of the reference.
        reference: A tag or a digest.
        commit: That the plugin was built from.
        builder: URI of who ran the build.
        attach: Also attach the bills of materials, as signing does.

    Raises:
        RegistryError: the artifact is not there, or is not what its digests say.
        PackageError: a plugin in it is damaged.
    """
    artifact = fetch(registry, reference)
    beside = Beside(registry, reference.repository)
    bills = []
    for part in artifact.parts:
        bill = _bill_of(registry, artifact, part)
        if bill is not None:
            bills.append(json.loads(bill))
            if attach:
                beside.attach_sbom(part.descriptor, bill, _title(part))
    return json.dumps(origin.predicate(bills, commit, builder), indent=1).encode() + b"\n"


def _title(part: Part) -> str:
    return f"{part.settings.get('name') or 'plugin'}.cdx.json"


def _manifests(artifact: Artifact) -> list[Descriptor]:
    parts = [part.descriptor for part in artifact.parts]
    return [artifact.root, *(part for part in parts if part.digest != artifact.root.digest)]


def _bill_of(registry: Registry, artifact: Artifact, part: Part) -> bytes | None:
    """The bill of materials inside a plugin; None for rules, and for plugins of other makers."""
    if not part.is_plugin:
        return None
    with (
        tempfile.TemporaryDirectory(prefix="falcopy-sign-") as scratch,
        plugin_in(registry, artifact, part, Path(scratch)) as library,
    ):
        if library is None or not is_built(library):
            return None
        report = Report(part.platform)
        with PluginFile.open(library) as plugin:
            check_plugin(report, plugin, part.platform)
            bill = None if report.failed else plugin.read(sbom.NAME)
    if bill is None:
        worst = report.failed[0]
        raise PackageError(
            f"{artifact.reference}: not signed. {worst.name}: {worst.detail}. Fix: {worst.fix}."
        )
    return bill
