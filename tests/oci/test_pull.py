"""Pulling: what comes is checked before any of it is kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from falcopy_sdk.oci import Descriptor, Layout, Registry, artifact_of
from falcopy_sdk.provenance.attachments import Beside
from falcopy_sdk.provenance.keys import load_private, write_key_pair

from .conftest import Falcopy
from .proxy import Fault, Proxy
from .registries import Running


@pytest.fixture
def reference(falcopy: Falcopy, packaged: Path, registry: Running, repository: str) -> str:
    """The repository, with pydemo 0.1.0 in it."""
    assert falcopy("push", packaged, f"{registry.host}/{repository}").returncode == 0
    return repository


def test_it_gives_the_library_of_the_platform(
    falcopy: Falcopy, registry: Running, reference: str, plugin: Path, arm_plugin: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    for platform, source in (("linux/amd64", plugin), ("linux/arm64", arm_plugin)):
        folder = tmp_path / platform.replace("/", "-")
        done = falcopy(
            *("pull", f"{registry.host}/{reference}:0.1", "--platform", platform, "-o", folder)
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == str(folder / "libpydemo.so")
        assert (folder / "libpydemo.so").read_bytes() == source.read_bytes()
        assert os.access(folder / "libpydemo.so", os.X_OK)


@pytest.mark.parametrize(
    ("platform", "words"),
    [
        ("darwin/arm64", "there are linux/amd64, linux/arm64"),
        ("linux/x86_64", "x86_64 is linux/amd64 here"),
        ("linux-amd64", "needs to be in OS/ARCH"),
    ],
)
def test_a_platform_that_is_not_there_is_answered_with_those_that_are(
    falcopy: Falcopy, registry: Running, reference: str, platform: str, words: str
) -> None:
    done = falcopy("pull", f"{registry.host}/{reference}", "--platform", platform)
    assert done.returncode in (2, 6)
    assert words in done.stderr


def test_a_mirror_keeps_signatures_statements_and_bills_of_materials(
    falcopy: Falcopy, registry: Running, reference: str, tmp_path: Path
) -> None:
    """Under cosign's tags, as referrers, and those of the single platforms too."""
    there, mirror = f"{registry.host}/{reference}", f"{registry.host}/{reference}-mirror"
    with Registry(registry.host) as client:
        root, data = client.get_manifest(reference, "latest")
        parts = [root, *(Descriptor.from_json(d, "") for d in json.loads(data)["manifests"])]
        write_key_pair(tmp_path / "a.key", tmp_path / "a.pub", b"")
        beside, key = Beside(client, reference), load_private(tmp_path / "a.key", lambda: b"")
        for part in parts:
            beside.sign(part.digest, key)
            bill = beside.attach_sbom(part, b"{}", "sbom.json")
            beside.sign(bill.digest, key)
    assert falcopy("pull", there, "--layout", tmp_path / "layout").returncode == 0
    done = falcopy("push", tmp_path / "layout", mirror)
    assert done.returncode == 0, done.stderr
    with Registry(registry.host) as client:
        copied = Beside(client, f"{reference}-mirror")
        for part in parts:
            assert len(copied.signatures(part.digest)) == 1
            assert copied.sboms(part.digest) == [b"{}"]
            kind = "application/vnd.cyclonedx+json"
            (bill,) = client.referrers(f"{reference}-mirror", part.digest, kind)
            assert len(copied.signatures(bill.digest)) == 1


def test_a_tag_that_is_not_there_is_answered_with_those_that_are(
    falcopy: Falcopy, registry: Running, reference: str
) -> None:
    done = falcopy("pull", f"{registry.host}/{reference}:9.9.9")
    assert done.returncode == 6
    assert "not found; there are " in done.stderr
    assert "0.1.0" in done.stderr


@pytest.mark.parametrize(
    ("path", "tamper", "words"),
    [
        ("/blobs/", lambda data: data[:-1] + bytes([data[-1] ^ 1]), "tampered with or damaged"),
        ("/blobs/", lambda data: data + b"more", "were announced"),
        ("/manifests/sha256", lambda data: data.replace(b"pydemo", b"pydemx"), "instead of"),
        ("/manifests/0.1.0", lambda data: data.replace(b"amd64", b"arm65"), "instead of"),
    ],
)
def test_contents_that_were_changed_on_the_way_are_not_kept(
    falcopy: Falcopy, proxy: Proxy, reference: str, tmp_path: Path, path: str, tamper, words: str
) -> None:
    proxy.faults = [Fault("GET", path, tamper=tamper, times=99)]
    done = falcopy("pull", f"{proxy.host}/{reference}:0.1.0", "-o", tmp_path / "out")
    assert done.returncode == 6
    assert words in done.stderr
    assert not list((tmp_path / "out").glob("*"))
    proxy.faults.clear()
    assert falcopy("pull", f"{proxy.host}/{reference}:0.1.0", "-o", tmp_path).returncode == 0


