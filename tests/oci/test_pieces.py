"""Single parts: references, tags, versions, layers of others, layouts, the progress bar."""

from __future__ import annotations

import gzip
import io
import json
import os
import pty
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcopy_sdk.exceptions import (
    IntegrityError,
    PackageError,
    ReferenceFormatError,
    RegistryError,
)
from falcopy_sdk.oci import Config, Descriptor, Layout, Reference, Registry, tags_for
from falcopy_sdk.oci.challenge import parse_challenges
from falcopy_sdk.oci.config import satisfies
from falcopy_sdk.oci.layer import pack_layer, unpack_layer
from falcopy_sdk.oci.reference import is_loopback

from .proxy import Fault, Proxy
from .registries import Running

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ghcr.io/a/b", ("ghcr.io", "a/b", None, None)),
        ("ghcr.io/a/b:1.0", ("ghcr.io", "a/b", "1.0", None)),
        ("localhost/a", ("localhost", "a", None, None)),
        ("127.0.0.1:5000/a-b/c__d:x", ("127.0.0.1:5000", "a-b/c__d", "x", None)),
        ("[::1]:5000/a", ("[::1]:5000", "a", None, None)),
        (f"oci://ghcr.io/a:1@{DIGEST}", ("ghcr.io", "a", "1", DIGEST)),
    ],
)
def test_references_are_read(text: str, parts: tuple[str, ...]) -> None:
    read = Reference.parse(text)
    assert (read.registry, read.repository, read.tag, read.digest) == parts
    assert str(read) == text.removeprefix("oci://")


@pytest.mark.parametrize(
    "text",
    ["", "a", "a/b", "ghcr.io/", "ghcr.io/a:", "ghcr.io/a:1.0+b", "ghcr.io/a//b", "ghcr.io/a_-b",
     "ghcr.io/a@sha256:0", "http://ghcr.io/a", "ghcr.io/" + "a" * 300],
)  # fmt: skip
def test_references_that_no_registry_takes_are_refused(text: str) -> None:
    with pytest.raises(ReferenceFormatError):
        Reference.parse(text)


@given(st.text(max_size=40))
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    try:
        read = Reference.parse(text)
    except ReferenceFormatError:
        return
    assert Reference.parse(str(read)) == read


@pytest.mark.parametrize(
    ("registry", "loopback"),
    [("localhost:5000", True), ("127.1.2.3", True), ("[::1]:5", True), ("r.localhost", True),
     ("127.0.0.1.example", False), ("ghcr.io", False), ("10.0.0.1:5000", False)],
)  # fmt: skip
def test_plain_http_is_the_default_on_this_machine_alone(registry: str, loopback: bool) -> None:
    assert is_loopback(registry) == loopback


@pytest.mark.parametrize(
    ("version", "there", "tags"),
    [
        ("1.2.3", [], ["1.2.3", "1.2", "1", "latest"]),
        ("1.2.3", ["1.2.2", "1.10.0-rc1", "junk", "latest"], ["1.2.3", "1.2", "1", "latest"]),
        ("1.2.3", ["1.2.4"], ["1.2.3"]),
        ("1.2.3", ["1.3.0"], ["1.2.3", "1.2"]),
        ("1.2.3", ["2.0.0"], ["1.2.3", "1.2", "1"]),
        ("1.2.3-rc.1", [], ["1.2.3-rc.1"]),
    ],
)
def test_floating_tags_follow_the_newest_release(
    version: str, there: list[str], tags: list[str]
) -> None:
    assert tags_for(version, there)[0] == tags


@pytest.mark.parametrize(
    ("have", "want", "fits"),
    [("1.2.3", "1.2.0", True), ("1.2.3", "1.3.0", False), ("2.0.0", "1.0.0", False)],
)
def test_a_version_satisfies_another_as_for_falcoctl(have: str, want: str, fits: bool) -> None:
    assert satisfies(have, want) == fits


def test_challenges_are_read_one_or_many_to_a_header() -> None:
    read = parse_challenges(
        ['Basic realm="a, b", Bearer realm="https://x/t",service="s",scope="r:a:pull,push"', "Nego"]
    )
    assert [(c.scheme, dict(c.parameters)) for c in read] == [
        ("basic", {"realm": "a, b"}),
        ("bearer", {"realm": "https://x/t", "service": "s", "scope": "r:a:pull,push"}),
        ("nego", {}),
    ]


