"""Kubernetes audit events for Falco plugins: their fields and their payloads.

Nothing here knows where the events come from. A plugin class mixes in
:class:`KubernetesAuditFields` and yields what :func:`records` makes of the payloads it receives.
"""

from __future__ import annotations

from .fields import KubernetesAuditFields
from .ingest import DEFAULT_MAX_EVENT_SIZE, Extra, OnRejected, Rejected, records

__all__ = [
    "DEFAULT_MAX_EVENT_SIZE",
    "Extra",
    "KubernetesAuditFields",
    "OnRejected",
    "Rejected",
    "records",
]
