"""Audit events for tests: as API servers write them, and bent in every way a rule looks at.

``events(count)`` always gives the same events for the same count.
"""

from __future__ import annotations

import copy
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = Any

IMAGES = (
    "nginx",
    "nginx:1.27",
    "reg.example.com:5000/team/app:v1",
    "reg.example.com:5000/team/app",
    "mcr.microsoft.com/oss/kubernetes/pause:3.9",
    "a/b@sha256:0123456789abcdef",
    "a/b:v2@sha256:0123456789abcdef",
    ":x",
    "",
    "[2001:db8::1]:5000/app:v1",
)
URIS = (
    "/api/v1/namespaces/shop/pods/web/exec?command=ls&command=-l&container=web&stdin=true",
    "/api/v1/namespaces/shop/pods/web/exec?command=sh&tty",
    "/api/v1/pods?watch=true&labelSelector=app%3Dweb%2Ctier+x",
    "/api/v1/pods?",
    "/healthz",
    "/api/v1/nodes?limit=500&continue=a;b",
    "/api/v1/nodes?bad=%zz&command=ls",
    "//host:port/x?command=ls",
    "mailto:x?command=ls",
    "/x#frag?command=ls",
    "/x?%63ommand=a%20b&&=empty&command=2",
    "",
)
VERBS = ("create", "get", "list", "watch", "update", "patch", "delete", "deletecollection")
#: What a member is replaced by to bend an event.
ODD_VALUES: tuple[Json, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    2**63,
    "",
    "text",
    "null",
    "\u00e9\u65e5\u672c",
    "nul\u0000byte",
    [],
    {},
    [None],
    [[]],
    [{}],
    ["a", "b"],
    ["a", 1, None, {"k": "v"}],
    {"name": "lone"},
    [[{"name": "inner"}], {"name": "outer"}],
)


def _security_context(rnd: random.Random) -> dict[str, Json]:
    choices: dict[str, tuple[Json, ...]] = {
        "privileged": (True, False, None, "true"),
        "allowPrivilegeEscalation": (True, False),
        "readOnlyRootFilesystem": (True, False),
        "runAsUser": (0, 1000, None, "1000"),
        "runAsGroup": (0, 3000),
        "procMount": ("Default", "Unmasked"),
        "capabilities": (
            {"add": ["NET_ADMIN", "SYS_TIME"]},
            {"add": []},
            {"add": None},
            {"drop": ["ALL"]},
        ),
    }
    return {key: rnd.choice(values) for key, values in choices.items() if rnd.random() < 0.5}


def _container(rnd: random.Random, name: str) -> dict[str, Json]:
    container: dict[str, Json] = {"name": name, "image": rnd.choice(IMAGES)}
    if rnd.random() < 0.5:
        container["command"] = rnd.choice((["sh", "-c", "id"], [], ["a b", "c"], ["x", 1], "sh"))
    if rnd.random() < 0.5:
        container["args"] = rnd.choice((["--v=2"], ["a", "b"], [], None, [None]))
    if rnd.random() < 0.5:
        port = {"containerPort": 8080, "protocol": "TCP"}
        container["ports"] = rnd.choice(
            ([port], [{**port, "hostPort": 80}, port], [], [{"hostPort": 0}], [None, 1, {}], None)
        )
    if rnd.random() < 0.7:
        container["securityContext"] = _security_context(rnd)
    if rnd.random() < 0.1:
        del container[rnd.choice(("name", "image"))]
    return container


