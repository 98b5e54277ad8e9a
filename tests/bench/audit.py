"""A plugin that gives one audit event over and over, undecoded, with the ``ka.*`` fields."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
from k8saudit import KubernetesAuditFields

from falcopy_sdk import Event, plugin, source

__all__ = ["EVENT", "FIELDS", "Audit"]

#: About 2 KB: a pod's creation as an API server records it.
EVENT = orjson.dumps(
    {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": "5f0c9d5e-8f1c-4c0e-9f5c-0c2b7a1d9e11",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/shop/pods?fieldManager=kubectl-run&dryRun=All",
        "verb": "create",
        "user": {
            "username": "alice@contoso.example",
            "groups": ["system:authenticated", "7b1f8a2c-5e0d-4d9c-8f3a-1c2b3d4e5f60"],
        },
        "sourceIPs": ["20.50.2.17"],
        "userAgent": "kubectl/v1.31.2 (linux/amd64) kubernetes/5864a46",
        "objectRef": {
            "resource": "pods",
            "namespace": "shop",
            "name": "web",
            "apiVersion": "v1",
        },
        "responseStatus": {"metadata": {}, "code": 201},
        "requestObject": {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {"name": "web", "namespace": "shop", "labels": {"run": "web"}},
            "spec": {
                "containers": [
                    {
                        "name": f"c{i}",
                        "image": f"registry.example.org:5000/team/app{i}:1.{i}",
                        "command": ["/bin/sh", "-c", "exec /app/server --port 8080"],
                        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                        "resources": {"limits": {"cpu": "500m", "memory": "128Mi"}},
                        "securityContext": {
                            "privileged": i == 0,
                            "runAsUser": 1000,
                            "capabilities": {"add": ["NET_ADMIN"]},
                        },
                        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                    }
                    for i in range(2)
                ],
                "volumes": [{"name": "data", "hostPath": {"path": "/var/lib/data"}}],
                "hostNetwork": False,
                "restartPolicy": "Always",
            },
        },
        "responseObject": {"kind": "Pod", "metadata": {"name": "web", "uid": "0f5c9d5e"}},
        "requestReceivedTimestamp": "2026-02-03T04:05:06.700000Z",
        "stageTimestamp": "2026-02-03T04:05:06.712345Z",
        "annotations": {
            "authorization.k8s.io/decision": "allow",
            "authorization.k8s.io/reason": 'RBAC: allowed by ClusterRoleBinding "ops-admin"',
        },
    }
)

#: What rules about Kubernetes audit events commonly ask for.
FIELDS = (
    "ka.auditid",
    "ka.stage",
    "ka.auth.decision",
    "ka.auth.reason",
    "ka.user.name",
    "ka.user.groups",
    "ka.impuser.name",
    "ka.verb",
    "ka.uri",
    "ka.uri.param[dryRun]",
    "ka.target.name",
    "ka.target.namespace",
    "ka.target.resource",
    "ka.target.subresource",
    "ka.req.binding.subjects",
    "ka.req.binding.role",
    "ka.req.configmap.name",
    "ka.req.pod.containers.image",
    "ka.req.pod.containers.image.repository",
    "ka.req.pod.containers.privileged",
    "ka.req.pod.containers.add_capabilities",
    "ka.req.pod.host_network",
    "ka.req.pod.host_pid",
    "ka.req.pod.host_ipc",
    "ka.req.pod.volumes.hostpath",
    "ka.req.role.rules.verbs",
    "ka.req.service.type",
    "ka.resp.name",
    "ka.response.code",
    "ka.useragent",
)


@plugin(
    name="bench-audit",
    id=999,
    event_source="bench",
    version="0.1.0",
    description="One audit event over and over",
    contact="https://example.org",
)
class Audit(KubernetesAuditFields):
    """The source side of the benchmark."""

    @source
    def events(self, params: str) -> Iterator[Event]:
        """Yield the event as many times as ``params`` says."""
        for _ in range(int(params)):
            yield Event(EVENT)
