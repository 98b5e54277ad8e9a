"""Whatever is changed after the release is found, and named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from falcopy_sdk.bundle import image, sbom
from falcopy_sdk.oci import Descriptor, Platform, Registry
from falcopy_sdk.provenance import (
    PrivateKey,
    sign_artifact,
    sign_file,
    verify_artifact,
    verify_file,
)
from falcopy_sdk.provenance import documents as forms
from falcopy_sdk.provenance.attachments import Beside

from .publishing import Repository, flip, repacked

Contents = dict[str, bytes]


def _released(repository: Repository, library: Path, key: PrivateKey) -> Descriptor:
    root = repository.publish(library)
    sign_artifact(repository.registry, repository.reference("0.1.0"), key)
    return root


def _failures(repository: Repository, key: PrivateKey) -> dict[str, str]:
    report = verify_artifact(repository.registry, repository.reference("0.1.0"), key.public)
    assert all(check.fix for check in report.failed)
    return {check.name: check.detail for check in report.failed}


def _problems(path: Path, key: PrivateKey | None = None) -> dict[str, str]:
    report = verify_file(path, key.public if key else None)
    assert all(check.fix for check in report.failed)
    return {check.name: check.detail for check in report.failed}


def test_a_release_passes_every_check(
    repository: Repository, library: Path, key: PrivateKey
) -> None:
    _released(repository, library, key)
    report = verify_artifact(repository.registry, repository.reference("0.1.0"), key.public)
    assert not report.failed
    assert not [check for check in report.checks if check.outcome == "skipped"]
    assert len(report.checks) == 11


def test_without_a_key_the_report_says_that_signatures_were_not_checked(
    repository: Repository, library: Path, key: PrivateKey
) -> None:
    _released(repository, library, key)
    report = verify_artifact(repository.registry, repository.reference("0.1.0"))
    assert not report.failed
    skipped = {check.name for check in report.checks if check.outcome == "skipped"}
    assert skipped == {"signature", "signed SBOM linux/amd64", "provenance"}


@pytest.mark.parametrize("which", ["layer", "config", "manifest", "index"])
def test_a_flipped_bit_in_the_registry(
    which: str, repository: Repository, library: Path, key: PrivateKey, tmp_path: Path
) -> None:
    # Blobs are shared by all repositories of a registry: a layer of this test's own.
    own = repacked(library, tmp_path / "own.so", lambda c: c.update({"x": which.encode()}))
    root = repository.publish(own, version="0.1.0", name=f"tiny-{which}")
    part = repository.part(root)
    manifest = repository.document(part.digest)
    digests = {
        "layer": manifest["layers"][0]["digest"],
        "config": manifest["config"]["digest"],
        "manifest": part.digest,
        "index": root.digest,
    }
    place = repository.stored(digests[which])
    flip(place, place.stat().st_size // 2)
    found = _failures(repository, key)
    name = "layer linux/amd64" if which == "layer" else "digests"
    assert name in found
    assert digests[which] in found[name] or "digest" in found[name]


def test_nobody_signed(repository: Repository, library: Path, key: PrivateKey) -> None:
    repository.publish(library)
    found = _failures(repository, key)
    assert found.keys() == {"signature", "signed SBOM linux/amd64", "provenance"}
    assert "nobody signed" in found["signature"]


def test_another_key_signed(
    repository: Repository, library: Path, key: PrivateKey, other_key: PrivateKey
) -> None:
    _released(repository, library, other_key)
    found = _failures(repository, key)
    assert found.keys() == {"signature", "signed SBOM linux/amd64", "provenance"}
    assert "another key" in found["signature"]


def test_the_signature_of_another_artifact(
    repository: Repository, library: Path, key: PrivateKey
) -> None:
    first = _released(repository, library, key)
    second = repository.publish(library, "other", name="tiny", version="0.2.0")
    Beside(repository.registry, repository.name).sign(second.digest, key)
    stolen = repository.registry.get_manifest(repository.name, _tag(second, "sig"))[1]
    repository.registry.put_manifest(repository.name, stolen, _tag(first, "sig"))
    found = _failures(repository, key)
    assert found == {"signature": f"the key signed {second.digest}, not this digest"}


def test_a_tag_moved_to_an_unsigned_artifact(
    repository: Repository, library: Path, key: PrivateKey, tmp_path: Path
) -> None:
    _released(repository, library, key)
    evil = repacked(library, tmp_path / "evil.so", lambda c: c.update({"evil.pyc": b"1"}))
    repository.publish(evil)
    found = _failures(repository, key)
    assert "a tag that was moved" in found["signature"]
    assert found["SBOM linux/amd64"] == "not listed: evil.pyc"


def test_a_tag_moved_to_another_signed_version(
    repository: Repository, library: Path, key: PrivateKey
) -> None:
    _released(repository, library, key)
    repository.publish(library, version="0.2.0")
    Beside(repository.registry, repository.name).sign(
        repository.registry.get_manifest(repository.name, "0.1.0")[0].digest, key
    )
    found = _failures(repository, key)
    assert found["config linux/amd64"] == "version 0.2.0 under the tag 0.1.0"
    assert "the config says tiny 0.2.0" in found["library linux/amd64"]


def test_a_library_for_another_platform(
    repository: Repository, library: Path, key: PrivateKey
) -> None:
    repository.publish(library, platform=Platform("linux", "arm64"))
    found = _failures(repository, key)
    assert found["library linux/arm64"] == "built for amd64, and the index says linux/arm64"


def test_the_provenance_of_another_artifact(
    repository: Repository, library: Path, key: PrivateKey
) -> None:
    root = _released(repository, library, key)
    repository.publish(library, "other", version="0.2.0")
    other = sign_artifact(repository.registry, repository.reference("other"), key)
    stolen = repository.registry.get_manifest(
        repository.name, f"{other.digest.replace(':', '-')}.att"
    )[1]
    repository.registry.put_manifest(repository.name, stolen, _tag(root, "att"))
    found = _failures(repository, key)
    assert found.keys() == {"provenance"}
    assert other.digest in found["provenance"]


def test_provenance_that_hides_what_went_in(
    repository: Repository, library: Path, key: PrivateKey
) -> None:
    root = _released(repository, library, key)
    made = forms.statement([("tiny", root.digest)], forms.SLSA, {"buildDefinition": {}})
    Beside(repository.registry, repository.name).attest(root.digest, made, forms.SLSA, key)
    assert "it lacks material" in _failures(repository, key)["provenance"]


def test_a_statement_changed_after_it_was_signed(
    repository: Repository, library: Path, key: PrivateKey, other_key: PrivateKey
) -> None:
    root = _released(repository, library, key)
    beside = Beside(repository.registry, repository.name)
    envelope = json.loads(beside.attestations(root.digest)[0].payload)
    forged = json.loads(forms.sealed(b'{"_type": "https://in-toto.io/Statement/v1"}', other_key))
    envelope["payload"] = forged["payload"]
    assert forms.open_envelope(json.dumps(envelope).encode(), key.public) is None


def test_an_attached_bill_of_materials_is_replaced(
    repository: Repository, library: Path, key: PrivateKey
) -> None:
    root = repository.publish(library)
    part = repository.part(root)
    beside = Beside(repository.registry, repository.name)
    beside.attach_sbom(part, b'{"bomFormat": "CycloneDX"}', "x.cdx.json")
    made = forms.statement([("tiny", part.digest)], forms.CYCLONEDX, {"bomFormat": "CycloneDX"})
    beside.attest(part.digest, made, forms.CYCLONEDX, key)
    found = _failures(repository, key)
    for name in ("attached SBOM linux/amd64", "signed SBOM linux/amd64"):
        assert found[name] == "it differs from the one inside the plugin"


def test_a_damaged_plugin_is_not_signed(
    repository: Repository, plugin: Path, key: PrivateKey, running: tuple[Registry, Path]
) -> None:
    from falcopy_sdk.exceptions import PackageError

    flip(plugin, plugin.stat().st_size // 2)
    repository.publish(plugin)
    with pytest.raises(PackageError, match=r"not signed. payload linux/amd64: its SHA-256 is"):
        sign_artifact(running[0], repository.reference("0.1.0"), key)
    assert not [t for t in running[0].tags(repository.name) if t.startswith("sha256-")]


def _tag(descriptor: Descriptor, suffix: str) -> str:
    return f"{descriptor.digest.replace(':', '-')}.{suffix}"


# A file, without a registry


def test_a_build_passes_every_check(plugin: Path, key: PrivateKey) -> None:
    sign_file(plugin, key)
    report = verify_file(plugin, key.public)
    assert [check.outcome for check in report.checks] == ["ok"] * 4


def test_a_flipped_bit_in_the_payload(plugin: Path) -> None:
    flip(plugin, image.read_image(plugin).payload_offset + 200_000)
    assert "a host will refuse it" in _problems(plugin)["payload"]


def test_bytes_behind_the_payload(plugin: Path) -> None:
    with plugin.open("ab") as file:
        file.write(b"more")
    assert _problems(plugin)["payload"] == "there are bytes behind the payload"


def test_a_flipped_bit_in_the_loader(plugin: Path) -> None:
    with plugin.open("rb") as stream:
        place = image.place_of(stream, plugin)
    flip(plugin, 0x2000 if place > 0x3000 else place + image.IMAGE.size + 64)
    assert _problems(plugin) == {"SBOM": "changed: the loader"}


def _set(name: str, data: bytes) -> Callable[[Contents], None]:
    return lambda contents: contents.update({name: data})


def _another_bill(contents: Contents) -> None:
    document = json.loads(contents[sbom.NAME])
    document["metadata"]["component"]["name"] = "another"
    contents[sbom.NAME] = json.dumps(document).encode()


@pytest.mark.parametrize(
    ("change", "name", "detail"),
    [
        (_set("lib/python3.11/abc.pyc", b"x"), "SBOM", "abc.pyc"),
        (_set("site-packages/evil.pyc", b"x"), "SBOM", "not listed: site-packages/evil.pyc"),
        (lambda c: c.pop(sbom.NAME), "SBOM", "there is none in the payload"),
        (_set(sbom.NAME, b"{}"), "SBOM", "no document of this form"),
        (_set(sbom.NAME, b"not JSON"), "file", "payload is damaged"),
        (_another_bill, "SBOM", "it is about another 0.1.0, another plugin"),
        (lambda c: c.pop("falcopy.json"), "file", "payload is damaged"),
    ],
)
def test_contents_changed_with_a_payload_hash_that_fits(
    change: Callable[[Contents], None], name: str, detail: str, library: Path, tmp_path: Path
) -> None:
    found = _problems(repacked(library, tmp_path / "changed.so", change))
    assert found.keys() == {name}
    assert detail in found[name]


def test_static_facts_that_the_manifest_does_not_have(library: Path, tmp_path: Path) -> None:
    changed = repacked(library, tmp_path / "x.so", lambda _: None, contact="evil@example.org")
    found = _problems(changed)
    assert found == {"static facts": "what a host reads differs from falcopy.json inside: contact"}


def test_a_file_cut_off(plugin: Path) -> None:
    with plugin.open("r+b") as file:
        file.truncate(plugin.stat().st_size - 1000)
    assert "cut off" in _problems(plugin)["file"]


def test_signatures_of_files(plugin: Path, key: PrivateKey, other_key: PrivateKey) -> None:
    assert "there is no libtiny.so.sig" in _problems(plugin, key)["signature"]
    beside = sign_file(plugin, other_key)
    assert "is not this file's signature" in _problems(plugin, key)["signature"]
    beside.write_bytes(b"not base64 \xff")
    assert "is not this file's signature" in _problems(plugin, key)["signature"]


def test_a_file_that_falcopy_did_not_build(tmp_path: Path) -> None:
    stranger = tmp_path / "x.so"
    stranger.write_bytes(b"\x7fELF nothing more")
    assert "not a shared library" in _problems(stranger)["file"]