def _pod_spec(rnd: random.Random) -> dict[str, Json]:
    spec: dict[str, Json] = {}
    for kind, prefix in (
        ("containers", "c"),
        ("initContainers", "i"),
        ("ephemeralContainers", "e"),
    ):
        if kind == "containers" or rnd.random() < 0.4:
            spec[kind] = [_container(rnd, f"{prefix}{n}") for n in range(rnd.randint(0, 3))]
    for flag in ("hostIPC", "hostNetwork", "hostPID"):
        if rnd.random() < 0.3:
            spec[flag] = rnd.choice((True, False))
    if rnd.random() < 0.5:
        spec["securityContext"] = {
            **_security_context(rnd),
            "fsGroup": 2000,
            "supplementalGroups": rnd.choice(([1, 2], [], None, [1, "x", None])),
        }
    if rnd.random() < 0.6:
        volumes: tuple[Json, ...] = (
            {"name": "a", "hostPath": {"path": "/etc"}},
            {"name": "b", "hostPath": {"path": "/var/run/docker.sock", "type": "Socket"}},
            {"name": "c", "emptyDir": {}},
            {"name": "d", "flexVolume": {"driver": "example.com/flex"}},
            {"name": "e", "hostPath": {}, "x": 1},
            {"name": "f", "hostPath": {"path": None}},
            None,
            7,
        )
        spec["volumes"] = [rnd.choice(volumes) for _ in range(rnd.randint(0, 4))]
    return spec


def _azure(rnd: random.Random) -> dict[str, Json]:
    """What the Azure source adds, or a part of it, as a replayed body has."""
    choices: dict[str, tuple[Json, ...]] = {
        "resourceId": ("/SUBSCRIPTIONS/3F25/RESOURCEGROUPS/SHOP-PROD", ""),
        "subscriptionId": ("3f25",),
        "resourceGroup": ("shop-prod",),
        "clusterName": ("shop-westeurope",),
        "category": ("kube-audit", "kube-audit-admin", None),
        "partition": ("0", "31", 7),
        "offset": ("8589935592", 8589935592),
        "sequenceNumber": (0, 4711, 2**64 - 1, -1, "42", "x", 1.5, True),
    }
    return {key: rnd.choice(values) for key, values in choices.items() if rnd.random() < 0.8}


def _event(
    rnd: random.Random, number: int, verb: str, ref: dict[str, Json] | None
) -> dict[str, Json]:
    event: dict[str, Json] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": f"00000000-0000-4000-8000-{number:012x}",
        "stage": rnd.choice(("ResponseComplete", "RequestReceived", "Panic")),
        "requestURI": rnd.choice(URIS),
        "verb": verb,
        "user": {
            "username": rnd.choice(("aksService", "system:serviceaccount:shop:web", "alice")),
            "groups": rnd.choice((["system:masters", "system:authenticated"], ["a"], [])),
        },
        "sourceIPs": rnd.choice((["10.0.0.1"], ["10.0.0.1", "2001:db8::1"], [])),
        "userAgent": "kubectl/v1.30.0 (linux/amd64) kubernetes/7c48c2b",
        "responseStatus": {"metadata": {}, "code": rnd.choice((200, 201, 403, 404))},
        "stageTimestamp": f"2024-05-01T12:34:{number % 60:02d}.{number % 1000000:06d}Z",
        "annotations": {
            "authorization.k8s.io/decision": rnd.choice(("allow", "forbid")),
            "authorization.k8s.io/reason": rnd.choice(("", 'RBAC: allowed by "x"')),
        },
    }
    if rnd.random() < 0.8:
        event["azure"] = _azure(rnd)
    if ref is not None:
        event["objectRef"] = ref
    if rnd.random() < 0.1:
        event["impersonatedUser"] = {"username": "bob", "groups": ["x"]}
    if rnd.random() < 0.1:
        event["annotations"] |= {
            "authentication.openshift.io/decision": "allow",
            "authentication.openshift.io/username": "dev",
            "cluster_name": "prod-1",
            "pod-security.kubernetes.io/audit-violations": "would violate",
            "validation.policy.admission.k8s.io/validation_failure": '[{"message":"no"}]',
        }
    if event["responseStatus"]["code"] >= 400:
        event["responseStatus"] |= {"status": "Failure", "reason": "Forbidden"}
    return event


def _pod(rnd: random.Random, number: int) -> dict[str, Json]:
    ref = {"resource": "pods", "namespace": "shop", "name": "web", "apiVersion": "v1"}
    subresource = rnd.choice((None, None, None, "", "exec", "attach", "ephemeralcontainers"))
    if subresource is not None:
        ref["subresource"] = subresource
    event = _event(rnd, number, rnd.choice(VERBS), ref)
    event["requestObject"] = {
        "kind": "Pod",
        "metadata": {"generateName": "web-"},
        "spec": _pod_spec(rnd),
    }
    if rnd.random() < 0.6:
        event["responseObject"] = {"kind": "Pod", "metadata": {"name": "web-x1"}}
    return event


