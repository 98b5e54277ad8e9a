"""Debian's docker-registry on loopback, plain, or by TLS with basic authentication."""

from __future__ import annotations

import base64
import datetime
import hashlib
import ipaddress
import json
import os
import re
import shutil
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

#: bcrypt of PASSWORD, as htpasswd -B makes it.
USER, PASSWORD = "ann", "correct horse"
_HTPASSWD = "ann:$2y$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2\n"


@dataclass(frozen=True)
class Running:
    """A running registry."""

    port: int
    folder: Path
    ca_file: Path | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def options(self) -> tuple[object, ...]:
        """What a command of falcopy needs to reach it, beside credentials."""
        return ("--tls", "--ca-file", self.ca_file) if self.ca_file else ()

    def skopeo(self, prefix: str = "") -> tuple[object, ...]:
        """What skopeo needs, as the source (``"src-"``), the target (``"dest-"``) or else."""
        if self.ca_file is None:
            return (f"--{prefix}tls-verify=false",)
        trusted = self.folder / "trusted"  # by itself: skopeo takes keys for those of clients
        trusted.mkdir(exist_ok=True)
        shutil.copyfile(self.ca_file, trusted / "ca.crt")
        return (f"--{prefix}cert-dir", trusted, f"--{prefix}creds", f"{USER}:{PASSWORD}")

    def get(self, path: str, accept: str = "*/*") -> tuple[bytes, Any]:
        """HTTP with none of our code: the body and the headers."""
        headers, context = {"Accept": accept}, None
        if self.ca_file is not None:
            who = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            headers["Authorization"] = f"Basic {who}"
            context = ssl.create_default_context(cafile=self.ca_file)
        scheme = "http" if context is None else "https"
        request = urllib.request.Request(f"{scheme}://{self.host}{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=30, context=context) as response:
            return response.read(), response.headers

    def blob(self, repository: str, digest: str) -> bytes:
        data, _ = self.get(f"/v2/{repository}/blobs/{digest}")
        assert "sha256:" + hashlib.sha256(data).hexdigest() == digest
        return data

    def manifest(self, repository: str, reference: str) -> tuple[dict[str, Any], str]:
        """A manifest or index as it is stored, and its digest."""
        accept = (
            "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"
        )
        data, headers = self.get(f"/v2/{repository}/manifests/{reference}", accept)
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        assert headers["Docker-Content-Digest"] == digest
        return json.loads(data), digest

    def tags(self, repository: str) -> list[str]:
        try:
            data, _ = self.get(f"/v2/{repository}/tags/list")
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 404:
                raise
            return []
        return json.loads(data)["tags"] or []


def registry_program() -> str:
    program = os.environ.get("FALCOPY_DOCKER_REGISTRY") or shutil.which("docker-registry")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no docker-registry; .ci/run gets it")
        pytest.skip("no docker-registry: apt install docker-registry")
    return program


@contextmanager
def running_registry(folder: Path, *, auth_and_tls: bool = False) -> Iterator[Running]:
    program = registry_program()
    folder.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": "127.0.0.1:0", "secret": "for tests"},
    }
    ca_file = None
    if auth_and_tls:
        ca_file, key = certificate(folder)
        (folder / "htpasswd").write_text(_HTPASSWD)
        config["http"]["tls"] = {"certificate": str(ca_file), "key": str(key)}
        config["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
    (folder / "config.yml").write_text(json.dumps(config))
    with subprocess.Popen(
        [program, "serve", folder / "config.yml"], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        # The line with the port is of level info: asked from the kernel instead.
        drain = threading.Thread(target=_drain, args=(process.stderr, folder / "log"))
        drain.start()
        try:
            yield Running(_port(process), folder, ca_file)
        finally:
            process.terminate()
            process.wait(20)
            drain.join()


def _drain(stream: Any, path: Path) -> None:
    with path.open("w") as log:
        for line in stream:
            log.write(line)
            log.flush()


def _port(process: subprocess.Popen[str]) -> int:
    """The port that a process listens on, by its descriptors and /proc/net/tcp."""
    deadline = datetime.datetime.now() + datetime.timedelta(seconds=30)
    while datetime.datetime.now() < deadline:
        assert process.poll() is None, "docker-registry ended"
        inodes = set()
        for link in Path(f"/proc/{process.pid}/fd").iterdir():
            try:
                match = re.match(r"socket:\[(\d+)\]", os.readlink(link))
            except OSError:
                continue
            if match:
                inodes.add(match[1])
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                return int(fields[1].partition(":")[2], 16)
        threading.Event().wait(0.02)
    raise AssertionError("docker-registry does not listen")


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "tls.crt", folder / "tls.key"
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_file, key_file
