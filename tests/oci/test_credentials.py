"""Credentials from every store, against a registry with TLS and basic authentication."""

from __future__ import annotations

import base64
import json
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from falcopy_sdk.exceptions import CredentialsError, RegistryRefusedError, RegistryUnavailableError
from falcopy_sdk.hooks import hookimpl, manager
from falcopy_sdk.oci import ClientCredentials, Credential, Descriptor, Registry, RetryPolicy
from falcopy_sdk.oci.credentials import find_credential

from .conftest import Falcopy
from .proxy import Fault, Proxy, running_proxy
from .registries import PASSWORD, USER, Running

NO_RETRY = RetryPolicy(attempts=1)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in os.environ:
        if name.startswith(("FALCOPY_REGISTRY", "FALCOCTL_", "DOCKER_")):
            monkeypatch.delenv(name)


def _docker(folder: Path, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))


def test_a_plugin_is_pushed_by_tls_with_dockers_login(
    falcopy: Falcopy,
    packaged: Path,
    secure_registry: Running,
    repository: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reference = f"{secure_registry.host}/{repository}"
    tls = ("--ca-file", secure_registry.ca_file, "--tls")
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    config = {"auths": {f"https://{secure_registry.host}/v1/": {"auth": auth}}}
    _docker(tmp_path / "docker", config, monkeypatch)
    done = falcopy("push", packaged, reference, *tls)
    assert done.returncode == 0, done.stderr
    done = falcopy("pull", reference, "-o", tmp_path / "out", *tls)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "libpydemo.so").exists()