def test_a_broken_connection_is_gone_on_from_where_it_broke(
    falcopy: Falcopy, big_layout: Path, proxy: Proxy, registry: Running, repository: str,
    tmp_path: Path,
) -> None:  # fmt: skip
    assert falcopy("push", big_layout, f"{registry.host}/{repository}").returncode == 0
    proxy.faults = [Fault("GET", "/blobs/", times=0)]
    index, _ = registry.manifest(repository, "latest")
    manifest, _ = registry.manifest(repository, index["manifests"][0]["digest"])
    digest = manifest["layers"][0]["digest"]
    proxy.faults = [Fault("GET", f"/blobs/{digest}", cut_response=7_000_000)]
    done = falcopy("pull", f"{proxy.host}/{repository}", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert proxy.count("GET", f"/blobs/{digest}") == 2
    assert (tmp_path / "out" / "libpydemo.so").stat().st_size > 12_000_000


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    falcopy: Falcopy, big_layout: Path, registry: Running, repository: str, tmp_path: Path
) -> None:
    assert falcopy("push", big_layout, f"{registry.host}/{repository}").returncode == 0
    disk = tmp_path / "disk"
    disk.mkdir()
    script = f"""
        mount -t tmpfs -o size=4m tmpfs {disk}
        {sys.executable} -m falcopy_sdk pull {registry.host}/{repository} -o {disk} || code=$?
        ls -A {disk}
        exit $code
    """
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 4
    assert "cannot be written (No space left on device); make room" in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_loaded_file_is_replaced_not_rewritten(
    falcopy: Falcopy, registry: Running, reference: str, tmp_path: Path
) -> None:
    there = tmp_path / "libpydemo.so"
    there.write_bytes(b"loaded by a host")
    with there.open("rb") as mapped:
        assert falcopy("pull", f"{registry.host}/{reference}", "-o", tmp_path).returncode == 0
        assert mapped.read() == b"loaded by a host"


def test_a_layout_gets_every_platform_and_pushes_as_it_was(
    falcopy: Falcopy, registry: Running, reference: str, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    done = falcopy("pull", f"{registry.host}/{reference}:0.1.0", "--layout", copy, "--json")
    assert done.returncode == 0, done.stderr
    done = falcopy("push", copy, f"{registry.host}/{reference}/again", "--json")
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout)["digest"]
    assert again == registry.manifest(reference, "0.1.0")[1]
    assert registry.manifest(f"{reference}/again", "latest")[1] == again


@pytest.mark.parametrize("fault", ["/manifests/", "/blobs/"])
def test_a_layout_that_is_there_stays_until_the_new_one_is_complete(
    falcopy: Falcopy, compiled: Any, registry: Running, reference: str, proxy: Proxy,
    tmp_path: Path, fault: str,
) -> None:  # fmt: skip
    copy = tmp_path / "copy"
    pulled = ("pull", f"{proxy.host}/{reference}", "--layout", copy, "--retries", "0")
    assert falcopy(*pulled).returncode == 0
    before = {p: p.read_bytes() for p in copy.rglob("*") if p.is_file()}
    newer = compiled('VERSION="0.2.0"')
    assert falcopy("push", newer, f"{registry.host}/{reference}").returncode == 0
    proxy.faults = [Fault("GET", fault, status=500, times=99)]
    done = falcopy(*pulled)
    assert done.returncode == 6
    assert "fails (status 500)" in done.stderr
    assert {p: p.read_bytes() for p in copy.rglob("*") if p.is_file()} == before
    proxy.faults.clear()
    assert falcopy(*pulled).returncode == 0
    with Layout.open(copy) as layout:
        layout.verify()
        assert artifact_of(layout)[1].version == "0.2.0"
    # What the older one had is gone, and so is what the failed run had fetched.
    assert {p.name for p in copy.iterdir()} == {"blobs", "index.json", "oci-layout"}
    assert not any(p.exists() for p in before if p.parent.name == "sha256")


def test_a_pull_that_fails_leaves_no_folder_for_its_layout(
    falcopy: Falcopy, registry: Running, reference: str, tmp_path: Path
) -> None:
    done = falcopy("pull", f"{registry.host}/{reference}:9.9.9", "--layout", tmp_path / "copy")
    assert done.returncode == 6
    assert not (tmp_path / "copy").exists()
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "NOTES").write_text("mine")
    done = falcopy("pull", f"{registry.host}/{reference}", "--layout", tmp_path / "copy")
    assert done.returncode == 5
    assert [p.name for p in (tmp_path / "copy").iterdir()] == ["NOTES"]


@pytest.mark.parametrize("text", ["acme", "acme:0.1.0", "https://ghcr.io/a/b", "ghcr.io/A/b"])
def test_a_reference_that_is_none_is_a_usage_error(falcopy: Falcopy, text: str) -> None:
    done = falcopy("pull", text)
    assert done.returncode == 2
    assert text in done.stderr
