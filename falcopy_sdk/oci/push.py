"""Publishes a layout under tags, so that nothing half-published ever has one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

import semver

from falcopy_sdk.exceptions import (
    CredentialsError,
    IntegrityError,
    PackageError,
    ReferenceFormatError,
    RegistryRefusedError,
    VersionTakenError,
)
from falcopy_sdk.oci.config import Config, check_version
from falcopy_sdk.oci.descriptor import INDEX, MANIFEST, Descriptor
from falcopy_sdk.oci.layout import REF_NAME
from falcopy_sdk.oci.pull import find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager

    from falcopy_sdk.oci.layout import Layout
    from falcopy_sdk.oci.reference import Reference
    from falcopy_sdk.oci.registry import Registry

__all__ = ["PushProgress", "PushResult", "artifact_of", "push", "tags_for"]


#: ``X`` and ``X.Y``, which move along with releases.
_SERIES: Final = re.compile(r"\d+(\.\d+)?")


class PushProgress(Protocol):
    """Told how far a push is."""

    def start(self, total: int) -> None:
        """Bytes of all blobs together."""

    def blob(self, digest: str, done: int) -> None:
        """Bytes of one blob that the registry has; may step back."""


@dataclass(frozen=True, slots=True)
class PushResult:
    """What a push did, or would do.

    Attributes:
        reference: Registry and repository at the root's digest.
        config: The artifact's.
        tags: That point to it now, in the order in which they were set.
        kept: Floating tags that were left on a newer version, with that version.
        sent: Digests of blobs and manifests that were sent.
        present: Those that were there already.
        sent_bytes: Of what was sent.
        notes: What the user should know, whole sentences without a full stop.
    """

    reference: Reference
    config: Config
    tags: tuple[str, ...]
    kept: tuple[tuple[str, str], ...]
    sent: tuple[str, ...]
    present: tuple[str, ...]
    sent_bytes: int
    notes: tuple[str, ...] = ()


def artifact_of(layout: Layout) -> tuple[Descriptor, Config]:
    """The artifact in a layout: what its tag is to point to, and its config.

    Raises:
        PackageError: there is none, or more than one.
        IntegrityError: it is damaged.
    """
    roots = {
        e.digest: e
        for e in layout.entries()
        if not e.annotations.get(REF_NAME, "").startswith("sha256-") and not layout.subject(e)
    }
    if len(roots) != 1:
        raise PackageError(
            f"{layout.path}: holds {len(roots)} artifacts; a layout to push holds one"
        )
    root = next(iter(roots.values()))
    where = f"{layout.path}: {root.digest}"
    manifest = root
    if root.media_type == INDEX:
        manifests = layout.children(root)
        if not manifests:
            raise IntegrityError(f"{where}: an index without manifests; pack or pull it again")
        manifest = manifests[0]
    if manifest.media_type != MANIFEST:
        raise IntegrityError(
            f"{where}: {manifest.media_type} where an artifact of Falco has an OCI manifest"
        )
    config = layout.children(manifest)[0]
    return root, Config.decode(layout.read(config), f"{layout.path}: {config.digest}")


def tags_for(version: str, present: Iterable[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """The tags of a version, as falcoctl's users expect them.

    A release gets ``X.Y.Z``, ``X.Y``, ``X`` and ``latest``, a pre-release its version alone. A
    floating tag does not go back: one that a newer release has is left there.

    Args:
        version: Of the artifact.
        present: Tags that the repository has.

    Returns:
        The tags to set, the full version first; floating tags to leave, with the newer version.
    """
    own = check_version(version)
    if own.prerelease:
        return [version], []
    releases = [
        read
        for tag in present
        if semver.Version.is_valid(tag)
        and not (read := semver.Version.parse(tag)).prerelease
        and not read.build
    ]
    tags, kept = [version], []
    for tag, same in (
        (f"{own.major}.{own.minor}", lambda v: (v.major, v.minor) == (own.major, own.minor)),
        (f"{own.major}", lambda v: v.major == own.major),
        ("latest", lambda _: True),
    ):
        newest = max((v for v in releases if same(v)), default=own)
        if newest > own:
            kept.append((tag, str(newest)))
        else:
            tags.append(tag)
    return tags, kept


def push(
    layout: Layout,
    reference: Reference,
    registry: Registry,
    *,
    tags: Sequence[str] = (),
    floating: bool = True,
    force: bool = False,
    dry_run: bool = False,
    mount_from: Sequence[str] = (),
    progress: PushProgress | None = None,
) -> PushResult:
    """Publish the artifact of a layout, with the signatures and SBOMs that are in it.

    Blobs go first, then manifests by their digests, tags last: one that is cut off changes no
    tag, and is gone on with by running it again.

    Args:
        layout: With one artifact.
        reference: Where to; a tag in it is set as well.
        registry: Of ``reference.registry``.
        tags: More tags to set.
        floating: Also set ``X.Y``, ``X`` and ``latest``; see :func:`tags_for`.
        force: Publish also if the version is there with other contents.
        dry_run: Only look what is there.
        mount_from: Repositories of the registry that may have the same blobs.
        progress: Told how far it is.

    Raises:
        ReferenceFormatError: the reference names a digest.
        PackageError: a tag is that of another version; nothing was sent.
        VersionTakenError: the version is published with other contents.
        IntegrityError: the layout is damaged; nothing was sent.
        RegistryError: see the message; no tag was changed.
    """
    if reference.digest:
        raise ReferenceFormatError(
            f"{reference}: a push sets tags, and the digest is that of the layout; write "
            f"{reference.name} or {reference.name}:TAG"
        )
    layout.verify()
    root, config = artifact_of(layout)
    repository = reference.repository
    present, notes = _present(registry, reference, config.version) if floating else ([], ())
    own, kept = tags_for(config.version, present)
    more = [tag for tag in (reference.tag, *tags) if tag]
    for tag in more:
        _check_tag(tag, config.version)
    wanted = list(dict.fromkeys([*(own if floating else own[:1]), *more]))
    if not force:
        _check_free(registry, reference, config, root)
    job = _Job(layout, registry, repository, tuple(mount_from), dry_run, progress)
    entries = layout.entries()
    job.run([e for e in entries if e.digest == root.digest], [e for e in entries if e != root])
    for entry in entries:
        name = entry.annotations.get(REF_NAME, "")
        # What cosign and the referrers' tag schema call them; no layout sets other tags.
        if entry.digest != root.digest and name.startswith("sha256-"):
            job.tag(entry, name)
    for tag in wanted:
        job.tag(root, tag)
    return PushResult(
        reference.with_digest(root.digest),
        config,
        tuple(wanted),
        tuple(pair for pair in kept if pair[0] not in wanted) if floating else (),
        tuple(job.sent),
        tuple(job.present),
        job.sent_bytes,
        notes,
    )


def _present(
    registry: Registry, reference: Reference, version: str
) -> tuple[list[str], tuple[str, ...]]:
    """The versions that a floating tag of this one might have to stay on, and notes."""
    floating = tags_for(version, ())[0][1:]
    if not floating:
        return [], ()
    try:
        return registry.tags(reference.repository), ()
    except (CredentialsError, RegistryRefusedError) as error:
        # Some accounts may push and not list; what a floating tag has says its own version.
        found = [_version_at(registry, reference.with_tag(tag)) for tag in floating]
        note = (
            f"tags cannot be listed ({error}); which versions are newer was read from what "
            f"{', '.join(floating)} have now"
        )
        return [version for version in found if version], (note,)


def _version_at(registry: Registry, reference: Reference) -> str | None:
    if registry.head_manifest(reference.repository, reference.target) is None:
        return None
    try:
        return find(registry, reference).config.version
    except IntegrityError:  # no artifact of Falco: as a tag that is no version
        return None


def _check_tag(tag: str, version: str) -> None:
    own = tags_for(version, ())[0]
    if tag not in own and (semver.Version.is_valid(tag) or _SERIES.fullmatch(tag)):
        raise PackageError(
            f"{tag} is the tag of another version, and this is {version}: falcoctl would install "
            f"it for {tag}. Drop the tag; {', '.join(own)} are set without being named"
        )


def _check_free(registry: Registry, reference: Reference, config: Config, root: Descriptor) -> None:
    # Asked for by itself: lists of tags are cached, cut short or forbidden at some registries.
    known = registry.head_manifest(reference.repository, config.version)
    if known is not None and known.digest != root.digest:
        raise VersionTakenError(
            f"{reference.name}:{config.version} is published with digest {known.digest}, and this "
            f"is {root.digest}: publish under a new version, or replace it with --force"
        )


class _Job:
    def __init__(
        self,
        layout: Layout,
        registry: Registry,
        repository: str,
        mount_from: tuple[str, ...],
        dry_run: bool,
        progress: PushProgress | None,
    ) -> None:
        self._layout = layout
        self._registry = registry
        self._repository = repository
        self._mount_from = mount_from
        self._dry_run = dry_run
        self._progress = progress
        self.sent: list[str] = []
        self.present: list[str] = []
        self.sent_bytes = 0

    def run(self, roots: list[Descriptor], others: list[Descriptor]) -> None:
        """Sends everything but tags; what others are about goes before them."""
        parts: dict[str, Descriptor] = {}
        for entry in (*roots, *others):
            parts |= {part.digest: part for part in self._layout.walk(entry)}
        if self._progress is not None:
            self._progress.start(sum(part.size for part in parts.values()))
        documents = [p for p in parts.values() if p.media_type in (MANIFEST, INDEX)]
        for part in parts.values():
            if part not in documents:
                self._count(part, self._blob(part))
        for part in documents:
            self._count(part, self._manifest(part))

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        if not self._dry_run:
            self._registry.put_manifest(self._repository, self._layout.read(descriptor), tag)

    def _count(self, part: Descriptor, sent: bool) -> None:
        (self.sent if sent else self.present).append(part.digest)
        self.sent_bytes += part.size if sent else 0
        if self._progress is not None:
            self._progress.blob(part.digest, part.size)

    def _blob(self, part: Descriptor) -> bool:
        if self._dry_run:
            return not self._registry.blob_exists(self._repository, part.digest)
        told: Callable[[int, int], None] | None = None
        if self._progress is not None:
            progress = self._progress

            def told(done: int, _all: int) -> None:
                progress.blob(part.digest, done)

        def contents() -> AbstractContextManager[BinaryIO]:
            return self._layout.open_blob(part)

        return self._registry.put_blob(
            self._repository, part, contents, progress=told, mount_from=self._mount_from
        )

    def _manifest(self, part: Descriptor) -> bool:
        if self._registry.head_manifest(self._repository, part.digest) is not None and (
            self._is_listed(part)
        ):
            return False
        if not self._dry_run:
            self._registry.put_manifest(self._repository, self._layout.read(part))
        return True

    def _is_listed(self, part: Descriptor) -> bool:
        """False for what is about another manifest, and an earlier run did not get to list."""
        subject = self._layout.subject(part)
        return subject is None or any(
            known.digest == part.digest
            for known in self._registry.referrers(self._repository, subject)
        )
