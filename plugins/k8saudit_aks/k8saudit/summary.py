"""``ka.req``: an audit event in one line."""

from __future__ import annotations

from typing import Any

from .rules import whole_list
from .values import HOLE, get, render

__all__ = ["request_summary"]

#: What Falco prints for a field without a value.
_NOT_AVAILABLE = "<NA>"


def request_summary(body: dict[str, Any]) -> str:
    """Who asked for what, in one line.

    ``verb=create, user=aksService, groups=(system:masters,system:authenticated),
    target=shop/pods/web``. The parts read as ``ka.verb``, ``ka.user.name``, ``ka.user.groups``
    and ``ka.target.*`` do, with ``<NA>`` where the field has no value. The target is
    ``namespace/resource/name``, or ``resource/name`` where there is no namespace; a request
    without a name, such as a list, has ``<NA>`` for it, and one without a resource, such as
    ``/healthz``, has ``<NA>`` for the target.
    """
    groups = whole_list(body, ("user", "groups"))
    shown = _NOT_AVAILABLE if groups is None else f"({','.join(groups)})"
    return (
        f"verb={_text(body, 'verb')}, user={_text(body, 'user', 'username')}, "
        f"groups={shown}, target={_target(body)}"
    )


def _target(body: dict[str, Any]) -> str:
    resource = get(body, "objectRef", "resource")
    if resource is HOLE or resource == "":
        return _NOT_AVAILABLE
    target = f"{render(resource)}/{_text(body, 'objectRef', 'name')}"
    namespace = get(body, "objectRef", "namespace")
    if namespace is HOLE or namespace == "":
        return target
    return f"{render(namespace)}/{target}"


def _text(body: dict[str, Any], *keys: str) -> str:
    value = get(body, *keys)
    return _NOT_AVAILABLE if value is HOLE else render(value)