def test_without_a_login_the_message_says_how(
    falcopy: Falcopy, packaged: Path, secure_registry: Running
) -> None:
    tls = ("--ca-file", secure_registry.ca_file, "--tls")
    done = falcopy("push", packaged, f"{secure_registry.host}/a", *tls)
    assert done.returncode == 6
    assert f"docker login {secure_registry.host}" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_wrong_password_names_its_source_and_not_itself(
    falcopy: Falcopy, packaged: Path, secure_registry: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = f"{secure_registry.host},{USER},hunter2"
    monkeypatch.setenv("FALCOCTL_REGISTRY_AUTH_BASIC", secret)
    tls = ("--ca-file", secure_registry.ca_file, "--tls")
    done = falcopy("push", packaged, f"{secure_registry.host}/a", *tls)
    assert done.returncode == 6
    assert "does not accept the credentials from FALCOCTL_REGISTRY_AUTH_BASIC" in done.stderr
    assert "hunter2" not in done.stderr


def _registry(running: Running, **given: Any) -> Registry:
    given = {"ca_file": running.ca_file, "plain_http": False, "retry": NO_RETRY, **given}
    return Registry(running.host, **given)


def test_an_unknown_ca_is_refused_and_the_option_is_named(secure_registry: Running) -> None:
    with (
        _registry(secure_registry, ca_file=None) as registry,
        pytest.raises(RegistryRefusedError, match=r"cannot be trusted .*--ca-file"),
    ):
        registry.tags("a")


def test_falcoctl_135_ssl_cert_file_is_a_ca_as_well(
    secure_registry: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(secure_registry.ca_file))
    lookup = lambda _host: Credential(USER, PASSWORD)  # noqa: E731
    with _registry(secure_registry, ca_file=None, credentials=lookup) as registry:
        assert registry.tags("nothing-there") == []


def test_a_registry_without_tls_is_told_apart(registry: Running) -> None:
    with (
        Registry(registry.host, plain_http=False, retry=NO_RETRY) as client,
        pytest.raises(RegistryRefusedError, match=r"does not speak TLS.*--plain-http"),
    ):
        client.tags("a")


def test_every_store_is_looked_into_in_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each store is added in front of those before it, and takes over."""
    falcoctl = tmp_path / "falcoctl.yaml"

    def find() -> Credential | ClientCredentials | None:
        return find_credential("r.example", falcoctl_config=falcoctl)

    assert find() is None
    store = tmp_path / "home" / ".config" / "falcoctl" / "clientcredentials.json"
    store.parent.mkdir(parents=True)
    entry = {"ClientID": "i", "ClientSecret": "s", "TokenURL": "https://t.example/"}
    store.write_text(json.dumps({"r.example": entry}))
    assert find() == ClientCredentials("i", "s", "https://t.example/", source=str(store))

    auths = {"auths": {"r.example": {"username": "docker", "password": "p"}}}
    _docker(tmp_path / "docker", auths, monkeypatch)
    assert _user(find()) == "docker"
    _helper(tmp_path / "bin", {"Username": "helper", "Secret": "p"}, monkeypatch)
    _docker(tmp_path / "docker", {**auths, "credsStore": "test"}, monkeypatch)
    assert _user(find()) == "helper"

    falcoctl.write_text(
        "Registry: {Auth: {BASIC: [{Registry: r.example, user: falcoctl, password: p}]}}\n"
    )
    assert _user(find()) == "falcoctl"
    monkeypatch.setenv("FALCOCTL_REGISTRY_AUTH_BASIC", "o.example,x,y;r.example,variable,p")
    assert _user(find()) == "variable"

    class Hooks:
        @hookimpl
        def falcopy_registry_credentials(self, registry: str) -> tuple[str, str] | None:
            return ("hook", "p") if registry == "r.example" else None

    hooks = Hooks()
    manager().register(hooks)
    try:
        assert _user(find()) == "hook"
        monkeypatch.setenv("FALCOPY_REGISTRY", "r.example")
        monkeypatch.setenv("FALCOPY_REGISTRY_USERNAME", "own")
        monkeypatch.setenv("FALCOPY_REGISTRY_PASSWORD", "p")
        assert _user(find()) == "own"
        assert find_credential("other.example", falcoctl_config=falcoctl) is None
    finally:
        manager().unregister(hooks)


def _user(found: Credential | ClientCredentials | None) -> str:
    assert isinstance(found, Credential)
    assert found.password == "p"
    assert "'p'" not in repr(found)
    return found.username


def _helper(folder: Path, answer: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    program = folder / "docker-credential-test"
    program.write_text(
        "#!/bin/sh\nread server\n"
        f"[ \"$server\" = r.example ] && echo '{json.dumps(answer)}' ||"
        " { echo credentials not found in native keychain; exit 1; }\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_own_variables_without_the_registry_go_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FALCOPY_REGISTRY_PASSWORD", "p")
    with pytest.raises(CredentialsError, match="FALCOPY_REGISTRY is not"):
        find_credential("r.example", falcoctl_config=Path("none"))


def test_a_helper_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _docker(tmp_path / "docker", {"credHelpers": {"r.example": "gone"}}, monkeypatch)
    with pytest.raises(CredentialsError, match="docker-credential-gone, which cannot be run"):
        find_credential("r.example", falcoctl_config=Path("none"))


class _TokenServer(BaseHTTPRequestHandler):
    """Docker's token protocol, as docs of distribution tell it."""

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        self.server.asked.append((asked, self.headers.get("Authorization")))  # type: ignore[attr-defined]
        data = json.dumps({"token": f"t{len(self.server.asked)}"}).encode()  # type: ignore[attr-defined]
        refused = self.server.refused & set(asked.get("scope", ()))  # type: ignore[attr-defined]
        self.send_response_only(403 if refused else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def token_server() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _TokenServer)
    server.asked = []  # type: ignore[attr-defined]
    server.refused = set()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_token_is_fetched_for_the_scope_and_again_when_it_has_run_out(
    proxy: Proxy, token_server: Any, repository: str
) -> None:
    realm = f"http://127.0.0.1:{token_server.server_port}/token"
    challenge = f'Bearer realm="{realm}",service="tests",scope="repository:{repository}:pull"'
    refuse = {"status": 401, "headers": {"WWW-Authenticate": challenge}}
    proxy.faults = [Fault("HEAD", "/blobs/", **refuse), Fault("POST", "/uploads/", **refuse)]
    lookup = lambda _host: Credential(USER, PASSWORD)  # noqa: E731
    with Registry(proxy.host, credentials=lookup, retry=NO_RETRY) as registry:
        registry.put_blob(repository, Descriptor.of(b"{}", "x"), b"{}")
    assert [asked for asked, _ in token_server.asked] == [
        {"service": ["tests"], "scope": [f"repository:{repository}:pull,push"], "account": [USER]}
    ] * 2
    assert all(sent and sent.startswith("Basic ") for _, sent in token_server.asked)
    sent = [authorization for _, _, authorization in proxy.requests]
    assert sent == [None, "Bearer t1", "Bearer t1", "Bearer t2", "Bearer t2"]


@pytest.mark.parametrize("readable", [True, False])
def test_blobs_are_taken_over_from_another_repository_with_a_token_for_both(
    falcopy: Falcopy, packaged: Path, proxy: Proxy, token_server: Any, repository: str,
    registry: Running, readable: bool,
) -> None:  # fmt: skip
    """As GHCR and Docker Hub do: no 401 for a token that lacks the other scope, but no mount."""
    assert falcopy("push", packaged, f"{registry.host}/{repository}/a").returncode == 0
    realm = f"http://127.0.0.1:{token_server.server_port}/token"
    token_server.refused = set() if readable else {f"repository:{repository}/a:pull"}

    def granted(authorization: str | None) -> set[str]:
        number = (authorization or "Bearer t0").removeprefix("Bearer t")
        asked = [query for query, _ in token_server.asked]
        return set(asked[int(number) - 1].get("scope", ())) if int(number) else set()

    def gate(method: str, path: str, authorization: str | None) -> Fault | None:
        scopes = granted(authorization)
        if not scopes:
            challenge = f'Bearer realm="{realm}",service="tests"'
            return Fault(method, path, status=401, headers={"WWW-Authenticate": challenge})
        source = parse_qs(urlsplit(path).query).get("from")
        if source and f"repository:{source[0]}:pull" not in scopes:
            there = f"/v2/{repository}/b/blobs/uploads/lost"
            return Fault(method, path, status=202, headers={"Location": there})
        return None

    proxy.gate = gate
    done = falcopy(
        *("push", packaged, f"{proxy.host}/{repository}/b", "--json"),
        *("--mount-from", f"{repository}/a"),
    )
    assert done.returncode == 0, done.stderr
    digests = {part["digest"] for part in _layers_of(registry, f"{repository}/b")}
    assert digests == {part["digest"] for part in _layers_of(registry, f"{repository}/a")}
    sent = proxy.count("PUT", "/blobs/uploads/")
    assert sent == 0 if readable else sent == 3
    assert ("not taken over from" in done.stderr) != readable


def _layers_of(running: Running, repository: str) -> list[dict[str, Any]]:
    index, _ = running.manifest(repository, "latest")
    manifests = [running.manifest(repository, m["digest"])[0] for m in index["manifests"]]
    return [layer for manifest in manifests for layer in manifest["layers"]]


def test_a_link_to_storage_that_has_ended_is_asked_for_again(
    proxy: Proxy, registry: Running, repository: str
) -> None:
    blob = Descriptor.of(b"contents", "x")
    with Registry(registry.host) as client:
        client.put_blob(repository, blob, b"contents")
    with running_proxy(registry.port) as storage:
        path = f"/v2/{repository}/blobs/{blob.digest}"
        there = {"Location": f"http://{storage.host}{path}"}
        proxy.faults = [Fault("GET", path, status=307, headers=there, times=3)]
        storage.faults = [Fault("GET", path, status=403)]
        with Registry(proxy.host, retry=RetryPolicy(attempts=2, first_wait=0.01)) as client:
            assert client.get_blob(repository, blob) == b"contents"
        storage.faults = [Fault("GET", path, status=403)]
        with (
            Registry(proxy.host, retry=NO_RETRY) as client,
            pytest.raises(RegistryUnavailableError, match="refuses the link") as told,
        ):
            client.get_blob(repository, blob)
        assert storage.host in str(told.value)


def test_a_proxy_gets_the_password_of_its_url(monkeypatch: pytest.MonkeyPatch) -> None:
    with _forward_proxy() as server:
        for password, served in (("p%40ss", True), ("wrong", False)):
            where = f"http://falco:{password}@127.0.0.1:{server.server_port}"
            monkeypatch.setenv("http_proxy", where)
            with Registry("registry.example", plain_http=True, retry=NO_RETRY) as client:
                if served:
                    assert client.tags("a/b") == ["1.0.0"]
                    continue
                with pytest.raises(RegistryRefusedError, match="407"):
                    client.tags("a/b")
            # The same before a tunnel, where the refusal is no answer of the registry.
            monkeypatch.setenv("https_proxy", where)
            with (
                Registry("registry.example", retry=NO_RETRY) as client,
                pytest.raises(RegistryRefusedError, match="wants a user name and password") as told,
            ):
                client.tags("a/b")
            assert password not in str(told.value)


@contextmanager
def _forward_proxy() -> Iterator[ThreadingHTTPServer]:
    """Answers for every host, to those who prove that they may ask."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            right = base64.b64encode(b"falco:p@ss").decode()
            known = self.headers.get("Proxy-Authorization") == f"Basic {right}"
            data = b'{"tags": ["1.0.0"]}' if known else b""
            self.send_response(200 if known else 407)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_CONNECT = do_GET  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_credentials_never_follow_a_redirect_to_another_host(
    proxy: Proxy, registry: Running, repository: str
) -> None:
    blob = Descriptor.of(b"contents", "x")
    with Registry(registry.host) as client:
        client.put_blob(repository, blob, b"contents")
    with running_proxy(registry.port) as elsewhere:
        path = f"/v2/{repository}/blobs/{blob.digest}"
        proxy.faults = [
            Fault("GET", path, status=401, headers={"WWW-Authenticate": 'Basic realm="x"'}),
            Fault("GET", path, status=307, headers={"Location": f"http://{elsewhere.host}{path}"}),
        ]
        lookup = lambda _host: Credential(USER, PASSWORD)  # noqa: E731
        with Registry(proxy.host, credentials=lookup, retry=NO_RETRY) as client:
            assert client.get_blob(repository, blob) == b"contents"
        assert [authorization for _, _, authorization in elsewhere.requests] == [None]
        assert proxy.requests[-1][2] is not None
