"""Signing: what it adds, what it leaves alone, what the documents say."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from falcopy_sdk.bundle import sbom
from falcopy_sdk.exceptions import ProjectError
from falcopy_sdk.oci import Descriptor, Reference, copy_to_layout, push
from falcopy_sdk.provenance import (
    Commit,
    PrivateKey,
    bundles,
    commit_of,
    predicate_of,
    sign_artifact,
    verify_artifact,
)
from falcopy_sdk.provenance import documents as forms
from falcopy_sdk.provenance.attachments import Beside

from .publishing import Repository, repacked

TESTS = Path(__file__).parents[1]
COMMIT = Commit("0123456789abcdef0123456789abcdef01234567", "https://example.org/acme.git")


def _sign(repository: Repository, key: PrivateKey, **more: Any) -> None:
    sign_artifact(repository.registry, repository.reference("0.1.0"), key, **more)


def _statement(repository: Repository, digest: str, key: PrivateKey) -> dict[str, Any]:
    (attached,) = Beside(repository.registry, repository.name).attestations(digest)
    statement = forms.open_envelope(attached.payload, key.public)
    assert statement is not None
    return statement


def test_the_artifact_itself_stays_as_it_was(
    repository: Repository, library: Path, key: PrivateKey
) -> None:
    root = repository.publish(library)
    before = repository.document("0.1.0")
    _sign(repository, key)
    assert repository.document("0.1.0") == before
    assert repository.registry.get_manifest(repository.name, "0.1.0")[0].digest == root.digest
    # What is beside it has tags that name the digest it is for.
    part = repository.part(root)
    assert set(repository.registry.tags(repository.name)) == {
        "0.1.0",
        f"{root.digest.replace(':', '-')}.sig",
        f"{root.digest.replace(':', '-')}.att",
        root.digest.replace(":", "-"),
        f"{part.digest.replace(':', '-')}.att",
        part.digest.replace(":", "-"),
    }


def test_signing_again_changes_nothing(
    repository: Repository, library: Path, key: PrivateKey
) -> None:
    repository.publish(library)

    def state() -> dict[str, str]:
        tags = repository.registry.tags(repository.name)
        return {t: repository.registry.get_manifest(repository.name, t)[0].digest for t in tags}

    _sign(repository, key)
    first = state()
    _sign(repository, key)
    assert state() == first


def test_several_can_sign(
    repository: Repository, library: Path, key: PrivateKey, other_key: PrivateKey
) -> None:
    repository.publish(library)
    _sign(repository, key)
    _sign(repository, other_key)
    _sign(repository, key)
    for signer in (key, other_key):
        report = verify_artifact(repository.registry, repository.reference("0.1.0"), signer.public)
        assert not report.failed
    root = repository.registry.get_manifest(repository.name, "0.1.0")[0].digest
    assert len(Beside(repository.registry, repository.name).signatures(root)) == 2


def test_the_provenance_names_commit_builder_lock_and_all_that_went_in(
    repository: Repository, library: Path, key: PrivateKey
) -> None:
    root = repository.publish(library)
    _sign(repository, key, commit=COMMIT, builder="https://example.org/ci")
    statement = _statement(repository, root.digest, key)
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert forms.subjects_of(statement) == {root.digest, repository.part(root).digest}
    predicate = statement["predicate"]
    assert predicate["runDetails"]["builder"]["id"] == "https://example.org/ci"
    definition = predicate["buildDefinition"]
    assert definition["externalParameters"] == {"package": "falcopy-tiny", "machines": ["x86_64"]}
    materials = {m["uri"]: m.get("digest", {}) for m in definition["resolvedDependencies"]}
    assert materials[f"git+{COMMIT.url}@{COMMIT.sha}"] == {"gitCommit": COMMIT.sha}
    lock = TESTS / "bundle" / "projects" / "tiny" / "requirements.lock"
    assert len(materials["file:requirements.lock"]["sha256"]) == 64
    assert len(materials["pkg:pypi/falcopy-tiny#sources"]["dirHash"]) == 64
    (orjson,) = (m for uri, m in materials.items() if uri.startswith("pkg:pypi/orjson@"))
    assert orjson["sha256"] in lock.read_text()
    assert any("cpython" in uri or "libpython" in uri for uri in materials)


def test_a_workflow_names_itself(
    repository: Repository, library: Path, key: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = repository.publish(library)
    for name, value in {
        "GITHUB_SERVER_URL": "https://example.org",
        "GITHUB_REPOSITORY": "acme/audit",
        "GITHUB_RUN_ID": "7",
        "GITHUB_WORKFLOW_REF": "acme/audit/.github/workflows/release.yml@refs/tags/v1",
    }.items():
        monkeypatch.setenv(name, value)
    _sign(repository, key)
    details = _statement(repository, root.digest, key)["predicate"]["runDetails"]
    assert details["builder"]["id"].endswith("/release.yml@refs/tags/v1")
    assert details["metadata"]["invocationId"] == "https://example.org/acme/audit/actions/runs/7"


def test_the_predicate_for_another_signer_is_the_one_we_sign(
    repository: Repository, library: Path, key: PrivateKey
) -> None:
    root = repository.publish(library)
    written = predicate_of(
        repository.registry, repository.reference("0.1.0"), commit=COMMIT, builder="urn:x"
    )
    _sign(repository, key, commit=COMMIT, builder="urn:x")
    assert json.loads(written) == _statement(repository, root.digest, key)["predicate"]


def test_a_signature_without_a_key_pair_is_told_of(
    repository: Repository, library: Path, key: PrivateKey, other_key: PrivateKey
) -> None:
    root = repository.publish(library)
    beside = Beside(repository.registry, repository.name)
    beside.sign(root.digest, other_key)
    tag = f"{root.digest.replace(':', '-')}.sig"
    manifest = repository.document(tag)
    manifest["layers"][0]["annotations"]["dev.sigstore.cosign/certificate"] = "PEM"
    repository.registry.put_manifest(repository.name, json.dumps(manifest).encode(), tag)
    report = verify_artifact(repository.registry, repository.reference("0.1.0"), key.public)
    (signature,) = (check for check in report.failed if check.name == "signature")
    assert "with a certificate of Sigstore" in signature.detail
    assert signature.fix.startswith("cosign verify --certificate-identity")


def test_signed_without_a_key_pair_all_but_who_signed_is_checked(
    repository: Repository, library: Path, other_key: PrivateKey
) -> None:
    root = repository.publish(library)
    reference = repository.reference("0.1.0")
    predicate = json.loads(predicate_of(repository.registry, reference, attach=True))
    # What cosign adds: a signature, and a statement with that predicate.
    beside = Beside(repository.registry, repository.name)
    beside.sign(root.digest, other_key)
    made = forms.statement([("tiny", root.digest)], forms.SLSA, predicate)
    beside.attest(root.digest, made, forms.SLSA, other_key)
    tag = f"{root.digest.replace(':', '-')}.sig"
    manifest = repository.document(tag)
    manifest["layers"][0]["annotations"]["dev.sigstore.cosign/certificate"] = "PEM"
    repository.registry.put_manifest(repository.name, json.dumps(manifest).encode(), tag)

    report = verify_artifact(repository.registry, reference)
    assert not report.failed
    checks = {check.name: check for check in report.checks}
    assert checks["attached SBOM linux/amd64"].outcome == "ok"
    for name, told in {
        "signature": "whose it is takes Sigstore's services: cosign verify --certificate-identity",
        "provenance": "one fits and says that pkg:pypi/falcopy-sdk@",
        "signed SBOM linux/amd64": "no --key was given",
    }.items():
        assert checks[name].outcome == "skipped"
        assert told in checks[name].detail


def test_a_plugin_of_another_maker_is_signed_without_a_bill_of_materials(
    repository: Repository, key: PrivateKey, stub: Callable[..., Path]
) -> None:
    root = repository.publish(stub("good"), plugin_api="3.0.0")
    signed = sign_artifact(repository.registry, repository.reference("0.1.0"), key)
    assert signed.digest == root.digest
    assert signed.sboms == ()
    report = verify_artifact(repository.registry, repository.reference("0.1.0"), key.public)
    assert not report.failed
    outcomes = {check.name: check.outcome for check in report.checks}
    assert outcomes["signature"] == outcomes["provenance"] == "ok"
    assert outcomes["SBOM linux/amd64"] == "skipped"


def test_the_payload_is_the_one_that_cosign_signs() -> None:
    payload = forms.simple_signing("ghcr.io/acme/x", "sha256:" + "0" * 64)
    assert forms.signed_digest(payload) == "sha256:" + "0" * 64
    assert json.loads(payload)["critical"]["type"] == "cosign container image signature"
    for other in (b"", b"[]", b"{}", payload.replace(b"container", b"other")):
        assert forms.signed_digest(other) is None


def test_envelopes_that_are_none(key: PrivateKey) -> None:
    good = forms.sealed(forms.statement([("a", "sha256:0")], "urn:x", {}), key)
    assert forms.open_envelope(good, key.public) is not None
    assert forms.open_envelope(good, None) is not None
    other_type = json.loads(good) | {"payloadType": "text/plain"}
    no_statement = json.loads(good) | {"payload": base64.b64encode(b"[1]").decode()}
    for bad in (b"", b"{}", json.dumps(other_type).encode(), json.dumps(no_statement).encode()):
        assert forms.open_envelope(bad, key.public) is None
        assert forms.open_envelope(bad, None) is None


def _git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_the_commit_of_sources(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="not in a git repository with a commit"):
        commit_of(tmp_path)
    _git(tmp_path, "init", "-q")
    (tmp_path / "a.py").write_text("1")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-q", "-m", "First")
    assert commit_of(tmp_path).url == ""
    _git(tmp_path, "remote", "add", "origin", "https://token:secret@example.org/a.git")
    commit = commit_of(tmp_path)
    assert commit.url == "https://example.org/a.git"
    assert len(commit.sha) == 40
    (tmp_path / "a.py").write_text("2")
    with pytest.raises(ProjectError, match=r"differs from the commit .* \(M a.py\)"):
        commit_of(tmp_path)


def test_a_bill_of_materials_larger_than_a_manifest_may_be_is_signed_and_verified(
    repository: Repository, library: Path, key: PrivateKey, tmp_path: Path
) -> None:
    def grow(contents: dict[str, bytes]) -> None:
        bill = json.loads(contents[sbom.NAME])
        about = bill["metadata"]["component"]
        about.setdefault("properties", []).append({"name": "tests:more", "value": "x" * 5_000_000})
        contents[sbom.NAME] = json.dumps(bill).encode()

    repository.publish(repacked(library, tmp_path / "libtiny.so", grow))
    sign_artifact(repository.registry, repository.reference("0.1.0"), key)
    report = verify_artifact(repository.registry, repository.reference("0.1.0"), key.public)
    assert [(check.name, check.detail) for check in report.failed] == []
    assert "signed SBOM linux/amd64" in {c.name for c in report.checks if c.outcome == "ok"}


def test_a_mirror_that_takes_referrers_alone_has_all_signatures(
    repository: Repository, library: Path, key: PrivateKey, other_key: PrivateKey,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """As oras cp -r does it: cosign's tags of version 2 stay behind."""
    repository.publish(library)
    _sign(repository, key)
    # By its module: the name in the package is that of the function.
    monkeypatch.setattr(sys.modules["falcopy_sdk.oci.pull"], "_COSIGN", ())
    mirror = Reference(repository.registry.host, f"{repository.name}/mirror", "0.1.0")
    with copy_to_layout(repository.registry, repository.reference("0.1.0"), tmp_path / "l") as copy:
        push(copy, mirror, repository.registry)
    assert not [t for t in repository.registry.tags(mirror.repository) if t.endswith("sig")]
    report = verify_artifact(repository.registry, mirror, key.public)
    assert [(check.name, check.detail) for check in report.failed] == []
    assert not [check for check in report.checks if check.outcome == "skipped"]
    report = verify_artifact(repository.registry, mirror, other_key.public)
    assert {check.name for check in report.failed} == {
        *("signature", "signed SBOM linux/amd64", "provenance")
    }


def test_signing_again_adds_no_bundle(
    repository: Repository, library: Path, key: PrivateKey
) -> None:
    root = repository.publish(library)
    _sign(repository, key)
    before = repository.registry.referrers(repository.name, root.digest)
    _sign(repository, key)
    assert repository.registry.referrers(repository.name, root.digest) == before
    assert len(before) == 2  # the signature, the provenance


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"5", b"[]", b"{}", b'{"dsseEnvelope": 5, "verificationMaterial": 5}'),
        *(b'{"dsseEnvelope": {}, "verificationMaterial": {}}', b"[" * 100_000),
    ],
)
def test_a_bundle_that_is_none_is_none_of_the_signatures(
    repository: Repository, library: Path, key: PrivateKey, data: bytes
) -> None:
    root = repository.publish(library)
    beside = Beside(repository.registry, repository.name)
    beside._refer(root, Descriptor.of(data, bundles.MEDIA_TYPE), data, {})
    report = verify_artifact(repository.registry, repository.reference("0.1.0"), key.public)
    signature = next(check for check in report.checks if check.name == "signature")
    assert signature.outcome == "failed"
    assert "nobody signed" in signature.detail
