"""Referrers where a registry has no API for them (distribution-spec, "Referrers Tag Schema")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from falcopy_sdk.exceptions import NotInRegistryError
from falcopy_sdk.oci.descriptor import INDEX, Descriptor, canonical_json, parse_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from falcopy_sdk.oci.registry import Registry

__all__ = ["add_to_tag", "of_tag"]


def of_tag(registry: Registry, repository: str, digest: str) -> dict[str, Any]:
    """The index under the tag ``sha256-<hex>``; an empty one if there is none."""
    tag = digest.replace(":", "-")
    if registry.head_manifest(repository, tag) is None:
        return {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
    try:
        return parse_document(registry.get_manifest(repository, tag)[1], f"{repository}:{tag}")
    except NotInRegistryError:  # removed between the two calls
        return {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}


def add_to_tag(
    registry: Registry,
    repository: str,
    subject: str,
    manifest: Mapping[str, Any],
    descriptor: Descriptor,
) -> None:
    """Lists a manifest in the index of its subject."""
    config = manifest.get("config") or {}
    entry = Descriptor(
        descriptor.media_type,
        descriptor.digest,
        descriptor.size,
        manifest.get("annotations") or {},
        None,
        manifest.get("artifactType") or config.get("mediaType"),
    )
    index = of_tag(registry, repository, subject)
    entries = index.get("manifests") or []
    if any(known.get("digest") == entry.digest for known in entries):
        return
    index["manifests"] = [*entries, entry.to_json()]
    registry.put_manifest(repository, canonical_json(index), subject.replace(":", "-"))