def _binding(rnd: random.Random, number: int) -> dict[str, Json]:
    ref = {"resource": "clusterrolebindings", "name": "admins"}
    event = _event(rnd, number, "create", ref)
    subjects: tuple[Json, ...] = (
        {"kind": "User", "name": "alice"},
        {"kind": "User", "name": None},
        {"kind": "Group", "name": "ops", "apiGroup": "rbac.authorization.k8s.io"},
        {"kind": "ServiceAccount", "name": "web", "namespace": "shop"},
        {"kind": "ServiceAccount", "name": "web"},
        {"kind": "user", "name": "lower"},
        {"kind": "User"},
        {"name": "nokind"},
        "text",
        [],
    )
    event["requestObject"] = {
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [rnd.choice(subjects) for _ in range(rnd.randint(0, 4))],
    }
    return event


def _role(rnd: random.Random, number: int) -> dict[str, Json]:
    event = _event(rnd, number, "update", {"resource": "clusterroles", "name": "reader"})
    rules: tuple[Json, ...] = (
        {"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["*"]},
        {"nonResourceURLs": ["/metrics", "*"], "verbs": ["get"]},
        {"apiGroups": None, "resources": "pods", "verbs": [None, 1]},
        {},
        [],
    )
    event["requestObject"] = {"rules": [rnd.choice(rules) for _ in range(rnd.randint(0, 3))]}
    return event


def _config_map(rnd: random.Random, number: int) -> dict[str, Json]:
    ref = {"resource": "configmaps", "namespace": "shop", "name": "settings"}
    event = _event(rnd, number, "patch", ref)
    event["requestObject"] = {
        "data": rnd.choice(({"key": "value", "pw": "a\nb"}, {}, None, "text"))
    }
    return event


def _service(rnd: random.Random, number: int) -> dict[str, Json]:
    event = _event(rnd, number, "create", {"resource": "services", "namespace": "shop"})
    ports = rnd.choice(([{"port": 80, "nodePort": 30080}], [], None, {"port": 1}, [1, 2]))
    event["requestObject"] = {"spec": {"type": "NodePort", "ports": ports}}
    return event


def _without_object(rnd: random.Random, number: int) -> dict[str, Json]:
    return _event(rnd, number, "get", None)


_KINDS: tuple[Callable[[random.Random, int], dict[str, Json]], ...] = (
    _pod,
    _pod,
    _pod,
    _binding,
    _role,
    _config_map,
    _service,
    _without_object,
)


def _places(value: Json) -> Iterator[tuple[Json, Json]]:
    """Every container with every key or index in it."""
    pending = [value]
    while pending:
        holder = pending.pop()
        if isinstance(holder, dict):
            items: Iterator[tuple[Json, Json]] = iter(holder.items())
        elif isinstance(holder, list):
            items = iter(enumerate(holder))
        else:
            continue
        for key, member in items:
            yield holder, key
            pending.append(member)


def bend(rnd: random.Random, event: dict[str, Json]) -> None:
    """Change one member of the event into something no API server writes."""
    holder, key = rnd.choice(list(_places(event)))
    if rnd.random() < 0.3:
        del holder[key]
    elif rnd.random() < 0.4:
        # An array where an object stood, and the other way round.
        old = holder[key]
        holder[key] = rnd.choice(([old], [old, old], [[old]], {"name": old}, [{}, old]))
    else:
        holder[key] = copy.deepcopy(rnd.choice(ODD_VALUES))


def events(count: int, seed: int = 1) -> list[dict[str, Json]]:
    """``count`` events, each third as it is, the others bent once to four times."""
    rnd = random.Random(seed)
    made = []
    for number in range(count):
        event = rnd.choice(_KINDS)(rnd, number)
        if number % 3:
            for _ in range(rnd.randint(1, 4)):
                bend(rnd, event)
        made.append(copy.deepcopy(event))
    return made
