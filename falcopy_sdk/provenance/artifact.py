"""An artifact of a registry, fetched part by part to be signed or checked."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from falcopy_sdk.exceptions import IntegrityError, NotInRegistryError
from falcopy_sdk.oci.descriptor import INDEX, MANIFEST, Descriptor, parse_document
from falcopy_sdk.oci.layer import unpack_layer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from falcopy_sdk.oci import Reference, Registry

__all__ = ["PLUGIN_CONFIG", "Artifact", "Part", "fetch", "plugin_in"]

#: Manifests of an index: there are not so many platforms.
_PARTS: Final = 64
#: falcoctl, pkg/oci/constants.go.
PLUGIN_CONFIG: Final = "application/vnd.cncf.falco.plugin.config.v1+json"


@dataclass(frozen=True, slots=True)
class Part:
    """One manifest: of a plugin for one platform, or of rules.

    Attributes:
        descriptor: Of the manifest, with the platform from the index.
        config: Descriptor of the config, and the config read.
        layer: Of the one layer.
    """

    descriptor: Descriptor
    config: Descriptor
    settings: dict[str, Any]
    layer: Descriptor

    @property
    def platform(self) -> str:
        """``"linux/amd64"``; empty for rules."""
        return str(self.descriptor.platform or "")

    @property
    def is_plugin(self) -> bool:
        """Whether the layer holds a shared library."""
        return self.config.media_type == PLUGIN_CONFIG


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a reference points to now."""

    reference: Reference
    root: Descriptor
    parts: tuple[Part, ...]


def fetch(registry: Registry, reference: Reference) -> Artifact:
    """Reads index, manifests and configs; every digest is checked on the way.

    Raises:
        RegistryError: something is missing or is not what its digest says.
    """
    root, data = registry.get_manifest(reference.repository, reference.target)
    where = f"{reference.name}@{root.digest}"
    if root.media_type == MANIFEST:
        return Artifact(reference, root, (_part(registry, reference, root, data),))
    if root.media_type != INDEX:
        raise IntegrityError(
            f"{reference}: neither an OCI index nor a manifest, but {root.media_type}; falcoctl "
            "installs OCI artifacts only"
        )
    entries = parse_document(data, where).get("manifests")
    if not isinstance(entries, list) or not entries:
        raise IntegrityError(f"{where}: an index without manifests")
    if len(entries) > _PARTS:
        raise IntegrityError(f"{where}: an index of {len(entries)} manifests")
    parts = []
    for entry in (Descriptor.from_json(item, where) for item in entries):
        with _named_by(where):
            found, manifest = registry.get_manifest(reference.repository, entry.digest)
        if found.size != entry.size:
            raise IntegrityError(f"{where}: the size of {entry.digest} is another than it says")
        described = replace(found, platform=entry.platform)
        parts.append(_part(registry, reference, described, manifest))
    return Artifact(reference, root, tuple(parts))


def _part(registry: Registry, reference: Reference, found: Descriptor, data: bytes) -> Part:
    where = f"{reference.name}@{found.digest}"
    manifest = parse_document(data, where)
    layers = manifest.get("layers")
    if not isinstance(layers, list) or len(layers) != 1:
        raise IntegrityError(f"{where}: not one layer, which every artifact of Falco has")
    config = Descriptor.from_json(manifest.get("config"), where)
    with _named_by(where):
        settings = parse_document(registry.get_blob(reference.repository, config), where)
    return Part(found, config, settings, Descriptor.from_json(layers[0], where))


@contextmanager
def _named_by(where: str) -> Iterator[None]:
    """A part that a document names and the registry lacks is the document's fault."""
    try:
        yield
    except NotInRegistryError as error:
        raise IntegrityError(f"{where} names what is not there: {error}") from error


@contextmanager
def plugin_in(
    registry: Registry, artifact: Artifact, part: Part, scratch: Path
) -> Iterator[Path | None]:
    """Fetches a layer and unpacks it; gives the shared library in it, None: there is none.

    Raises:
        IntegrityError: the layer has another digest or size, or falcoctl would not unpack it.
        StorageError: there is no room.
    """
    archive = scratch / "layer.tar.gz"
    with _named_by(f"{artifact.reference.name}@{part.descriptor.digest}"):
        registry.download_blob(artifact.reference.repository, part.layer, archive)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        with archive.open("rb") as stream:
            files = unpack_layer(stream, Path(folder), part.layer.digest)
        archive.unlink()
        libraries = [path for path in files if path.suffix == ".so"]
        yield libraries[0] if len(libraries) == 1 else None