def _tar(*members: tarfile.TarInfo, **given: Any) -> io.BytesIO:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", **given) as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    stream.seek(0)
    return stream


def _member(name: str, kind: bytes = tarfile.REGTYPE, **given: Any) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    for key, value in given.items():
        setattr(member, key, value)
    return member


@pytest.mark.parametrize(
    "bad",
    [
        _member("../up"),
        _member("/etc/passwd"),
        _member("a/b.so"),
        _member("a..b.so"),
        _member("link", tarfile.SYMTYPE, linkname="/etc/passwd"),
        _member("hard", tarfile.LNKTYPE, linkname="libx.so"),
        _member("device", tarfile.CHRTYPE),
        _member("folder", tarfile.DIRTYPE),
    ],
    ids=lambda member: member.name,
)
def test_a_layer_with_what_falcoctl_refuses_is_refused_before_anything_is_written(
    tmp_path: Path, bad: tarfile.TarInfo
) -> None:
    if bad.name == "folder":
        bad.name = "folder/nested"
    with pytest.raises(IntegrityError):
        unpack_layer(_tar(_member("libx.so", size=10), bad), tmp_path / "out", "layer")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "data", [b"", b"no gzip", gzip.compress(b"no tar" * 200)], ids=["empty", "text", "gzip"]
)
def test_a_layer_that_is_none_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(IntegrityError, match="not a readable gzip-compressed tar"):
        unpack_layer(io.BytesIO(data), tmp_path, "layer")


def test_a_layer_is_unpacked_as_it_was_packed(tmp_path: Path) -> None:
    source = tmp_path / "any.name"
    source.write_bytes(b"contents")
    pack_layer({"libx.so": (source, 0o755), "x.yaml": (source, 0o644)}, tmp_path / "l", 0)
    with (tmp_path / "l").open("rb") as stream:
        paths = unpack_layer(stream, tmp_path / "out", "l")
    assert [(p.name, p.stat().st_mode & 0o777) for p in paths] == [
        ("libx.so", 0o755),
        ("x.yaml", 0o644),
    ]
    with pytest.raises(PackageError, match="name of a file at the archive's root"):
        pack_layer({"a/b": (source, 0o644)}, tmp_path / "l", 0)


def test_a_layout_in_a_tar_file_reads_as_the_folder_does(
    layout_of_two: Path, tmp_path: Path
) -> None:
    with Layout.open(layout_of_two) as folder:
        folder.write_tar(tmp_path / "a.tar")
        folder.write_tar(tmp_path / "b.tar")
        assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
        with Layout.open(tmp_path / "a.tar") as archive:
            archive.verify()
            assert archive.entries() == folder.entries()
            with pytest.raises(PackageError, match="cannot be added to"):
                archive.add_blob(b"", "x")


def test_a_folder_that_is_no_layout_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("")
    with pytest.raises(PackageError, match="other things in it"):
        Layout.create(tmp_path)
    with pytest.raises(PackageError, match="no OCI layout"):
        Layout.open(tmp_path)
    assert (tmp_path / "precious").exists()


@pytest.mark.parametrize(
    "document",
    [None, [], {"mediaType": "x"}, {"mediaType": "x", "size": -1, "digest": DIGEST},
     {"mediaType": "x", "size": 1, "digest": "sha256:../../etc/passwd"},
     {"mediaType": "x", "size": 1, "digest": DIGEST, "platform": {"os": "linux"}}],
)  # fmt: skip
def test_descriptors_of_strangers_are_checked(document: Any) -> None:
    with pytest.raises(IntegrityError):
        Descriptor.from_json(document, "somewhere")


@given(st.binary(max_size=60))
def test_a_config_of_strangers_is_read_or_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        Config.decode(data, "somewhere")


def test_a_layout_with_files_of_its_owner_is_not_replaced(tmp_path: Path) -> None:
    Layout.create(tmp_path / "layout")
    (tmp_path / "layout" / ".left-by-a-kill").write_text("")
    Layout.create(tmp_path / "layout")
    (tmp_path / "layout" / "NOTES").write_text("mine")
    with pytest.raises(PackageError, match=r"other things in it \(NOTES\)"):
        Layout.create(tmp_path / "layout")
    assert (tmp_path / "layout" / "NOTES").read_text() == "mine"


