"""What goes wrong on the way: a sentence each, nothing half-published, a re-run goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from falcopy_sdk.oci import Layout, artifact_of

from .conftest import Falcopy
from .proxy import Fault, Proxy
from .registries import Running


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (401, 6, "wants credentials"),
        (403, 6, "is forbidden"),
        (404, 6, "not found"),
        (429, 6, "asks for fewer requests (429)"),
        (500, 6, "fails (status 500)"),
        (503, 6, "is not available (503)"),
        (400, 6, "is refused with status 400"),
    ],
)
@pytest.mark.parametrize("step", ["POST", "PUT"])
def test_an_error_of_the_registry_is_one_sentence_and_no_tag(
    falcopy: Falcopy,
    packaged: Path,
    registry: Running,
    proxy: Proxy,
    repository: str,
    status: int,
    code: int,
    words: str,
    step: str,
) -> None:
    path = "/blobs/uploads/" if step == "POST" else f"/{repository}/manifests/"
    body = json.dumps({"errors": [{"code": "DENIED", "message": "not today"}]}).encode()
    proxy.faults = [Fault(step, path, status=status, body=body, times=99)]
    done = falcopy("push", packaged, f"{proxy.host}/{repository}", "--retries", "0")
    assert done.returncode == code
    assert words in done.stderr
    assert "DENIED not today" in done.stderr
    assert done.stderr.count("\n") == 1
    assert registry.tags(repository) == []
    proxy.faults.clear()
    done = falcopy("push", packaged, f"{proxy.host}/{repository}")
    assert done.returncode == 0, done.stderr
    assert sorted(registry.tags(repository)) == ["0", "0.1", "0.1.0", "latest"]


def test_what_the_registry_fails_at_once_is_tried_again_when_it_says(
    falcopy: Falcopy, packaged: Path, registry: Running, proxy: Proxy, repository: str
) -> None:
    proxy.faults = [
        Fault("POST", "/blobs/uploads/", status=429, headers={"Retry-After": "1"}),
        Fault("PUT", "/manifests/", status=502),
        Fault("HEAD", "/blobs/", cut_request=0),
    ]
    done = falcopy("push", packaged, f"{proxy.host}/{repository}")
    assert done.returncode == 0, done.stderr
    assert "asks to wait 1 s; trying again in 1.0 s" in done.stderr
    assert "0.1.0" in registry.tags(repository)


def test_a_registry_that_asks_to_wait_for_hours_is_not_waited_for(
    falcopy: Falcopy, packaged: Path, proxy: Proxy, repository: str
) -> None:
    proxy.faults = [Fault("GET", "/tags/list", status=429, headers={"Retry-After": "7200"})]
    done = falcopy("push", packaged, f"{proxy.host}/{repository}")
    assert done.returncode == 6
    assert "asks to wait 7200 s" in done.stderr
    assert proxy.count("GET", "/tags/list") == 1


def test_a_reset_in_the_middle_of_a_blob_is_gone_on_from(
    falcopy: Falcopy, big_layout: Path, registry: Running, proxy: Proxy, repository: str
) -> None:
    proxy.faults = [Fault("PUT", "/blobs/uploads/.*digest", cut_request=5_000_000)]
    done = falcopy("push", big_layout, f"{proxy.host}/{repository}")
    assert done.returncode == 0, done.stderr
    assert "the connection to" in done.stderr
    assert proxy.count("PATCH", "/blobs/uploads/") >= 2
    index, _ = registry.manifest(repository, "latest")
    manifest, _ = registry.manifest(repository, index["manifests"][0]["digest"])
    registry.blob(repository, manifest["layers"][0]["digest"])


def test_a_run_that_failed_between_chunks_is_gone_on_with_by_the_next(
    falcopy: Falcopy, big_layout: Path, registry: Running, proxy: Proxy, repository: str
) -> None:
    reference = f"{proxy.host}/{repository}"
    proxy.faults = [Fault("PUT", "/blobs/uploads/.*digest", cut_request=5_000_000)]
    assert falcopy("push", big_layout, reference, "--retries", "0").returncode == 6
    proxy.faults = [Fault("PUT", "/blobs/uploads/.*digest", status=500)]
    assert falcopy("push", big_layout, reference, "--retries", "0").returncode == 6
    assert registry.tags(repository) == []
    before = proxy.count("PATCH", "")
    assert before == 2  # 8 of 12 MB are there
    done = falcopy("push", big_layout, reference)
    assert done.returncode == 0, done.stderr
    assert proxy.count("PATCH", "") == before
    assert "latest" in registry.tags(repository)


def test_a_registry_that_takes_no_chunks_gets_the_blob_whole(
    falcopy: Falcopy, big_layout: Path, registry: Running, proxy: Proxy, repository: str
) -> None:
    proxy.faults = [
        Fault("PUT", "/blobs/uploads/.*digest", cut_request=5_000_000),
        Fault("PATCH", "/blobs/uploads/", status=416, times=99),
    ]
    done = falcopy("push", big_layout, f"{proxy.host}/{repository}")
    assert done.returncode == 0, done.stderr
    assert proxy.count("PATCH", "") == 1
    assert "latest" in registry.tags(repository)


def test_a_push_that_is_killed_publishes_nothing_and_the_next_does(
    falcopy: Falcopy, big_layout: Path, registry: Running, proxy: Proxy, repository: str
) -> None:
    reached = threading.Event()

    def slow(data: bytes) -> bytes:
        reached.set()
        threading.Event().wait(20)
        return data

    proxy.faults = [Fault("PUT", "/manifests/", tamper=slow)]
    command = [sys.executable, "-m", "falcopy_sdk", "push", big_layout]
    with subprocess.Popen([*command, f"{proxy.host}/{repository}"], stderr=subprocess.PIPE) as push:
        assert reached.wait(60)
        push.send_signal(signal.SIGKILL)
        push.wait()
    assert registry.tags(repository) == []
    done = falcopy("push", big_layout, f"{registry.host}/{repository}", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sent_bytes"] < 10_000  # the blobs are there
    assert "latest" in registry.tags(repository)


def test_a_damaged_layout_is_not_sent(
    falcopy: Falcopy, packaged: Path, registry: Running, proxy: Proxy, repository: str
) -> None:
    largest = max((packaged / "blobs" / "sha256").iterdir(), key=lambda p: p.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[100] ^= 1
    largest.write_bytes(data)
    done = falcopy("push", packaged, f"{proxy.host}/{repository}")
    assert done.returncode == 6
    assert "is damaged (its contents have another digest)" in done.stderr
    assert proxy.requests == []


def test_a_version_with_other_contents_is_not_replaced_unless_forced(
    falcopy: Falcopy, packaged: Path, compiled: Any, registry: Running, repository: str
) -> None:
    reference = f"{registry.host}/{repository}"
    assert falcopy("push", packaged, reference).returncode == 0
    before = registry.manifest(repository, "0.1.0")[1]
    other = compiled('API="3.7.0"')
    done = falcopy("push", other, reference)
    assert done.returncode == 6
    assert f"is published with digest {before}" in done.stderr
    assert registry.manifest(repository, "latest")[1] == before
    assert falcopy("push", other, reference, "--force").returncode == 0
    assert registry.manifest(repository, "latest")[1] != before


def test_a_published_version_is_found_also_where_lists_of_tags_are_short(
    falcopy: Falcopy,
    packaged: Path,
    compiled: Any,
    registry: Running,
    proxy: Proxy,
    repository: str,
) -> None:
    assert falcopy("push", packaged, f"{registry.host}/{repository}").returncode == 0
    body = json.dumps({"name": repository, "tags": []}).encode()
    proxy.faults = [Fault("GET", "/tags/list", status=200, body=body, times=99)]
    done = falcopy("push", compiled('API="3.7.0"'), f"{proxy.host}/{repository}")
    assert done.returncode == 6
    assert "is published with digest" in done.stderr


@pytest.mark.parametrize("status", [401, 403, 405])
def test_where_tags_cannot_be_listed_the_newest_are_known_by_their_floating_tags(
    falcopy: Falcopy, compiled: Any, registry: Running, proxy: Proxy, repository: str, status: int
) -> None:
    reference = f"{proxy.host}/{repository}"
    body = json.dumps({"errors": [{"code": "DENIED", "message": "no lists"}]}).encode()
    proxy.faults = [Fault("GET", "/tags/list", status=status, body=body, times=99)]
    for version in ("0.1.0", "0.2.0", "0.1.1"):
        done = falcopy("push", compiled(f'VERSION="{version}"'), reference)
        assert done.returncode == 0, done.stderr
        assert "note: tags cannot be listed (" in done.stderr
        assert "no lists" in done.stderr
    assert "the tag latest stays on 0.2.0" in done.stderr
    digests = {tag: registry.manifest(repository, tag)[1] for tag in registry.tags(repository)}
    assert digests["0.1"] == digests["0.1.1"] != digests["0.1.0"]
    assert digests["0"] == digests["0.2"] == digests["latest"] == digests["0.2.0"]


def test_without_floating_tags_no_list_is_asked_for(
    falcopy: Falcopy, packaged: Path, compiled: Any, proxy: Proxy, repository: str
) -> None:
    reference = f"{proxy.host}/{repository}"
    assert falcopy("push", packaged, reference, "--no-floating").returncode == 0
    assert falcopy("push", compiled('VERSION="0.2.0-rc1"'), reference).returncode == 0
    assert proxy.count("GET", "/tags/list") == 0


@pytest.mark.parametrize("tag", ["0.2.0", "0.2", "1"])
def test_a_tag_of_another_version_is_refused_in_both_places(
    falcopy: Falcopy, packaged: Path, registry: Running, repository: str, tag: str
) -> None:
    reference = f"{registry.host}/{repository}"
    for arguments in ((f"{reference}:{tag}",), (reference, "--tag", tag)):
        done = falcopy("push", packaged, *arguments)
        assert done.returncode == 5
        assert f"{tag} is the tag of another version, and this is 0.1.0" in done.stderr
    assert registry.tags(repository) == []
    assert falcopy("push", packaged, f"{reference}:0.1.0", "--tag", "edge").returncode == 0
    assert "edge" in registry.tags(repository)


def test_a_digest_is_no_place_to_push_to(
    falcopy: Falcopy, packaged: Path, registry: Running, repository: str
) -> None:
    digest = "sha256:" + "0" * 64
    done = falcopy("push", packaged, f"{registry.host}/{repository}@{digest}")
    assert done.returncode == 2
    assert f"write {registry.host}/{repository} or" in done.stderr


def test_retries_of_a_step_are_not_multiplied(
    falcopy: Falcopy, packaged: Path, proxy: Proxy, repository: str
) -> None:
    proxy.faults = [Fault("POST", "/blobs/uploads/", status=503, times=99)]
    done = falcopy("push", packaged, f"{proxy.host}/{repository}", "--retries", "2")
    assert done.returncode == 6
    assert proxy.count("POST", "/blobs/uploads/") == 3


@pytest.mark.parametrize("status", [401, 403])
def test_an_upload_of_another_account_is_begun_anew(
    falcopy: Falcopy,
    big_layout: Path,
    registry: Running,
    proxy: Proxy,
    repository: str,
    status: int,
) -> None:
    reference = f"{proxy.host}/{repository}"
    proxy.faults = [Fault("PUT", "/blobs/uploads/.*digest", cut_request=5_000_000)]
    assert falcopy("push", big_layout, reference, "--retries", "0").returncode == 6
    proxy.faults = [Fault("GET", "/blobs/uploads/", status=status, times=99)]
    done = falcopy("push", big_layout, reference)
    assert done.returncode == 0, done.stderr
    assert "latest" in registry.tags(repository)


def test_a_bill_of_materials_that_was_sent_and_not_listed_is_listed_by_the_next_run(
    falcopy: Falcopy, packaged: Path, registry: Running, proxy: Proxy, repository: str
) -> None:
    """Debian's registry has no referrers API: the list is an index under a tag of its own."""
    with Layout.open(packaged) as layout:
        root, _ = artifact_of(layout)
        config = layout.add_blob(b"{}", "application/vnd.oci.empty.v1+json")
        about = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": "application/vnd.cyclonedx+json",
            "config": config.to_json(),
            "layers": [config.to_json()],
            "subject": root.to_json(),
        }
        # The tag is none that a push may set.
        bill = layout.add_manifest(about, tag="9.9.9")
    listed = root.digest.replace(":", "-")
    proxy.faults = [Fault("PUT", f"/manifests/{listed}", status=500, times=99)]
    done = falcopy("push", packaged, f"{proxy.host}/{repository}", "--retries", "0")
    assert done.returncode == 6
    proxy.faults.clear()
    assert falcopy("push", packaged, f"{proxy.host}/{repository}").returncode == 0
    index, _ = registry.manifest(repository, listed)
    assert [entry["digest"] for entry in index["manifests"]] == [bill.digest]
    assert set(registry.tags(repository)) == {"0.1.0", "0.1", "0", "latest", listed}


