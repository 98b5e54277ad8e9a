"""References as falcoctl takes them: ``host[:port]/repository[:tag|@digest]``."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from typing import Final

from falcopy_sdk.exceptions import ReferenceFormatError

__all__ = ["DEFAULT_TAG", "Reference", "check_repository", "check_tag", "is_loopback"]

DEFAULT_TAG: Final = "latest"

_HOST: Final = re.compile(r"(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?")
# distribution-spec, "Pulling manifests": <name> and <reference>.
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Reference:
    """Where an artifact is, or is to be.

    Attributes:
        registry: Host, with the port if there is one.
        repository: Path without tag.
        tag: None if none is given.
        digest: ``sha256:<hex>``; None if none is given.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a reference.

        Args:
            text: ``ghcr.io/acme/plugins/plugin/acme:0.1.0``; without a scheme.

        Raises:
            ReferenceFormatError: it names no registry, or a part is malformed.
        """
        rest = text.removeprefix("oci://")
        if "://" in rest:
            raise ReferenceFormatError(
                f'"{text}": a reference has no scheme; write {rest.partition("://")[2]} '
                "(and --plain-http for a registry without TLS)"
            )
        registry, slash, rest = rest.partition("/")
        if not slash or not _is_registry(registry):
            raise ReferenceFormatError(
                f'"{text}": names no registry; write HOST/REPOSITORY[:TAG], such as '
                f"ghcr.io/acme/plugins/plugin/{text.rpartition('/')[2] or 'acme'}"
            )
        rest, _, digest = rest.partition("@")
        if digest and not _DIGEST.fullmatch(digest):
            raise ReferenceFormatError(
                f'"{text}": {digest!r} is not a digest (sha256: and 64 small hex digits)'
            )
        repository, colon, tag = rest.partition(":")
        if colon:
            check_tag(tag, text)
        check_repository(repository, text)
        return cls(registry, repository, tag or None, digest or None)

    @property
    def name(self) -> str:
        """Registry and repository."""
        return f"{self.registry}/{self.repository}"

    @property
    def target(self) -> str:
        """What to ask the registry for: the digest, else the tag, else ``latest``."""
        return self.digest or self.tag or DEFAULT_TAG

    def with_tag(self, tag: str) -> Reference:
        """Return the same repository under a tag."""
        return replace(self, tag=tag, digest=None)

    def with_digest(self, digest: str) -> Reference:
        """Return the same repository at a digest."""
        return replace(self, tag=None, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}" + (f"@{self.digest}" if self.digest else "")


def check_tag(tag: str, where: str) -> None:
    """Check a tag.

    Raises:
        ReferenceFormatError: registries would refuse it.
    """
    if not _TAG.fullmatch(tag):
        hint = "; build metadata (+...) cannot be part of a tag" if "+" in tag else ""
        raise ReferenceFormatError(
            f'"{where}": {tag!r} is not a tag: at most 128 of A-Z a-z 0-9 _ . -, and the first '
            f"neither . nor -{hint}"
        )


def check_repository(repository: str, where: str) -> None:
    """Check the path of a repository.

    Raises:
        ReferenceFormatError: registries would refuse it.
    """
    if not _REPOSITORY.fullmatch(repository) or len(repository) > 255:
        hint = "; use small letters" if repository != repository.lower() else ""
        raise ReferenceFormatError(
            f'"{where}": {repository!r} is not a repository: parts of a-z and 0-9, joined by '
            f"single . _ - and /{hint}"
        )


def is_loopback(registry: str) -> bool:
    """Whether a registry is on this machine, where plain HTTP is as good as TLS."""
    host = registry.rpartition(":")[0] if re.search(r":\d+$", registry) else registry
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_registry(text: str) -> bool:
    # As Docker does: a first part without dot or port is a path, unless it is localhost.
    port = text.rpartition(":")[2]
    if not _HOST.fullmatch(text) or (port.isdecimal() and ":" in text and int(port) > 65535):
        return False
    return "." in text or ":" in text or text == "localhost" or text.startswith("[")
