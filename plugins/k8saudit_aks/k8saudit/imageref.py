"""Container image references.

The grammar is the one of the distribution project
(https://pkg.go.dev/github.com/distribution/reference)::

    reference := name [ ":" tag ] [ "@" digest ]
    name      := [ domain "/" ] path
    domain    := host [ ":" port ]
"""

from __future__ import annotations

__all__ = ["repository"]


def repository(image: str) -> str:
    """The name part of an image reference, registry included, tag and digest left out.

    A tag holds neither ``/`` nor ``:``, so the tag starts at the first colon after the last
    slash; a colon before that slash belongs to the registry's port.

    Args:
        image: ``reg.example.com:5000/team/app:v1@sha256:...``. Text outside the grammar is cut
            by the same two marks.

    Returns:
        ``reg.example.com:5000/team/app``.
    """
    name = image.partition("@")[0]
    tag = name.find(":", name.rfind("/") + 1)
    return name if tag < 0 else name[:tag]
