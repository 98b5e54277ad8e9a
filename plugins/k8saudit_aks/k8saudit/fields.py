"""The ``ka.*`` fields of Kubernetes audit events, as a mix-in for plugin classes.

Names, order, types and arguments are those of the Go plugins of the falcosecurity/plugins
repository, so that rules written for these load unchanged; ``ka.req`` at the end is new. A
field's place is its id in the plugin API: new fields go to the end.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import orjson

from falcopy_sdk import Event, decode, event_to_string, extract

from . import rules
from .adapters import has_host_path, has_name, listed, single, subjects, uri_param, walked
from .containers import container_field, container_fields
from .ingest import guarded
from .repair import SPELLED, repaired
from .summary import request_summary

__all__ = ["KubernetesAuditFields"]

# A JSON null reads as the text "null" and exists, as in the Go plugins.
_text = partial(extract.path, null="null")
_texts = partial(extract.path, type=list[str], null="null")
_POD = ("requestObject", "spec")
_POD_CONTEXT = (*_POD, "securityContext")


class KubernetesAuditFields:
    """Mix-in: the fields of Kubernetes audit events for any plugin whose events these are.

    An event without a top-level ``auditID`` has no value for any of them.
    """

    @decode
    def decode_audit_event(self, data: bytes) -> dict[str, Any] | None:
        """The audit event in ``data``; None if it is none, so that no field has a value.

        Raises:
            orjson.JSONDecodeError: ``data`` is not JSON.
        """
        try:
            return guarded(orjson.loads(data))
        except orjson.JSONDecodeError:
            # What this package's sources give is strict; a Go plugin's capture need not be.
            return guarded(repaired(data, SPELLED))

    @event_to_string
    def audit_event_text(self, event: Event) -> str:
        """The event's JSON as it is."""
        return event.data.decode("utf-8", "replace")

    kubernetes_audit_fields = extract.group(
        _text("ka.auditid", "auditID", desc="Unique id of the audit event"),
        _text("ka.stage", "stage", desc="Stage of the request that the event tells of"),
        _text(
            "ka.auth.decision",
            *("annotations", "authorization.k8s.io/decision"),
            desc="Decision of the authorizer, allow or forbid",
        ),
        _text(
            "ka.auth.reason",
            *("annotations", "authorization.k8s.io/reason"),
            desc="Reason of the authorizer, often an empty string",
        ),
        _text(
            "ka.auth.openshift.decision",
            *("annotations", "authentication.openshift.io/decision"),
            desc="Decision of OpenShift's authentication",
        ),
        _text(
            "ka.validations.admission.policy.failure",
            *("annotations", "validation.policy.admission.k8s.io/validation_failure"),
            desc="Failures that validating admission policies noted",
        ),
        _text(
            "ka.security.pod.violations",
            *("annotations", "pod-security.kubernetes.io/audit-violations"),
            desc="Violations that Pod Security admission noted in audit mode",
        ),
        _text(
            "ka.auth.openshift.username",
            *("annotations", "authentication.openshift.io/username"),
            desc="User name that OpenShift's authentication noted",
        ),
        _text("ka.user.name", "user", "username", desc="Name of the user who made the request"),
        _texts("ka.user.groups", "user", "groups", desc="Groups of that user"),
        _text(
            "ka.impuser.name",
            *("impersonatedUser", "username"),
            desc="Name of the user whom the request impersonates",
        ),
        _text("ka.verb", "verb", desc="Verb of the request"),
        _text("ka.uri", "requestURI", desc="URI of the request, as sent by the client"),
        extract.function(
            "ka.uri.param",
            uri_param,
            desc="First value of the query parameter of that name in the request's URI",
        ),
        _text("ka.target.name", "objectRef", "name", desc="Name of the object acted on"),
        _text("ka.target.namespace", "objectRef", "namespace", desc="Namespace of that object"),
        _text("ka.target.resource", "objectRef", "resource", desc="Resource type of that object"),
        _text("ka.target.subresource", "objectRef", "subresource", desc="Subresource acted on"),
        single(
            "ka.target.pod.name",
            rules.pod_name,
            needs="responseObject",
            desc="Name of the pod acted on, as the response has it; not for subresources",
        ),
        _texts(
            "ka.req.binding.subjects",
            *("requestObject", "subjects"),
            desc="Subjects of the role binding, as one JSON object each",
        ),
        subjects(
            "ka.req.binding.subjects.user_names", "User", desc="Users among the binding's subjects"
        ),
        subjects(
            "ka.req.binding.subjects.serviceaccount_names",
            "ServiceAccount",
            desc="Service accounts among the binding's subjects",
        ),
        subjects(
            "ka.req.binding.subjects.serviceaccount_ns_names",
            "ServiceAccount",
            desc="Service accounts among the binding's subjects, as namespace:name",
            with_namespace=True,
        ),
        subjects(
            "ka.req.binding.subjects.group_names",
            "Group",
            desc="Groups among the binding's subjects",
        ),
        _text(
            "ka.req.binding.role",
            *("requestObject", "roleRef", "name"),
            desc="Role that the binding grants",
        ),
        extract.function(
            "ka.req.binding.subject.has_name", has_name, desc="Deprecated: always true"
        ),
        _text(
            "ka.req.configmap.name",
            *("objectRef", "name"),
            desc="Name of the object acted on, a config map or not",
        ),
        _text(
            "ka.req.configmap.obj",
            *("requestObject", "data"),
            desc="The data of the config map, as JSON",
        ),
        container_field("containers", "args"),
        container_field("containers", "command"),
        container_field("containers", "name"),
        container_field("containers", "image"),
        single(
            "ka.req.container.image",
            rules.first_image,
            needs="requestObject",
            desc="Deprecated: image of the first container",
        ),
        container_field("containers", "image.repository"),
        single(
            "ka.req.container.image.repository",
            rules.first_repository,
            needs="requestObject",
            desc="Deprecated: image of the first container without tag and digest",
        ),
        _text("ka.req.pod.host_ipc", *_POD, "hostIPC", desc="The pod's hostIPC flag"),
        _text("ka.req.pod.host_network", *_POD, "hostNetwork", desc="The pod's hostNetwork flag"),
        _text(
            "ka.req.container.host_network",
            *(*_POD, "hostNetwork"),
            desc="Deprecated: same as ka.req.pod.host_network",
        ),
        _text("ka.req.pod.host_pid", *_POD, "hostPID", desc="The pod's hostPID flag"),
        container_field("containers", "host_port"),
        container_field("containers", "privileged"),
        single(
            "ka.req.container.privileged",
            rules.any_privileged,
            needs="requestObject",
            desc="Deprecated: true if any container is privileged, else false",
        ),
        container_field("containers", "allow_privilege_escalation"),
        container_field("containers", "read_only_fs"),
        _text("ka.req.pod.run_as_user", *_POD_CONTEXT, "runAsUser", desc="The pod's user id"),
        container_field("containers", "run_as_user"),
        container_field("containers", "eff_run_as_user"),
        _text("ka.req.pod.run_as_group", *_POD_CONTEXT, "runAsGroup", desc="The pod's group id"),
        container_field("containers", "run_as_group"),
        container_field("containers", "eff_run_as_group"),
        container_field("containers", "proc_mount"),
        _texts(
            "ka.req.role.rules",
            *("requestObject", "rules"),
            desc="Rules of the role, as one JSON object each",
        ),
        *(
            listed(
                f"ka.req.role.rules.{member}",
                rules.flattened,
                *("requestObject", "rules", member),
                desc=f"The {member} of all rules of the role, in one list",
            )
            for member in ("apiGroups", "nonResourceURLs", "verbs", "resources")
        ),
        _text("ka.req.pod.fs_group", *_POD_CONTEXT, "fsGroup", desc="The pod's fsGroup"),
        _texts(
            "ka.req.pod.supplemental_groups",
            *(*_POD_CONTEXT, "supplementalGroups"),
            desc="The pod's supplemental group ids",
        ),
        container_field("containers", "add_capabilities"),
        _text("ka.req.service.type", *_POD, "type", desc="Type of the service"),
        walked(
            "ka.req.service.ports",
            *(*_POD, "ports"),
            desc="Ports of the service, all in one JSON array",
        ),
        walked(
            "ka.req.pod.volumes.hostpath",
            *(*_POD, "volumes", "hostPath", "path"),
            desc="Path of each hostPath volume",
        ),
        extract.function(
            "ka.req.volume.hostpath",
            has_host_path,
            desc="Deprecated: true if a volume mounts the given host path (or one that starts "
            "with what precedes a final *), else false",
        ),
        walked(
            "ka.req.pod.volumes.flexvolume_driver",
            *(*_POD, "volumes", "flexVolume", "driver"),
            desc="Driver of each flexVolume volume",
        ),
        # The empty key is the volume itself: an array of volumes is crossed, a lone one is not.
        listed(
            "ka.req.pod.volumes.volume_type",
            rules.volume_types,
            *(*_POD, "volumes", ""),
            desc="Types of the pod's volumes",
        ),
        _text(
            "ka.resp.name",
            *("responseObject", "metadata", "name"),
            desc="Name of the object in the response",
        ),
        _text(
            "ka.response.code", "responseStatus", "code", desc="HTTP status code of the response"
        ),
        _text(
            "ka.response.reason",
            *("responseStatus", "reason"),
            desc="Reason of the response's status, mostly on failures",
        ),
        _text("ka.useragent", "userAgent", desc="User agent of the client"),
        listed(
            "ka.sourceips",
            rules.elements,
            "sourceIPs",
            desc="Addresses of the client and of the proxies in between",
        ),
        _text(
            "ka.cluster.name",
            *("annotations", "cluster_name"),
            desc="Name of the cluster, where something noted it in the event",
        ),
        *container_fields("initContainers"),
        *container_fields("ephemeralContainers", without=frozenset({"host_port"})),
        single("ka.req", request_summary, desc="Who asked for what: verb, user, groups and target"),
    )
