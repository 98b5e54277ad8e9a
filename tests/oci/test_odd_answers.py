"""Registries and layouts that say what none should: where it leads, how much, how deep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from falcopy_sdk.exceptions import IntegrityError, RegistryRefusedError
from falcopy_sdk.oci import (
    Config,
    Credential,
    Descriptor,
    Layout,
    Reference,
    Registry,
    RetryPolicy,
    copy_to_layout,
)
from falcopy_sdk.oci.session import Session

from .proxy import Fault, Proxy
from .registries import PASSWORD, USER, Running

DIGEST = "sha256:" + "0" * 64


def _resolved(registry: str, location: str, *, plain_http: bool = False) -> str:
    session = Session(
        registry,
        lambda _: None,
        plain_http=plain_http,
        ca_file=None,
        retry=RetryPolicy(),
        timeout=1,
    )
    return session.resolve("/v2/a/blobs/uploads/", location)


@pytest.mark.parametrize(
    ("registry", "location", "url"),
    [
        # Relative, in each form of RFC 3986, 4.2.
        ("r.example:5000", "u/1?a=b", "https://r.example:5000/v2/a/blobs/uploads/u/1?a=b"),
        ("r.example:5000", "/x", "https://r.example:5000/x"),
        ("r.example:5000", "//r.example:5000/x", "https://r.example:5000/x"),
        # A proxy ends TLS, and the registry knows neither of it nor of its port.
        ("r.example", "http://r.example/x?a=b", "https://r.example/x?a=b"),
        ("r.example", "http://r.example:80/x", "https://r.example/x"),
        ("r.example", "http://r.example:443/x", "https://r.example/x"),
        ("r.example:5000", "http://r.example/x", "https://r.example:5000/x"),
        ("r.example:5000", "http://r.example:5000/x", "https://r.example:5000/x"),
        ("r.example:5000", "http://R.EXAMPLE:80/x", "https://r.example:5000/x"),
        ("docker.io", "http://registry-1.docker.io/x", "https://registry-1.docker.io/x"),
        # Storage elsewhere.
        ("r.example", "https://cdn.example/x", "https://cdn.example/x"),
    ],
)
def test_a_location_is_followed_to_where_it_leads(registry: str, location: str, url: str) -> None:
    assert _resolved(registry, location) == url


@pytest.mark.parametrize(
    ("registry", "location", "words"),
    [
        ("r.example", "http://other.example/x", "leads to other.example without TLS"),
        ("r.example", "http://r.example:8080/x", "leads to r.example:8080 without TLS"),
        ("r.example:5000", "http://r.example:443/x", "leads to r.example:443 without TLS"),
        ("r.example", "http://r.example:99999/x", "which is no URL"),
        ("r.example", "http://[/x", "which is no URL"),
        ("r.example", "file:///etc/passwd", "which is not http"),
    ],
)
def test_a_registry_with_tls_leads_nowhere_without(
    registry: str, location: str, words: str
) -> None:
    with pytest.raises(RegistryRefusedError, match=words):
        _resolved(registry, location)


def test_without_tls_a_location_stays_as_it_is() -> None:
    for location in ("http://r.example:5000/x", "https://r.example/x", "http://cdn.example/x"):
        assert _resolved("r.example:5000", location, plain_http=True) == location


def test_an_upload_behind_a_proxy_with_a_port_of_its_own_keeps_its_credentials(
    secure_registry: Running, repository: str
) -> None:
    """docker-registry names itself by what the client calls it; here, as behind such a proxy."""
    blob = Descriptor.of(b"contents", "x")
    with Registry(
        secure_registry.host,
        plain_http=False,
        ca_file=secure_registry.ca_file,
        credentials=lambda _: Credential(USER, PASSWORD),
        retry=RetryPolicy(attempts=1),
    ) as client:
        resolve = client._session.resolve
        seen = []

        def without_tls_and_port(base: str, location: str) -> str:
            seen.append(location)
            there = urlsplit(location)
            assert there.hostname is not None
            return resolve(base, there._replace(scheme="http", netloc=there.hostname).geturl())

        client._session.resolve = without_tls_and_port  # type: ignore[method-assign]
        assert client.put_blob(repository, blob, b"contents")
        assert seen
        assert client.get_blob(repository, blob) == b"contents"


def test_an_answer_without_end_is_not_read_to_its_end(
    proxy: Proxy, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("falcopy_sdk.oci.download.DOCUMENT_LIMIT", 1000)
    body = json.dumps({"tags": ["x" * 2000]}).encode()
    proxy.faults = [Fault("GET", "/tags/list|/manifests/|/referrers/", 200, body=body, times=99)]
    with Registry(proxy.host, retry=RetryPolicy(attempts=1)) as client:
        for read in (
            lambda: client.tags(repository),
            lambda: client.get_manifest(repository, "x"),
            lambda: client.referrers(repository, DIGEST),
        ):
            with pytest.raises(IntegrityError, match="more than 1000 bytes"):
                read()


@pytest.mark.parametrize("tags", [5, "1.0.0", [1], [None], {"a": 1}])
def test_a_list_of_tags_that_is_none_is_refused(
    falcopy: Any, packaged: Path, proxy: Proxy, repository: str, tags: Any
) -> None:
    body = json.dumps({"tags": tags}).encode()
    proxy.faults = [Fault("GET", "/tags/list", status=200, body=body)]
    done = falcopy("push", packaged, f"{proxy.host}/{repository}")
    assert done.returncode == 6
    assert f"{proxy.host}/{repository}: its tags are no list of texts" in done.stderr


def test_a_port_that_there_is_not_is_told_of(falcopy: Any, packaged: Path) -> None:
    done = falcopy("push", packaged, "127.0.0.1:99999/a")
    assert done.returncode == 2
    assert "names no registry" in done.stderr


EMPTY = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json"}


def _nested(layout: Layout, depth: int) -> None:
    entry = layout.add_manifest({**EMPTY, "manifests": []}, listed=False)
    for _ in range(depth):
        entry = layout.add_manifest({**EMPTY, "manifests": [entry.to_json()]}, listed=False)
    layout.list_manifest(entry, tag="0.1.0")


def test_an_index_of_nothing_is_no_artifact(falcopy: Any, tmp_path: Path) -> None:
    _nested(Layout.create(tmp_path / "layout"), 0)
    done = falcopy("push", tmp_path / "layout", "127.0.0.1:1/a")
    assert done.returncode == 6
    assert "an index without manifests" in done.stderr


@pytest.mark.parametrize("depth", [1, 20, 1500])
def test_indexes_in_indexes_are_no_artifact(falcopy: Any, tmp_path: Path, depth: int) -> None:
    _nested(Layout.create(tmp_path / "layout"), depth)
    done = falcopy("push", tmp_path / "layout", "127.0.0.1:1/a")
    assert done.returncode == 6
    words = "where an artifact of Falco has an OCI manifest" if depth == 1 else "in each other"
    assert words in done.stderr


def test_a_registrys_indexes_in_indexes_have_an_end(
    registry: Running, repository: str, tmp_path: Path
) -> None:
    with Registry(registry.host) as client:
        data = json.dumps({**EMPTY, "manifests": []}).encode()
        entry = client.put_manifest(repository, data)
        for _ in range(20):
            data = json.dumps({**EMPTY, "manifests": [entry.to_json()]}).encode()
            entry = client.put_manifest(repository, data, "latest")
        with pytest.raises(IntegrityError, match="no artifact is that deep"):
            copy_to_layout(client, Reference(registry.host, repository), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize(
    "document",
    [
        {"name": 5, "version": "1.0.0"},
        {"name": "a", "version": 1},
        {"name": "a", "version": "1.0.0", "dependencies": [{"name": 1, "version": "1.0.0"}]},
        {"name": "a", "version": "1.0.0", "requirements": [{"name": "b", "version": None}]},
        {"name": "a", "version": "1.0.0", "requirements": 5},
    ],
)
def test_a_config_of_other_types_is_refused(document: Any) -> None:
    with pytest.raises(IntegrityError):
        Config.decode(json.dumps(document).encode(), "somewhere")
