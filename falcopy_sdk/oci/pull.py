"""Fetches artifacts: into a layout, or unpacked as falcoctl would install them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from falcopy_sdk.exceptions import IntegrityError, NotInRegistryError
from falcopy_sdk.oci.artifact import TITLE, config_type, layer_type
from falcopy_sdk.oci.config import Config
from falcopy_sdk.oci.descriptor import (
    DEEPEST,
    INDEX,
    MANIFEST,
    Descriptor,
    Platform,
    parse_document,
)
from falcopy_sdk.oci.layer import unpack_layer
from falcopy_sdk.oci.layout import Layout
from falcopy_sdk.oci.layout_folder import replaced

if TYPE_CHECKING:
    from collections.abc import Callable

    from falcopy_sdk.oci.reference import Reference
    from falcopy_sdk.oci.registry import Registry

__all__ = ["Found", "copy_to_layout", "find", "pull"]

#: Ends of the tags by which cosign keeps signatures, attestations and bills of materials.
_COSIGN = ("sig", "att", "sbom")
#: The spellings that people use, and falcoctl's help shows, for Go's names.
_GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Found:
    """An artifact in a registry.

    Attributes:
        reference: At the digest of its root.
        kind: ``"plugin"`` or ``"rulesfile"`` (or falcoctl's ``"asset"``).
        root: The index or manifest that the tag points to.
        manifest: That of the platform.
        config: Name, version and needs.
        layer: What is unpacked.
        annotations: Of the manifest.
        platforms: That there are; none for rules.
    """

    reference: Reference
    kind: str
    root: Descriptor
    manifest: Descriptor
    config: Config
    layer: Descriptor
    annotations: dict[str, str]
    platforms: tuple[Platform, ...]


def find(registry: Registry, reference: Reference, platform: Platform | None = None) -> Found:
    """Look an artifact up, as ``falcoctl artifact install`` does.

    Args:
        registry: Of ``reference.registry``.
        reference: Tag or digest; default ``latest``.
        platform: Of a plugin; None: the first that there is.

    Raises:
        NotInRegistryError: no such tag, or not for that platform.
        IntegrityError: it is no Falco artifact, or falcoctl could not read it.
    """
    where = str(reference)
    root, data = registry.get_manifest(reference.repository, reference.target)
    manifest = root
    platforms: tuple[Platform, ...] = ()
    if root.media_type == INDEX:
        manifest, platforms = _select(data, platform, where)
        _, data = registry.get_manifest(reference.repository, manifest.digest)
    elif root.media_type != MANIFEST:
        raise IntegrityError(f"{where}: {root.media_type}, no OCI artifact")
    document = parse_document(data, where)
    layers = document.get("layers")
    if not isinstance(layers, list) or not layers:
        raise IntegrityError(f"{where}: its manifest has no layer")
    layer = Descriptor.from_json(layers[0], where)
    described = Descriptor.from_json(document.get("config"), where)
    kinds = [
        kind
        for kind in ("plugin", "rulesfile", "asset")
        if (layer.media_type, described.media_type) == (layer_type(kind), config_type(kind))
    ]
    if not kinds:
        raise IntegrityError(
            f"{where}: no Falco artifact (its layer is {layer.media_type or 'of no type'})"
        )
    config = Config.decode(registry.get_blob(reference.repository, described), where)
    annotations = {str(k): str(v) for k, v in (document.get("annotations") or {}).items()}
    return Found(
        reference.with_digest(root.digest),
        kinds[0],
        root,
        manifest,
        config,
        layer,
        annotations,
        platforms,
    )


def pull(
    registry: Registry,
    reference: Reference,
    folder: Path,
    *,
    platform: Platform | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Found, list[Path]]:
    """Fetch an artifact and unpack it, all checked before the first file is written.

    Args:
        registry: Of ``reference.registry``.
        reference: Tag or digest; default ``latest``.
        folder: Where the files go; a file that is there is replaced, never written into.
        platform: Of a plugin; None: the first that there is.
        progress: Told the bytes that are here, of how many.

    Raises:
        IntegrityError: something has another digest or size, or falcoctl would refuse it.
        StorageError: it cannot be written.
    """
    found = find(registry, reference, platform)
    title = found.layer.annotations.get(TITLE, "")
    if not title or "/" in title:
        raise IntegrityError(f"{reference}: its layer has no file name; falcoctl cannot install it")
    with tempfile.TemporaryDirectory(prefix="falcopy-pull-") as scratch:
        packed = Path(scratch, "layer")
        registry.download_blob(reference.repository, found.layer, packed, progress)
        with packed.open("rb") as stream:
            return found, unpack_layer(stream, folder, str(found.reference))


def copy_to_layout(registry: Registry, reference: Reference, path: Path) -> Layout:
    """Fetch an artifact whole: every platform, its signatures and SBOMs.

    Args:
        registry: Of ``reference.registry``.
        reference: Tag or digest; default ``latest``.
        path: The folder of the layout; a layout that is there is replaced once all is fetched.

    Raises:
        PackageError: ``path`` is something else than a layout.
        IntegrityError: something has another digest or size.
        StorageError: it cannot be written.
    """
    with replaced(path) as beside:
        root, _ = registry.get_manifest(reference.repository, reference.target)
        layout = Layout.create(beside)
        _copy(registry, reference.repository, root, layout)
        manifests = layout.children(root) if root.media_type == INDEX else ()
        for subject in (root, *manifests):
            _copy_beside(registry, reference.repository, subject.digest, layout)
        tag = reference.tag or ("latest" if not reference.digest else None)
        layout.list_manifest(root, tag=tag)
    return Layout.open(path)


def _copy_beside(
    registry: Registry, repository: str, digest: str, layout: Layout, depth: int = 0
) -> None:
    """What is about a manifest: referrers, what cosign keeps under tags, and about those again."""
    _check_depth(repository, digest, depth)
    listed: list[tuple[Descriptor, str | None]] = [
        (referrer, None) for referrer in registry.referrers(repository, digest)
    ]
    for suffix in _COSIGN:
        name = f"{digest.replace(':', '-')}.{suffix}"
        if (there := registry.head_manifest(repository, name)) is not None:
            listed.append((there, name))
    for descriptor, tag in listed:
        known = layout.has(descriptor.digest)
        _copy(registry, repository, descriptor, layout)
        layout.list_manifest(
            Descriptor(descriptor.media_type, descriptor.digest, descriptor.size), tag=tag
        )
        if not known:
            _copy_beside(registry, repository, descriptor.digest, layout, depth + 1)


def _check_depth(repository: str, digest: str, depth: int) -> None:
    if depth > DEEPEST:
        raise IntegrityError(
            f"{repository}@{digest}: the {depth}th manifest in, or about, the one before; no "
            "artifact is that deep"
        )


def _copy(
    registry: Registry, repository: str, descriptor: Descriptor, layout: Layout, depth: int = 0
) -> None:
    if layout.has(descriptor.digest):
        return
    _check_depth(repository, descriptor.digest, depth)
    if descriptor.media_type in (INDEX, MANIFEST):
        data = registry.get_manifest(repository, descriptor.digest)[1]
        layout.add_blob(data, descriptor.media_type)
        for part in layout.children(descriptor):
            _copy(registry, repository, part, layout, depth + 1)
        return
    with tempfile.TemporaryDirectory(dir=layout.path, prefix=".") as scratch:
        path = Path(scratch, "blob")
        registry.download_blob(repository, descriptor, path)
        layout.add_blob(path, descriptor.media_type)


def _select(
    data: bytes, platform: Platform | None, where: str
) -> tuple[Descriptor, tuple[Platform, ...]]:
    entries = [
        Descriptor.from_json(item, where)
        for item in parse_document(data, where).get("manifests") or ()
    ]
    if not entries or any(entry.platform is None for entry in entries):
        raise IntegrityError(
            f"{where}: an entry of its index names no platform; falcoctl would crash on it"
        )
    platforms = tuple(entry.platform for entry in entries if entry.platform is not None)
    if platform is None:
        return entries[0], platforms
    for entry in entries:
        if entry.platform == platform:
            return entry, platforms
    near = Platform(platform.os, _GO_NAMES.get(platform.architecture, ""))
    hint = f"; {platform.architecture} is {near} here" if near in platforms else ""
    raise NotInRegistryError(
        f"{where}: unable to find a manifest matching the given platform {platform}: there are "
        f"{', '.join(map(str, platforms))}{hint}"
    )
