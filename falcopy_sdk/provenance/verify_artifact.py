"""Checks of a published artifact: who signed it, and does each part fit the others?"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from falcopy_sdk.bundle import sbom
from falcopy_sdk.bundle.image import is_built
from falcopy_sdk.exceptions import BundleFormatError, IntegrityError, NotInRegistryError
from falcopy_sdk.provenance import documents, shapes
from falcopy_sdk.provenance.artifact import fetch, plugin_in
from falcopy_sdk.provenance.attachments import Beside
from falcopy_sdk.provenance.checks import Report
from falcopy_sdk.provenance.plugin_file import PluginFile
from falcopy_sdk.provenance.verify_file import check_plugin

if TYPE_CHECKING:
    from falcopy_sdk.oci import Reference, Registry
    from falcopy_sdk.provenance.artifact import Artifact, Part
    from falcopy_sdk.provenance.keys import PublicKey

__all__ = ["verify_artifact"]

_DO_NOT_USE: Final = "do not install it; ask the publisher which digest they released"
#: This needs the trust root, and the transparency log or its proofs.
_COSIGN: Final = "cosign verify --certificate-identity=… --certificate-oidc-issuer=… REF"
_SIGN: Final = "publisher: falcopy sign REF --key cosign.key"
_PUBLISH: Final = "publisher: build and publish it again under a new version"
_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


def verify_artifact(
    registry: Registry, reference: Reference, key: PublicKey | None = None
) -> Report:
    """Checks an artifact, everything in it, and everything beside it.

    Args:
        registry: Of the reference.
        reference: A tag or a digest.
        key: Who must have signed; None: signatures are not checked, and the report says so.

    Raises:
        RegistryError: the artifact cannot be read at all.
    """
    report = Report(str(reference))
    try:
        artifact = fetch(registry, reference)
    except IntegrityError as error:
        report.fail("digests", str(error), _DO_NOT_USE)
        return report
    report.digest = artifact.root.digest
    report.ok("digests", f"index, manifests and configs of {artifact.root.digest}")
    beside = Beside(registry, reference.repository)
    try:
        _signature(report, beside, artifact, key)
        bills = []
        for part in artifact.parts:
            _names(report, artifact, part)
            bill = _contents(report, registry, beside, artifact, part, key)
            bills += [bill] if bill is not None else []
        _provenance(report, beside, artifact, bills, key)
    except (IntegrityError, NotInRegistryError) as error:
        report.fail("digests", str(error), _DO_NOT_USE)
    except RecursionError:
        report.fail("digests", "a document in it is nested too deeply to be compared", _DO_NOT_USE)
    return report


def _signature(report: Report, beside: Beside, artifact: Artifact, key: PublicKey | None) -> None:
    found = beside.signatures(artifact.root.digest)
    if key is None and any(one.keyless for one in found):
        report.skip(
            "signature",
            f"there is one without a key pair; whose it is takes Sigstore's services: {_COSIGN}",
        )
    elif key is None:
        report.skip("signature", "no --key was given: who published it is not known")
    elif not found:
        report.fail(
            "signature",
            f"nobody signed {artifact.root.digest}; a tag that was moved to another digest looks "
            "so, too",
            f"{_SIGN}; a mirror: cosign copy takes signatures along",
        )
    elif good := [s for s in found if s.is_by(key)]:
        about = frozenset[str]().union(*(one.about for one in good))
        if artifact.root.digest in about:
            report.ok("signature", f"by the key {key.fingerprint[:16]}…")
        else:
            others = ", ".join(sorted(about)) or "something else"
            report.fail("signature", f"the key signed {others}, not this digest", _DO_NOT_USE)
    elif all(one.keyless for one in found):
        report.fail(
            "signature",
            "signed without a key pair, with a certificate of Sigstore",
            f"{_COSIGN}; falcopy verify without --key checks the rest",
        )
    else:
        report.fail(
            "signature",
            f"none of {len(found)} signatures is by the key {key.fingerprint[:16]}…: another key "
            "made them, or they were changed",
            _DO_NOT_USE,
        )


def _names(report: Report, artifact: Artifact, part: Part) -> None:
    name = f"config {part.platform}".strip()
    settings, tag = part.settings, artifact.reference.tag
    given, version = settings.get("name"), settings.get("version")
    first = artifact.parts[0].settings
    wrong = shapes.problem(settings, shapes.CONFIG)
    if wrong is not None:
        report.fail(name, f"falcoctl cannot read it: {wrong}", _PUBLISH)
    elif not given or not version:
        report.fail(name, "name or version is missing, and falcoctl will refuse it", _PUBLISH)
    elif (given, version) != (first.get("name"), first.get("version")):
        report.fail(name, f"{given} {version} is not what the other platforms have", _PUBLISH)
    elif tag and _is_full(tag) and tag != version:
        report.fail(name, f"version {version} under the tag {tag}", _DO_NOT_USE)
    else:
        report.ok(name, f"{given} {version}")


def _is_full(tag: str) -> bool:
    return tag.count(".") >= 2 and tag[0].isdigit()


def _contents(
    report: Report,
    registry: Registry,
    beside: Beside,
    artifact: Artifact,
    part: Part,
    key: PublicKey | None,
) -> dict[str, Any] | None:
    """Checks a layer and the bill of materials in it, which it returns."""
    where = part.platform
    with tempfile.TemporaryDirectory(prefix="falcopy-verify-") as scratch:
        try:
            with plugin_in(registry, artifact, part, Path(scratch)) as library:
                report.ok(f"layer {where}".strip(), part.layer.digest)
                if not part.is_plugin:
                    return None
                if library is None:
                    report.fail(f"library {where}".strip(), "not one .so in the layer", _PUBLISH)
                    return None
                if not is_built(library):
                    report.skip(f"SBOM {where}", "falcopy did not build it: it has none inside")
                    return None
                with PluginFile.open(library) as plugin:
                    before = len(report.failed)
                    check_plugin(report, plugin, where)
                    _same_plugin(report, plugin, part)
                    if sbom.NAME not in plugin.archive.namelist():
                        return None
                    if len(report.failed) > before and shapes.problem(plugin.sbom, shapes.BILL):
                        return None  # told already
                    bill, document = plugin.read(sbom.NAME), plugin.sbom
        except (IntegrityError, BundleFormatError) as error:
            report.fail(f"layer {where}".strip(), str(error), _DO_NOT_USE)
            return None
    _attached(report, beside, part, bill)
    _attested(report, beside, part, document, key)
    return document


def _same_plugin(report: Report, plugin: PluginFile, part: Part) -> None:
    name, facts, settings = f"library {part.platform}".strip(), plugin.image.facts, part.settings
    if shapes.problem(settings, shapes.CONFIG) is not None:
        report.skip(name, "there is no readable config to compare it with")
        return
    required = {r.get("name"): r.get("version") for r in settings.get("requirements") or ()}
    machine = _MACHINES.get(str(plugin.manifest.get("machine")))
    platform = part.descriptor.platform
    if (facts.name, facts.version) != (settings.get("name"), settings.get("version")):
        stated = f"{settings.get('name')} {settings.get('version')}"
        report.fail(name, f"{facts.name} {facts.version}, and the config says {stated}", _PUBLISH)
    elif required.get("plugin_api_version") != facts.required_api_version:
        report.fail(
            name,
            f"needs plugin API {facts.required_api_version}, and the config says "
            f"{required.get('plugin_api_version')}",
            _PUBLISH,
        )
    elif platform is not None and machine != platform.architecture:
        report.fail(name, f"built for {machine}, and the index says {platform}", _PUBLISH)
    else:
        report.ok(name, f"plugin API {facts.required_api_version}, as the config says")


def _attached(report: Report, beside: Beside, part: Part, bill: bytes) -> None:
    name = f"attached SBOM {part.platform}"
    attached = beside.sboms(part.descriptor.digest)
    if not attached:
        report.skip(
            name,
            "none is attached; falcopy sign attaches it, with --key as well as with --predicate",
        )
    elif bill in attached:
        report.ok(name, "the same as the one inside")
    else:
        report.fail(name, "it differs from the one inside the plugin", _DO_NOT_USE)


def _attested(
    report: Report,
    beside: Beside,
    part: Part,
    document: dict[str, Any],
    key: PublicKey | None,
) -> None:
    name = f"signed SBOM {part.platform}"
    if key is None:
        report.skip(name, "no --key was given")
        return
    statements = _statements(beside, part.descriptor.digest, documents.CYCLONEDX, key)
    if not statements:
        report.fail(name, "the key signed no statement about this platform", _SIGN)
    elif any(statement.get("predicate") == document for statement in statements):
        report.ok(name, f"about {part.descriptor.digest}")
    else:
        report.fail(name, "it differs from the one inside the plugin", _DO_NOT_USE)


def _provenance(
    report: Report,
    beside: Beside,
    artifact: Artifact,
    bills: list[dict[str, Any]],
    key: PublicKey | None,
) -> None:
    found = beside.attestations(artifact.root.digest)
    opened = [documents.open_envelope(one.payload, key) for one in found]
    about = [s for s in opened if s is not None and s.get("predicateType") == documents.SLSA]
    if key is None:
        _unproved(report, artifact, bills, about)
        return
    if not about:
        detail = "there is no statement" if not found else "the key signed no such statement"
        report.fail("provenance", detail, _SIGN)
        return
    problem = _disagreement(about[-1], artifact, bills)
    if problem is None:
        report.ok("provenance", f"built by {_builder(about[-1])}")
    else:
        report.fail("provenance", *problem)


def _unproved(
    report: Report, artifact: Artifact, bills: list[dict[str, Any]], about: list[dict[str, Any]]
) -> None:
    """Of statements that anyone may have made, only that one fits can be told."""
    fitting = next((s for s in about if _disagreement(s, artifact, bills) is None), None)
    if fitting is None:
        report.skip("provenance", "no --key was given")
        return
    report.skip(
        "provenance",
        f"one fits and says that {_builder(fitting)} built it; whose word that is takes --key, or "
        "cosign verify-attestation --type slsaprovenance1 where it was signed without a key pair",
    )


def _disagreement(
    statement: dict[str, Any], artifact: Artifact, bills: list[dict[str, Any]]
) -> tuple[str, str] | None:
    """What a provenance statement says that is not so, and what to do; None: it fits."""
    wrong = shapes.problem(statement, shapes.STATEMENT)
    if wrong is not None:
        return f"it is no statement of this form: {wrong}", _DO_NOT_USE
    if artifact.root.digest not in documents.subjects_of(statement):
        others = ", ".join(sorted(documents.subjects_of(statement))) or "nothing"
        return f"it is about {others}, another artifact", _DO_NOT_USE
    stated = json.dumps(statement["predicate"], sort_keys=True)
    missing = [digest for bill in bills for digest in _materials(bill) if digest not in stated]
    return (f"it lacks material {missing[0]} of the SBOM", _SIGN) if missing else None


def _statements(beside: Beside, digest: str, kind: str, key: PublicKey) -> list[dict[str, Any]]:
    opened = [documents.open_envelope(one.payload, key) for one in beside.attestations(digest)]
    return [
        statement
        for statement in opened
        if statement is not None
        and statement.get("predicateType") == kind
        and digest in documents.subjects_of(statement)
    ]


def _materials(bill: dict[str, Any]) -> list[str]:
    """Hashes that the provenance has to name: of the lock, the sources and the components."""
    listed = bill["metadata"]["component"].get("properties", ())
    named = [p["value"] for p in listed if p["name"].endswith((":sha256", ":dirHash"))]
    parts = [h["content"] for part in bill["components"] for h in part.get("hashes", ())]
    return [*named, *parts]


def _builder(statement: dict[str, Any]) -> str:
    details = statement["predicate"].get("runDetails") or {}
    return str((details.get("builder") or {}).get("id", "an unnamed builder"))