def test_a_fix_of_an_old_version_leaves_the_tags_of_newer_ones(
    falcopy: Falcopy, compiled: Any, registry: Running, repository: str
) -> None:
    reference = f"{registry.host}/{repository}"
    for version in ("0.1.0", "0.2.0", "0.1.1"):
        done = falcopy("push", compiled(f'VERSION="{version}"'), reference)
        assert done.returncode == 0, done.stderr
    assert "the tag latest stays on 0.2.0" in done.stderr
    digests = {tag: registry.manifest(repository, tag)[1] for tag in registry.tags(repository)}
    assert digests["0.1"] == digests["0.1.1"]
    assert digests["0"] == digests["0.2"] == digests["latest"] == digests["0.2.0"]


def test_a_dry_run_changes_nothing_and_tells_all(
    falcopy: Falcopy, packaged: Path, proxy: Proxy, registry: Running, repository: str
) -> None:
    done = falcopy("push", packaged, f"{proxy.host}/{repository}", "--dry-run", "--json")
    told = json.loads(done.stdout)
    assert told["tags"] == ["0.1.0", "0.1", "0", "latest"]
    assert len(told["sent"]) == 6  # one config, two layers, two manifests, an index
    assert {method for method, _, _ in proxy.requests} <= {"GET", "HEAD"}
    assert registry.tags(repository) == []
    assert falcopy("push", packaged, f"{registry.host}/{repository}").returncode == 0
    real = falcopy("push", packaged, f"{registry.host}/{repository}", "--json")
    assert json.loads(real.stdout)["digest"] == told["digest"]


def test_no_registry_there_is_one_sentence(falcopy: Falcopy, packaged: Path) -> None:
    done = falcopy("push", packaged, "127.0.0.1:1/x/y", "--retries", "0")
    assert done.returncode == 6
    assert "127.0.0.1:1 cannot be reached" in done.stderr
    assert done.stderr.count("\n") == 1
