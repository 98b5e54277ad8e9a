"""What the fields that are not plain paths read from a decoded audit event.

Each function takes the decoded event, an object, and returns the field's value or None for no
value. Names and behaviour follow the Go plugins of the falcosecurity/plugins repository
(``k8saudit``), since rules in use rely on them; FIELDS.md lists where these fields differ.
A list field without any entry has no value.
"""

from __future__ import annotations

from typing import Any

from .goquery import query_parameters
from .imageref import repository
from .values import HOLE, get, render, walk

__all__ = [
    "any_privileged",
    "effective_ids",
    "elements",
    "first_image",
    "first_repository",
    "flattened",
    "has_host_path",
    "joined",
    "pod_name",
    "ports",
    "repositories",
    "subjects",
    "uri_parameter",
    "volume_types",
    "walked",
    "whole_list",
]

Body = dict[str, Any]
Keys = tuple[str, ...]

_POD = ("requestObject", "spec")
_FIRST_IMAGE = (*_POD, "containers", "image")
_PRIVILEGED = (*_POD, "containers", "securityContext", "privileged")
_HOST_PATHS = (*_POD, "volumes", "hostPath", "path")


def whole_list(body: Body, keys: Keys) -> list[str] | None:
    """Every element of the array at ``keys``; anything but an array is no value."""
    array = get(body, *keys)
    if type(array) is not list:
        return None
    return [render(element) for element in array] or None


def walked(body: Body, keys: Keys, index: int | None) -> list[str] | None:
    """What :func:`~.values.walk` finds, holes left out: positions need not match containers."""
    found = walk(body, keys, index)
    if found is None:
        return None
    return [render(value) for value in found if value is not HOLE] or None


def repositories(body: Body, keys: Keys, index: int | None) -> list[str] | None:
    """The repository part of every image that :func:`walked` finds."""
    images = walked(body, keys, index)
    return None if images is None else [repository(image) for image in images]


def joined(body: Body, keys: Keys, index: int | None) -> list[str] | None:
    """Every argument vector found, its strings joined by spaces.

    One that is not an array of strings, null included, voids the whole field.
    """
    found = walk(body, keys, index)
    if found is None:
        return None
    texts = []
    for vector in found:
        if vector is HOLE:
            continue
        if type(vector) is not list or not all(type(text) is str for text in vector):
            return None
        texts.append(" ".join(vector))
    return texts or None


def ports(body: Body, keys: Keys, index: int | None) -> list[str] | None:
    """Host port, or else container port, of every port of every container, in one flat list.

    Ports that are not an array void the whole field; a port that is not an object adds nothing.
    """
    found = walk(body, keys, index)
    if found is None:
        return None
    numbers = []
    for array in found:
        if array is HOLE:
            continue
        if type(array) is not list:
            return None
        for port in array:
            number = get(port, "hostPort")
            if number is HOLE:
                number = get(port, "containerPort")
            if number is not HOLE:
                numbers.append(render(number))
    return numbers or None


def effective_ids(body: Body, keys: Keys, index: int | None) -> list[str] | None:
    """The user or group id that each container runs with.

    A container's own ``securityContext`` goes first, then the pod's, then 0, as in
    https://kubernetes.io/docs/tasks/configure-pod-container/security-context/.

    Args:
        body: The decoded event.
        keys: ``requestObject``, ``spec``, the container list, ``securityContext`` and the id.
        index: Of the only container to look at.
    """
    containers, own = keys[:3], keys[3:]
    listed = get(body, *containers)
    if listed is not HOLE and type(listed) is not list and type(listed) is not dict:
        return None
    found = walk(body, (*containers, ""), index)
    if found is None or (index is not None and type(found[0]) is list):
        return None
    of_pod = get(body, *_POD, *own)
    default = "0" if of_pod is HOLE else render(of_pod)
    ids = []
    for container in found:
        values = walk(container, own, index)
        if values is None:
            ids.append(default)
        else:
            ids += [default if value is HOLE else render(value) for value in values]
    return ids or None


def first_image(body: Body) -> str | None:
    """The image of the first container."""
    found = walk(body, _FIRST_IMAGE, 0)
    return None if found is None else render(found[0])


def first_repository(body: Body) -> str | None:
    """The repository part of the image of the first container."""
    image = first_image(body)
    return None if image is None else repository(image)


def any_privileged(body: Body) -> str | None:
    """``true`` if a container has the JSON literal true for privileged, else ``false``."""
    found = walk(body, _PRIVILEGED)
    if found is None:
        return None
    return "true" if any(value is True for value in found) else "false"


def has_host_path(body: Body, pattern: str) -> str | None:
    """``true`` if some volume mounts this host path, else ``false``.

    Args:
        body: The decoded event.
        pattern: A path, or the start of one and ``*``. An empty one is no question: no value.
    """
    found = walk(body, _HOST_PATHS) if pattern else None
    if found is None:
        return None
    paths = [render(path) for path in found if path is not HOLE]
    if pattern in paths:
        return "true"
    start = pattern[:-1]
    if pattern.endswith("*") and any(path.startswith(start) for path in paths):
        return "true"
    return "false"


def volume_types(body: Body, keys: Keys, index: int | None) -> list[str] | None:
    """Every member name but ``name`` of every volume, in document order, repeats kept."""
    found = walk(body, keys, index)
    if found is None or HOLE in found:
        return None
    return [
        key for volume in found if type(volume) is dict for key in volume if key != "name"
    ] or None


def flattened(body: Body, keys: Keys, index: int | None) -> list[str] | None:
    """The elements of all arrays found, in one flat list; what is no array adds nothing."""
    found = walk(body, keys, index)
    if found is None:
        return None
    return [render(element) for array in found if type(array) is list for element in array] or None


def elements(body: Body, keys: Keys, index: int | None) -> list[str] | None:
    """The elements of the one array at ``keys``, or the one element at the index."""
    found = whole_list(body, keys)
    if found is None or index is None:
        return found
    return [found[index]] if 0 <= index < len(found) else None


def subjects(body: Body, kind: str, *, with_namespace: bool = False) -> list[str] | None:
    """The names of a role binding's subjects of one kind.

    Args:
        body: The decoded event.
        kind: ``User``, ``Group`` or ``ServiceAccount``.
        with_namespace: Give ``namespace:name``, and leave out a subject without namespace.
    """
    array = get(body, "requestObject", "subjects")
    if type(array) is not list:
        return None
    names = []
    for subject in array:
        name = get(subject, "name")
        if name is HOLE or get(subject, "kind") != kind:
            continue
        if with_namespace:
            namespace = get(subject, "namespace")
            if namespace is not HOLE:
                names.append(f"{render(namespace)}:{render(name)}")
        else:
            names.append(render(name))
    return names or None


def pod_name(body: Body) -> str | None:
    """The name the API server gave a pod: only on pods, no subresource, with a response."""
    target = body.get("objectRef")
    if type(target) is not dict or target.get("resource") != "pods":
        return None
    subresource = target.get("subresource")
    if type(subresource) is str and subresource:
        return None
    name = get(body, "responseObject", "metadata", "name")
    return None if name is HOLE else render(name)


def uri_parameter(body: Body, name: str) -> str | None:
    """The first value of a parameter of the request URI; one bad pair voids them all."""
    uri = body.get("requestURI", HOLE)
    if uri is HOLE:
        return None
    text = render(uri)
    parameters = query_parameters(text) if "?" in text else None
    return None if parameters is None else parameters.get(name)
