"""A registry that serves what no registry would take, and releases with one document changed."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.server
import io
import json
import re
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from falcopy_sdk.bundle import image
from falcopy_sdk.provenance import PrivateKey
from falcopy_sdk.provenance import documents as forms

from .publishing import INDEX, LAYER, MANIFEST, PLUGIN

SBOM = "application/vnd.cyclonedx+json"
#: How a document is written: by its name and what it should be.
Writer = Callable[[str, Any], bytes]


def plainly(_name: str, document: Any) -> bytes:
    return json.dumps(document).encode()


@dataclass
class Store:
    """What the registry has: manifests by tag and digest, blobs by digest, referrers."""

    manifests: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    referrers: bytes = b"{}"

    def blob(self, data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        digest = _digest(data)
        self.blobs[digest] = data
        return {"mediaType": media_type, "digest": digest, "size": len(data), **more}

    def manifest(self, data: bytes, media_type: str, tag: str = "", **more: Any) -> dict[str, Any]:
        digest = _digest(data)
        self.manifests[digest] = data
        if tag:
            self.manifests[tag] = data
        return {"mediaType": media_type, "digest": digest, "size": len(data), **more}


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def layer_of(library: Path) -> bytes:
    stream = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        archive.add(library, "libtiny.so", filter=lambda member: member)
    return stream.getvalue()


def release(
    store: Store, library: Path, layer: bytes, bill: Any, key: PrivateKey, write: Writer
) -> None:
    """Publishes and signs a plugin as ``falcopy push`` and ``sign`` do; digests always fit."""
    built = image.read_image(library)
    needs = [{"name": "plugin_api_version", "version": built.facts.required_api_version}]
    config = write("config", {"name": "tiny", "version": "0.1.0", "requirements": needs})

    def manifest(config: dict[str, Any], layers: list[dict[str, Any]], **more: Any) -> Any:
        about = {"schemaVersion": 2, "mediaType": MANIFEST}
        return {**about, "config": config, "layers": layers, **more}

    layers = [store.blob(layer, LAYER)]
    part = store.manifest(
        write("manifest", manifest(store.blob(config, PLUGIN), layers)),
        MANIFEST,
        platform={"os": "linux", "architecture": "amd64"},
    )
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [part]}
    root = store.manifest(write("index", index), INDEX, "0.1.0")
    empty = store.blob(b"{}", "application/vnd.oci.image.config.v1+json")

    def beside(suffix: str, digest: str, payload: bytes, media_type: str, mark: str) -> None:
        note = {"dev.cosignproject.cosign/signature": mark}
        layers = [store.blob(payload, media_type, annotations=note)]
        data = write(f"{suffix} manifest", manifest(empty, layers))
        store.manifest(data, MANIFEST, f"{digest.replace(':', '-')}.{suffix}")

    plain = json.loads(forms.simple_signing("a/b", root["digest"]))
    payload = write("signature", plain)
    mark = base64.b64encode(key.sign(payload)).decode()
    kind = "application/vnd.dev.cosign.simplesigning.v1+json"
    beside("sig", root["digest"], payload, kind, mark)

    def attested(name: str, about: dict[str, Any], predicate_type: str, predicate: Any) -> None:
        plain = json.loads(forms.statement([("tiny", about["digest"])], predicate_type, predicate))
        envelope = json.loads(forms.sealed(write(name, plain), key))
        data = write(f"{name} envelope", envelope)
        beside("att", about["digest"], data, "application/vnd.dsse.envelope.v1+json", "")

    from falcopy_sdk.provenance import origin

    attested("SBOM", part, forms.CYCLONEDX, bill)
    attested("provenance", root, forms.SLSA, origin.predicate([bill], None, "urn:x"))
    attached = manifest(empty, [store.blob(bill_bytes(library), SBOM)], artifactType=SBOM)
    referrer = store.manifest(write("referrer", attached), MANIFEST, artifactType=SBOM)
    listed = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [referrer]}
    store.referrers = write("referrers", listed)


def bill_bytes(library: Path) -> bytes:
    import zipfile

    with zipfile.ZipFile(library) as archive:
        return archive.read("sbom.cdx.json")


@contextmanager
def serving(store: Store) -> Iterator[str]:
    """Serves it by the pull part of the distribution-spec; gives host and port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one packet: else each answer waits for the client's kernel.
        wbufsize = 1 << 16

        def log_message(self, format: str, *args: object) -> None: ...

        def do_GET(self) -> None:
            match = re.fullmatch(r"/v2/a/b/(manifests|blobs|referrers|tags)/(.+)", self.path)
            data: bytes | None = b"{}"
            if match is not None:
                kind, name = match.groups()
                known = {
                    "manifests": store.manifests.get(name),
                    "blobs": store.blobs.get(name),
                    "referrers": store.referrers,
                    "tags": b'{"tags": []}',
                }
                data = known[kind]
            self.send_response(404 if data is None else 200)
            self.send_header("Content-Length", str(len(data or b"")))
            self.send_header("Content-Type", "application/octet-stream")
            if data is not None:
                self.send_header("Docker-Content-Digest", _digest(data))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data or b"")

        do_HEAD = do_GET  # noqa: N815 - the name that the standard library calls

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
