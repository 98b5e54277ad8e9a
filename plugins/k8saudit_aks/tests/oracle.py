"""The fields of audit events once more, in the words of their rules instead of for speed.

``expected(event, name, argument)`` is slow and says everything with exceptions; it shares nothing
with the package under test. Rule letters are those of declared_fields.json.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl

__all__ = ["expected"]

SETTINGS = {
    "privileged": ("privileged",),
    "allow_privilege_escalation": ("allowPrivilegeEscalation",),
    "read_only_fs": ("readOnlyRootFilesystem",),
    "run_as_user": ("runAsUser",),
    "run_as_group": ("runAsGroup",),
    "proc_mount": ("procMount",),
    "add_capabilities": ("capabilities", "add"),
}
ANNOTATIONS = {
    "ka.auth.decision": "authorization.k8s.io/decision",
    "ka.auth.reason": "authorization.k8s.io/reason",
    "ka.auth.openshift.decision": "authentication.openshift.io/decision",
    "ka.auth.openshift.username": "authentication.openshift.io/username",
    "ka.validations.admission.policy.failure": (
        "validation.policy.admission.k8s.io/validation_failure"
    ),
    "ka.security.pod.violations": "pod-security.kubernetes.io/audit-violations",
    "ka.cluster.name": "cluster_name",
}
PATHS = {
    "ka.auditid": "auditID",
    "ka.stage": "stage",
    "ka.user.name": "user username",
    "ka.user.groups": "user groups",
    "ka.impuser.name": "impersonatedUser username",
    "ka.verb": "verb",
    "ka.uri": "requestURI",
    "ka.target.name": "objectRef name",
    "ka.target.namespace": "objectRef namespace",
    "ka.target.resource": "objectRef resource",
    "ka.target.subresource": "objectRef subresource",
    "ka.req.binding.subjects": "requestObject subjects",
    "ka.req.binding.role": "requestObject roleRef name",
    "ka.req.configmap.name": "objectRef name",
    "ka.req.configmap.obj": "requestObject data",
    "ka.req.pod.host_ipc": "requestObject spec hostIPC",
    "ka.req.pod.host_network": "requestObject spec hostNetwork",
    "ka.req.container.host_network": "requestObject spec hostNetwork",
    "ka.req.pod.host_pid": "requestObject spec hostPID",
    "ka.req.pod.run_as_user": "requestObject spec securityContext runAsUser",
    "ka.req.pod.run_as_group": "requestObject spec securityContext runAsGroup",
    "ka.req.pod.fs_group": "requestObject spec securityContext fsGroup",
    "ka.req.pod.supplemental_groups": "requestObject spec securityContext supplementalGroups",
    "ka.req.role.rules": "requestObject rules",
    "ka.req.service.type": "requestObject spec type",
    "ka.resp.name": "responseObject metadata name",
    "ka.response.code": "responseStatus code",
    "ka.response.reason": "responseStatus reason",
    "ka.useragent": "userAgent",
}
WALKS = {
    "ka.req.service.ports": "requestObject spec ports",
    "ka.req.pod.volumes.hostpath": "requestObject spec volumes hostPath path",
    "ka.req.pod.volumes.flexvolume_driver": "requestObject spec volumes flexVolume driver",
}
SUBJECTS = {
    "user_names": "User",
    "serviceaccount_names": "ServiceAccount",
    "serviceaccount_ns_names": "ServiceAccount",
    "group_names": "Group",
}


AZURE = {
    "aks.resource_id": "resourceId",
    "aks.cluster_name": "clusterName",
    "aks.resource_group": "resourceGroup",
    "aks.subscription_id": "subscriptionId",
    "aks.category": "category",
    "aks.partition": "partition",
    "aks.offset": "offset",
    "aks.sequence_number": "sequenceNumber",
}


class NoValueError(Exception):
    """Absent, empty or an error: all the same to a host."""


def expected(event: Any, name: str, argument: str | int | None = None) -> Any:
    """The value of a field as a host sees it, None for no value."""
    value = _expected(event, name, argument)
    if isinstance(value, int):
        return value
    # A host's strings end at the first NUL.
    if isinstance(value, str):
        return value.partition("\0")[0]
    return [text.partition("\0")[0] for text in value] if value else None


def _expected(event: Any, name: str, argument: str | int | None = None) -> Any:
    try:
        get(event, "auditID")
        return _value(event, name, argument) if name != "ka.req" else _summary(event)
    except NoValueError:
        return None


def render(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def get(value: Any, *keys: str) -> Any:
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            raise NoValueError
        value = value[key]
    return value


def walk(value: Any, keys: list[str], index: int | None) -> list[Any]:
    """Values in one-element lists, holes as empty lists."""
    if not keys:
        return [[value]]
    if isinstance(value, list) and index is None:
        found = []
        for element in value:
            try:
                found += walk(element, keys, None)
            except NoValueError:
                found.append([])
        return found
    if isinstance(value, list):
        if index >= len(value):
            raise NoValueError
        value = value[index]
    if keys[0] == "*":  # the value itself
        return walk(value, keys[1:], index)
    return walk(get(value, keys[0]), keys[1:], index)


def _present(value: Any, path: str, index: int | None) -> list[Any]:
    return [found[0] for found in walk(value, path.split(), index) if found]


def _value(event: Any, name: str, argument: Any) -> Any:
    if name in AZURE:
        return _azure(event, name)
    if name in ANNOTATIONS:
        return render(get(event, "annotations", ANNOTATIONS[name]))
    if name in PATHS:
        value = get(event, *PATHS[name].split())
        if name in (
            "ka.user.groups",
            "ka.req.binding.subjects",
            "ka.req.role.rules",
            "ka.req.pod.supplemental_groups",
        ):
            return [render(element) for element in _array(value)]
        return render(value)
    if name in WALKS:
        return [render(value) for value in _present(event, WALKS[name], argument)]
    if name == "ka.sourceips":
        addresses = [render(address) for address in _array(get(event, "sourceIPs"))]
        return addresses if argument is None else addresses[argument : argument + 1]
    if match := re.fullmatch(r"ka\.req\.role\.rules\.(\w+)", name):
        arrays = _present(event, f"requestObject rules {match[1]}", argument)
        return [render(x) for array in arrays if isinstance(array, list) for x in array]
    if match := re.fullmatch(r"ka\.req\.binding\.subjects\.(\w+)", name):
        return _subjects(event, match[1])
    if match := re.fullmatch(r"ka\.req\.pod\.(\w+ontainers)\.(.+)", name):
        return _container(event, match[1], match[2], argument)
    return _other(event, name, argument)


def _azure(event: Any, name: str) -> str | int:
    """Unlike the fields of Kubernetes these take null for nothing; one is a number."""
    value = get(event, "azure", AZURE[name])
    if value is None:
        raise NoValueError
    if name != "aks.sequence_number":
        return render(value)
    if isinstance(value, bool) or not re.fullmatch("[0-9]+", render(value)):
        raise NoValueError
    return int(value)


def _parameter(uri: str, name: str) -> str:
    """The first value of a parameter; for URIs whose authority is plain."""
    rest, _, fragment = uri.partition("#")
    path, _, query = rest.partition("?")
    opaque = re.match("[A-Za-z][A-Za-z0-9+.-]*:(?!/)", path)
    relative = path.split("/")[0]
    authority = re.match("//([^/]*)", path)
    bad = (
        re.search("[\x00-\x1f\x7f]", rest),
        re.search("%(?![0-9a-fA-F]{2})", f"{'' if opaque else path} {query} {fragment}"),
        ";" in query,
        ":" in relative and not opaque,
        authority and not re.fullmatch("[a-z.]+(:[0-9]*)?", authority[1]),
    )
    pairs = [] if any(bad) else parse_qsl(query, keep_blank_values=True)
    values = [value for key, value in pairs if key == name]
    if not values:
        raise NoValueError
    return values[0]


def _array(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise NoValueError
    return value


def _subjects(event: Any, field: str) -> list[str]:
    names = []
    for subject in _array(get(event, "requestObject", "subjects")):
        try:
            if render(get(subject, "kind")) == SUBJECTS[field]:
                name = render(get(subject, "name"))
                if field == "serviceaccount_ns_names":
                    name = f"{render(get(subject, 'namespace'))}:{name}"
                names.append(name)
        except NoValueError:
            continue
    return names


def _container(event: Any, kind: str, field: str, index: int | None) -> list[str]:
    base = f"requestObject spec {kind}"
    if field in SETTINGS:
        path = " ".join(SETTINGS[field])
        return [render(value) for value in _present(event, f"{base} securityContext {path}", index)]
    if field in ("name", "image"):
        return [render(value) for value in _present(event, f"{base} {field}", index)]
    if field == "image.repository":
        return [_repository(render(value)) for value in _present(event, f"{base} image", index)]
    if field in ("command", "args"):
        vectors = [_array(value) for value in _present(event, f"{base} {field}", index)]
        if any(not isinstance(text, str) for vector in vectors for text in vector):
            raise NoValueError
        return [" ".join(vector) for vector in vectors]
    if field == "host_port":
        ports = [
            port for value in _present(event, f"{base} ports", index) for port in _array(value)
        ]
        chosen = [
            port["hostPort"] if "hostPort" in port else port["containerPort"]
            for port in ports
            if isinstance(port, dict) and ("hostPort" in port or "containerPort" in port)
        ]
        return [render(number) for number in chosen]
    member = {"eff_run_as_user": "runAsUser", "eff_run_as_group": "runAsGroup"}[field]
    return _effective(event, kind, member, index)


def _effective(event: Any, kind: str, member: str, index: int | None) -> list[str]:
    try:
        default = render(get(event, "requestObject", "spec", "securityContext", member))
    except NoValueError:
        default = "0"
    try:
        if not isinstance(get(event, "requestObject", "spec", kind), list | dict):
            raise TypeError
    except NoValueError:
        pass  # missing, or below an array
    except TypeError:
        raise NoValueError from None
    found = []
    for container in walk(event, ["requestObject", "spec", kind, "*"], index):
        if container and index is not None and isinstance(container[0], list):
            raise NoValueError
        try:
            if not container:
                raise NoValueError
            ids = walk(container[0], ["securityContext", member], index)
        except NoValueError:
            ids = [[]]
        found += [render(value[0]) if value else default for value in ids]
    return found


def _repository(image: str) -> str:
    match = re.match(r"((?:[^@]*/)?)([^:@/]*)", image.split("@")[0])
    assert match
    return match[1] + match[2]


def _other(event: Any, name: str, argument: Any) -> Any:
    if name in ("ka.req.container.image", "ka.req.container.image.repository"):
        [image] = _present(event, "requestObject spec containers image", 0)
        return _repository(render(image)) if name.endswith("repository") else render(image)
    if name == "ka.req.container.privileged":
        path = "requestObject spec containers securityContext privileged"
        return "true" if any(v is True for v in _present(event, path, None)) else "false"
    if name == "ka.req.pod.volumes.volume_type":
        volumes = walk(event, ["requestObject", "spec", "volumes", "*"], argument)
        if [] in volumes:
            raise NoValueError
        return [
            key
            for volume in volumes
            if isinstance(volume[0], dict)
            for key in volume[0]
            if key != "name"
        ]
    if name == "ka.req.volume.hostpath":
        texts = [render(v) for v in _present(event, WALKS["ka.req.pod.volumes.hostpath"], None)]
        prefix = argument[:-1] if argument.endswith("*") else None
        hit = any(t == argument or (prefix is not None and t.startswith(prefix)) for t in texts)
        return "true" if hit else "false"
    if name == "ka.uri.param":
        return _parameter(render(get(event, "requestURI")), argument)
    if name == "ka.req.binding.subject.has_name":
        return "true"
    if name == "ka.target.pod.name":
        ref = get(event, "objectRef")
        if get(ref, "resource") != "pods":
            raise NoValueError
        if isinstance(ref.get("subresource"), str) and ref["subresource"]:
            raise NoValueError
        return render(get(event, "responseObject", "metadata", "name"))
    raise LookupError(name)


def _summary(event: Any) -> str:
    def text(field: str) -> str:
        return "<NA>" if (value := _expected(event, field)) is None else value

    groups = _expected(event, "ka.user.groups")
    parts = [text("ka.target.resource"), text("ka.target.name")]
    namespace = _expected(event, "ka.target.namespace")
    if namespace:
        parts.insert(0, namespace)
    target = "/".join(parts) if _expected(event, "ka.target.resource") else "<NA>"
    shown = "<NA>" if not groups else f"({','.join(groups)})"
    return f"verb={text('ka.verb')}, user={text('ka.user.name')}, groups={shown}, target={target}"
