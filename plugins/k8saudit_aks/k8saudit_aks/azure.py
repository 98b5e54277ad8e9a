"""What Azure knows of an audit event, as one more member of the event's JSON.

``"azure": {"resourceId": ..., "subscriptionId": ..., "resourceGroup": ..., "clusterName": ...,
"category": ..., "partition": ..., "offset": ..., "sequenceNumber": ...}``, each only where it is
known. Inside the event's own bytes it is there for whoever reads the event
later: another host with a capture file, the ``json`` plugin.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from k8saudit.ingest import Extra

from k8saudit_aks.rejects import HubPlace

if TYPE_CHECKING:
    from k8saudit_aks.rejects import Place

__all__ = ["MEMBER", "Knowledge"]

#: The member's name. Audit events have none like it (audit.k8s.io/v1, type Event).
MEMBER = "azure"

#: The ids of Azure resources read ``/subscriptions/{id}/resourceGroups/{name}/providers/{type}/
#: {name}``. Diagnostic logs spell them in capitals, other services do not, and Azure compares them
#: without regard to case (https://learn.microsoft.com/azure/azure-resource-manager/management/
#: resource-name-rules). Clusters of AKS on Azure Arc are connected clusters.
_RESOURCE_ID = re.compile(
    r"/subscriptions/(?P<subscriptionId>[^/]+)"
    r"(?:/resourcegroups/(?P<resourceGroup>[^/]+)"
    r"(?:/providers/(?:microsoft\.containerservice/managedclusters"
    r"|microsoft\.kubernetes/connectedclusters)/(?P<clusterName>[^/]+))?)?",
    re.IGNORECASE,
)


class Knowledge:
    """What is known of the events of one body; made into a member for each of its records."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._said: tuple[object, object] | None = None
        self._member: Extra

    def member(self, resource_id: object, category: object) -> Extra:
        """The member for the events of a record.

        Args:
            resource_id: The record's ``resourceId``; anything but a string is nothing.
            category: The record's ``category``; the same.
        """
        # The records of a body mostly say the same.
        if self._said != (resource_id, category):
            self._said = resource_id, category
            self._member = Extra.of(MEMBER, self._known(resource_id, category))
        return self._member

    def _known(self, resource_id: object, category: object) -> dict[str, Any]:
        place = self._place
        of_record = _of_record(
            resource_id if isinstance(resource_id, str) else None,
            category if isinstance(category, str) else None,
        )
        if not isinstance(place, HubPlace):
            return of_record
        return {
            **of_record,
            "partition": place.partition,
            "offset": place.offset,
            "sequenceNumber": place.sequence_number,
        }


# Nearly all records of a stream are of a handful of clusters.
@functools.lru_cache(maxsize=256)
def _of_record(resource_id: str | None, category: str | None) -> dict[str, Any]:
    members: dict[str, Any] = {}
    if resource_id is not None:
        members["resourceId"] = resource_id
        match = _RESOURCE_ID.match(resource_id)
        if match:
            # One spelling, whatever the service that wrote the id prefers: rules compare it.
            named = match.groupdict().items()
            members |= {name: part.lower() for name, part in named if part is not None}
    if category is not None:
        members["category"] = category
    return members
