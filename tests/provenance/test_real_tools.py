"""What we sign, verified by the tools of others: cosign, and falcoctl while it installs.

They are no packages of Debian. Name them: FALCOPY_COSIGN, FALCOPY_FALCOCTL.
"""

from __future__ import annotations

import functools
import http.server
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from falcopy_sdk.oci import Descriptor
from falcopy_sdk.provenance import PrivateKey, load_private, sign_artifact, sign_file

from .conftest import PASSWORD
from .publishing import Repository
from .tuf_mirror import write_mirror


def _program(variable: str) -> str:
    path = os.environ.get(variable)
    if not path:
        pytest.skip(f"{variable} names no program")
    return path


@pytest.fixture
def cosign() -> str:
    return _program("FALCOPY_COSIGN")


@pytest.fixture
def falcoctl() -> str:
    return _program("FALCOPY_FALCOCTL")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def sigstore(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of sigstore's tools, with a mirror on this machine."""
    folder = tmp_path / "mirror"
    environment = write_mirror(folder)
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        mirror = f"http://127.0.0.1:{server.server_port}"
        yield {**os.environ, **environment, "TUF_MIRROR": mirror, "HOME": str(tmp_path)}
        server.shutdown()
        thread.join()


@pytest.fixture(params=["cosign", "P-384", "ED25519", "RSA"])
def pair(
    request: pytest.FixtureRequest, key_files: tuple[Path, Path], tmp_path: Path
) -> tuple[Path, Path]:
    """A pair of each kind that cosign takes, in the files of cosign or of OpenSSL."""
    if request.param == "cosign":
        return key_files
    private, public = tmp_path / "own.key", tmp_path / "own.pub"
    kind = ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"] if request.param == "P-384" else []
    make = ["openssl", "genpkey", "-algorithm", *(kind or [request.param])]
    subprocess.run([*make, "-out", private], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    return private, public


@pytest.fixture
def released(repository: Repository, library: Path, pair: tuple[Path, Path]) -> Descriptor:
    root = repository.publish(library)
    key = load_private(pair[0], lambda: PASSWORD)
    sign_artifact(repository.registry, repository.reference("0.1.0"), key)
    return root


def _run(environment: dict[str, str], *command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=100
    )


@pytest.mark.parametrize("form", ["bundles", "tags"])
def test_cosign_verifies_signature_provenance_and_bill_of_materials(
    cosign: str,
    sigstore: dict[str, str],
    repository: Repository,
    released: Descriptor,
    pair: tuple[Path, Path],
    form: str,
) -> None:
    part = repository.part(released).digest
    name = f"{repository.registry.host}/{repository.name}"
    options = ["--key", str(pair[1]), "--insecure-ignore-tlog=true", "--allow-http-registry"]
    options.append(f"--new-bundle-format={str(form == 'bundles').lower()}")
    for command in (
        ["verify", *options, f"{name}:0.1.0"],
        ["verify-attestation", "--type", "slsaprovenance1", *options, f"{name}:0.1.0"],
        ["verify-attestation", "--type", "cyclonedx", *options, f"{name}@{part}"],
    ):
        done = _run(sigstore, cosign, *command)
        assert done.returncode == 0, done.stderr
        assert "signatures were verified against the specified public key" in done.stderr


def test_cosign_verifies_a_signed_file(
    cosign: str,
    sigstore: dict[str, str],
    plugin: Path,
    key: PrivateKey,
    key_files: tuple[Path, Path],
) -> None:
    signature = sign_file(plugin, key)
    options = ["--key", key_files[1], "--insecure-ignore-tlog=true", "--signature", signature]
    done = _run(sigstore, cosign, "verify-blob", *options, plugin)
    assert done.returncode == 0, done.stderr
    with plugin.open("ab") as file:
        file.write(b"more")
    assert _run(sigstore, cosign, "verify-blob", *options, plugin).returncode != 0


def test_we_sign_with_the_keys_of_cosign(
    cosign: str, sigstore: dict[str, str], tmp_path: Path
) -> None:
    environment = {**sigstore, "COSIGN_PASSWORD": "pass"}
    prefix = tmp_path / "made"
    command = (cosign, "generate-key-pair", "--output-key-prefix", prefix)
    assert _run(environment, *command).returncode == 0
    key = load_private(tmp_path / "made.key", lambda: b"pass")
    assert key.public.pem == (tmp_path / "made.pub").read_bytes()


def test_cosign_signs_with_keys_of_ours(
    cosign: str, sigstore: dict[str, str], tmp_path: Path, key_files: tuple[Path, Path]
) -> None:
    environment = {**sigstore, "COSIGN_PASSWORD": "correct horse"}
    done = _run(environment, cosign, "public-key", "--key", key_files[0])
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == key_files[1].read_text().strip()


def test_falcoctl_installs_what_is_signed_and_nothing_else(
    falcoctl: str,
    sigstore: dict[str, str],
    repository: Repository,
    released: Descriptor,
    pair: tuple[Path, Path],
    library: Path,
    tmp_path: Path,
) -> None:
    def install(key: Path) -> subprocess.CompletedProcess[str]:
        (tmp_path / "index.yaml").write_text(
            "- name: tiny\n  type: plugin\n"
            f"  registry: {repository.registry.host}\n  repository: {repository.name}\n"
            f"  signature: {{cosign: {{key: {key}, ignore-tlog: true}}}}\n"
        )
        (tmp_path / "falcoctl.yaml").write_text(
            f"indexes: [{{name: t, url: 'file://{tmp_path}/index.yaml', backend: file}}]\n"
        )
        folders = ["--plugins-dir", tmp_path / "plugins", "--state-dir", tmp_path / "state"]
        for folder in ("plugins", "state"):
            (tmp_path / folder).mkdir(exist_ok=True)
        config = ["--config", tmp_path / "falcoctl.yaml"]
        options = [*config, *folders, "--plain-http", "--resolve-deps=false"]
        return _run(sigstore, falcoctl, "artifact", "install", "tiny:0.1.0", *options)

    other = tmp_path / "other.pub"
    other.write_bytes(_stranger())
    refused = install(other)
    assert refused.returncode != 0, refused.stdout
    assert not list((tmp_path / "plugins").iterdir())
    done = install(pair[1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Signature successfully verified!" in done.stdout
    assert (tmp_path / "plugins" / "libtiny.so").read_bytes() == library.read_bytes()


def _stranger() -> bytes:
    from falcopy_sdk.provenance.keys import generate_key_pair

    return generate_key_pair(b"")[1]
