"""The ``aks.*`` fields: what Azure knows of an audit event. The Go plugin has none of them."""

from __future__ import annotations

from functools import partial

from k8saudit import KubernetesAuditFields

from falcopy_sdk import extract
from k8saudit_aks.azure import MEMBER

__all__ = ["AksAuditFields"]

_text = partial(extract.path, type=str)


class AksAuditFields(KubernetesAuditFields):
    """Mix-in: the fields of Kubernetes audit events, and after them those of Azure."""

    azure_fields = extract.group(
        _text(
            "aks.resource_id",
            *(MEMBER, "resourceId"),
            desc="Azure resource id of the cluster, as Azure spells it (in capitals)",
        ),
        _text(
            "aks.cluster_name",
            *(MEMBER, "clusterName"),
            desc="Name of the cluster, in lower case",
        ),
        _text(
            "aks.resource_group",
            *(MEMBER, "resourceGroup"),
            desc="Resource group of the cluster, in lower case",
        ),
        _text(
            "aks.subscription_id",
            *(MEMBER, "subscriptionId"),
            desc="Subscription of the cluster, in lower case",
        ),
        _text(
            "aks.category",
            *(MEMBER, "category"),
            desc="Category of the resource log: kube-audit or kube-audit-admin",
        ),
        _text(
            "aks.partition",
            *(MEMBER, "partition"),
            desc="Partition of the event hub",
        ),
        _text(
            "aks.offset",
            *(MEMBER, "offset"),
            desc="Offset in that partition of the Event Hubs event that held the audit event",
        ),
        extract.path(
            "aks.sequence_number",
            *(MEMBER, "sequenceNumber"),
            type=int,
            desc="Sequence number in that partition of the Event Hubs event",
        ),
    )
