"""Publishing by hand: artifacts whose parts need not fit, and plugins changed after their build."""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from falcopy_sdk.bundle import image, payload
from falcopy_sdk.bundle.contents import Contents
from falcopy_sdk.oci import Descriptor, Platform, Reference, Registry

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
PLUGIN = "application/vnd.cncf.falco.plugin.config.v1+json"
AMD64 = Platform("linux", "amd64")
LAYER = "application/vnd.cncf.falco.plugin.layer.v1+tar.gz"


@dataclass
class Repository:
    """A repository of a running registry, for one test."""

    registry: Registry
    name: str
    storage: Path
    layers: dict[Path, bytes] = field(default_factory=dict)

    def reference(self, tag: str) -> Reference:
        return Reference(self.registry.host, self.name, tag)

    def publish(
        self,
        library: Path,
        tag: str = "0.1.0",
        *,
        name: str = "tiny",
        version: str = "0.1.0",
        platform: Platform = AMD64,
        plugin_api: str | None = None,
    ) -> Descriptor:
        """A plugin as falcoctl pushes it; its plugin API is what the file says, or as given."""
        required = plugin_api or image.read_image(library).facts.required_api_version
        requires = [{"name": "plugin_api_version", "version": required}]
        config = {"name": name, "version": version, "requirements": requires}
        manifest = self._manifest(config, self._layer(library))
        index = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [dataclasses.replace(manifest, platform=platform).to_json()],
        }
        return self.registry.put_manifest(self.name, json.dumps(index).encode(), tag)

    def _manifest(self, config: dict[str, Any], layer: bytes) -> Descriptor:
        text = json.dumps(config).encode()
        described = Descriptor.of(text, PLUGIN)
        title = {"org.opencontainers.image.title": "tiny.tar.gz"}
        packed = Descriptor.of(layer, LAYER, annotations=title)
        self.registry.put_blob(self.name, described, text)
        self.registry.put_blob(self.name, packed, layer)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described.to_json(),
            "layers": [packed.to_json()],
        }
        return self.registry.put_manifest(self.name, json.dumps(manifest).encode())

    def _layer(self, library: Path) -> bytes:
        if library not in self.layers:
            stream = io.BytesIO()
            with (
                gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1, mtime=0) as packed,
                tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
            ):
                member = tarfile.TarInfo("libtiny.so")
                member.size, member.mode = library.stat().st_size, 0o755
                with library.open("rb") as contents:
                    archive.addfile(member, contents)
            self.layers[library] = stream.getvalue()
        return self.layers[library]

    def part(self, root: Descriptor) -> Descriptor:
        """The first manifest of an index."""
        document = self.document(root.digest)
        return Descriptor.from_json(document["manifests"][0], "index")

    def document(self, reference: str) -> dict[str, Any]:
        return json.loads(self.registry.get_manifest(self.name, reference)[1])

    def stored(self, digest: str) -> Path:
        """The file in which docker-registry keeps a blob or a manifest."""
        hexadecimal = digest.removeprefix("sha256:")
        blobs = self.storage / "docker" / "registry" / "v2" / "blobs" / "sha256"
        return blobs / hexadecimal[:2] / hexadecimal / "data"


def flip(path: Path, offset: int) -> None:
    """Changes one bit of a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def repacked(
    library: Path, output: Path, change: Callable[[dict[str, bytes]], None], **facts: Any
) -> Path:
    """A plugin with other contents, and a payload hash and size that fit them."""
    built = image.read_image(library)
    with zipfile.ZipFile(library) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    change(contents)
    root = output.parent / f"{output.name}.tree"
    for name, data in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    packed = payload.write(Contents(root), root.with_suffix(".zip"))
    filled = dataclasses.replace(
        built,
        facts=dataclasses.replace(built.facts, **facts),
        payload_size=packed.size,
        payload_sha256=packed.sha256,
    )
    with library.open("rb") as stream:
        place = image.place_of(stream, library)
        stream.seek(0)
        loader = bytearray(stream.read(built.payload_offset))
    loader[place : place + image.IMAGE.size] = image.pack(filled)
    output.write_bytes(bytes(loader) + root.with_suffix(".zip").read_bytes())
    return output