def test_extended_headers_of_a_member_are_fine_and_global_ones_are_not(tmp_path: Path) -> None:
    own = _member("libx.so", size=10, pax_headers={"comment": "x"}, mtime=1.5)
    assert unpack_layer(_tar(own, format=tarfile.PAX_FORMAT), tmp_path, "layer")
    everywhere = _tar(own, format=tarfile.PAX_FORMAT, pax_headers={"comment": "x"})
    with pytest.raises(IntegrityError, match="global extended header"):
        unpack_layer(everywhere, tmp_path / "out", "layer")
    assert not (tmp_path / "out").exists()


def test_referrers_and_heads_are_read_as_the_specification_allows(
    proxy: Proxy, registry: Running, repository: str
) -> None:
    def page(*digits: str) -> bytes:
        listed = [
            {"mediaType": "m", "size": 1, "digest": f"sha256:{digit * 64}"} for digit in digits
        ]
        return json.dumps({"manifests": listed}).encode()

    path = f"/v2/{repository}/referrers/{DIGEST}"
    following = {"Link": f'<{path}?page=2>; rel="next"'}
    proxy.faults = [
        Fault("GET", f"{path}$", status=200, headers=following, body=page("1")),
        Fault("GET", r"\?page=2$", status=200, body=page("2", "3")),
    ]
    config = Descriptor.of(b"{}", "application/vnd.oci.image.config.v1+json")
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config.to_json(),
            "layers": [config.to_json()],
        }
    ).encode()
    with Registry(proxy.host) as client:
        found = client.referrers(repository, DIGEST)
        assert [referrer.digest[7] for referrer in found] == ["1", "2", "3"]
        client.put_blob(repository, config, b"{}")
        stored = client.put_manifest(repository, manifest, "x")
        named = {"Docker-Content-Digest": stored.digest}
        proxy.faults = [Fault("HEAD", "/manifests/x", status=200, headers=named)]
        there = client.head_manifest(repository, "x")
        assert there is not None
        assert (there.digest, there.size) == (stored.digest, len(manifest))


def test_an_upload_that_the_registry_has_forgotten_is_begun_anew(
    falcopy: Any, big_layout: Path, proxy: Proxy, registry: Running, repository: str, tmp_path: Path
) -> None:
    reference = f"{proxy.host}/{repository}"
    proxy.faults = [Fault("PUT", "/blobs/uploads/.*digest", cut_request=5_000_000)]
    assert falcopy("push", big_layout, reference, "--retries", "0").returncode == 6
    (saved,) = (tmp_path / "home" / ".cache" / "falcopy" / "uploads").iterdir()
    assert saved.stat().st_mode & 0o777 == 0o600
    gone = json.loads(saved.read_bytes())
    gone["location"] = f"http://{proxy.host}/v2/{repository}/blobs/uploads/gone?_state=x"
    saved.write_text(json.dumps(gone))
    done = falcopy("push", big_layout, reference)
    assert done.returncode == 0, done.stderr
    assert "latest" in registry.tags(repository)
    assert not saved.exists()


def test_on_a_terminal_there_is_a_bar_and_elsewhere_silence(
    falcopy: Any, big_layout: Path, registry: Running, repository: str
) -> None:
    own, terminal = pty.openpty()
    command = [sys.executable, "-m", "falcopy_sdk", "push", str(big_layout)]
    with subprocess.Popen(
        [*command, f"{registry.host}/{repository}"], stdout=subprocess.DEVNULL, stderr=terminal
    ) as push:
        os.close(terminal)
        shown = b""
        try:
            while block := os.read(own, 65536):
                shown += block
        except OSError:  # the terminal is gone: how Linux says end of file
            pass
    os.close(own)
    assert push.returncode == 0, shown
    assert b"pushing" in shown
    assert b"100%" in shown
    done = falcopy("push", big_layout, f"{registry.host}/{repository}")
    assert done.stderr.count("\n") == 1


def test_every_error_of_a_registry_has_an_exit_code_that_tells_it() -> None:
    def below(cls: type[Any]) -> list[type[Any]]:
        return [cls, *(one for sub in cls.__subclasses__() for one in below(sub))]

    assert {cls.exit_code for cls in below(RegistryError)} == {2, 6}
