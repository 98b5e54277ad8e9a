"""The stock rules for Kubernetes audit events load beside this plugin as they are.

What they use is noted here from falcosecurity/plugins, plugins/k8saudit/rules/k8s_audit_rules.yaml
(for k8saudit 0.18.0): a field of theirs that goes missing would keep Falco from starting.
"""

from __future__ import annotations

import pytest
from k8saudit_aks.plugin import K8sAuditAks

from falcopy_sdk import plugin_spec

SPEC = plugin_spec(K8sAuditAks)
#: ``required_plugin_versions`` names this plugin among the alternatives to k8saudit.
REQUIRED = (0, 6, 0)
USED = [
    "ka.auth.decision",
    "ka.auth.reason",
    "ka.req.binding.role",
    "ka.req.binding.subjects",
    "ka.req.configmap.name",
    "ka.req.configmap.obj",
    "ka.req.pod.containers.image",
    "ka.req.pod.containers.image.repository",
    "ka.req.pod.containers.privileged",
    "ka.req.pod.ephemeralContainers.image",
    "ka.req.pod.ephemeralContainers.privileged",
    "ka.req.pod.host_ipc",
    "ka.req.pod.host_network",
    "ka.req.pod.host_pid",
    "ka.req.pod.initContainers.image",
    "ka.req.pod.initContainers.privileged",
    "ka.req.pod.volumes.hostpath",
    "ka.req.role.rules",
    "ka.req.role.rules.resources",
    "ka.req.role.rules.verbs",
    "ka.req.service.ports",
    "ka.req.service.type",
    "ka.resp.name",
    "ka.response.code",
    "ka.response.reason",
    "ka.target.name",
    "ka.target.namespace",
    "ka.target.resource",
    "ka.target.subresource",
    "ka.uri",
    "ka.uri.param[command]",
    "ka.user.name",
    "ka.verb",
]
#: Compared with ``intersects``, ``pmatch`` or ``in`` as lists.
LISTS = {
    "ka.req.pod.containers.image.repository",
    "ka.req.pod.containers.privileged",
    "ka.req.pod.initContainers.privileged",
    "ka.req.pod.ephemeralContainers.privileged",
    "ka.req.pod.volumes.hostpath",
    "ka.req.role.rules.resources",
    "ka.req.role.rules.verbs",
}


@pytest.mark.parametrize("used", USED)
def test_every_field_that_the_stock_rules_use_is_declared(used: str) -> None:
    name, _, argument = used.partition("[")
    [field] = [field for field in SPEC.fields if field.name == name]
    assert field.type.value == "string"
    assert field.argument.is_required == bool(argument)
    assert field.is_list or name not in LISTS


def test_the_version_that_the_stock_rules_require_is_met() -> None:
    assert SPEC.name == "k8saudit-aks"
    assert tuple(map(int, SPEC.version.split("."))) >= REQUIRED


def test_the_events_are_of_the_source_that_the_stock_rules_are_for() -> None:
    assert SPEC.event_source == "k8s_audit"
