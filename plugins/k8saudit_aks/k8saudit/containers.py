"""The fields that exist once for each kind of container a pod has."""

from __future__ import annotations

from typing import Any

from .adapters import ListRule, listed, walked
from .rules import Keys, effective_ids, joined, ports, repositories

__all__ = ["CONTAINER_FIELDS", "container_field", "container_fields"]

_KINDS = {
    "containers": "container",
    "initContainers": "init container",
    "ephemeralContainers": "ephemeral container",
}

# In the order in which init and ephemeral containers declare them: rule (None: the values
# under the keys as they are), keys below the container, description.
_SHAPES: dict[str, tuple[ListRule | None, Keys, str]] = {
    "name": (None, ("name",), "Name of each {kind}"),
    "image": (None, ("image",), "Image of each {kind}"),
    "image.repository": (
        repositories,
        ("image",),
        "Image of each {kind} without tag and digest, registry and its port included",
    ),
    "command": (joined, ("command",), "Command of each {kind}, joined by spaces"),
    "args": (joined, ("args",), "Arguments of each {kind}, joined by spaces"),
    "privileged": (
        None,
        ("securityContext", "privileged"),
        "The privileged flag of each {kind} that sets it",
    ),
    "allow_privilege_escalation": (
        None,
        ("securityContext", "allowPrivilegeEscalation"),
        "The allowPrivilegeEscalation flag of each {kind} that sets it",
    ),
    "read_only_fs": (
        None,
        ("securityContext", "readOnlyRootFilesystem"),
        "The readOnlyRootFilesystem flag of each {kind} that sets it",
    ),
    "run_as_user": (
        None,
        ("securityContext", "runAsUser"),
        "The user id of each {kind} that sets one",
    ),
    "eff_run_as_user": (
        effective_ids,
        (
            "securityContext",
            "runAsUser",
        ),
        "The user id each {kind} runs with: its own, else the pod's, else 0",
    ),
    "run_as_group": (
        None,
        ("securityContext", "runAsGroup"),
        "The group id of each {kind} that sets one",
    ),
    "eff_run_as_group": (
        effective_ids,
        (
            "securityContext",
            "runAsGroup",
        ),
        "The group id each {kind} runs with: its own, else the pod's, else 0",
    ),
    "proc_mount": (
        None,
        ("securityContext", "procMount"),
        "The procMount of each {kind} that sets it",
    ),
    "add_capabilities": (
        None,
        ("securityContext", "capabilities", "add"),
        "The capabilities added to each {kind}, as one JSON array each",
    ),
    "host_port": (
        ports,
        ("ports",),
        "The host port, or else container port, of every port of every {kind}",
    ),
}
#: The names of the fields each kind of container has, without their common prefix.
CONTAINER_FIELDS = tuple(_SHAPES)


def container_field(containers: str, field: str) -> Any:
    """Declare one field about one kind of container.

    Args:
        containers: ``containers``, ``initContainers`` or ``ephemeralContainers``.
        field: One of :data:`CONTAINER_FIELDS`.
    """
    rule, keys, desc = _SHAPES[field]
    name = f"ka.req.pod.{containers}.{field}"
    path = ("requestObject", "spec", containers, *keys)
    text = desc.format(kind=_KINDS[containers])
    return listed(name, rule, *path, desc=text) if rule else walked(name, *path, desc=text)


def container_fields(containers: str, *, without: frozenset[str] = frozenset()) -> list[Any]:
    """Declare all fields about one kind of container, but for those in ``without``."""
    return [
        container_field(containers, field) for field in CONTAINER_FIELDS if field not in without
    ]
