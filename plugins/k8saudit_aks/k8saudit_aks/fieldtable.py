"""Writes FIELDS.md: ``python -m k8saudit_aks.fieldtable FIELDS.md``."""

from __future__ import annotations

import sys
from pathlib import Path

from k8saudit.fieldtable import field_table

from falcopy_sdk.declare.collect import collect, fields_of
from k8saudit_aks.fields import AksAuditFields

__all__ = ["document"]

_NOTES = """
The `aks.*` fields are what Azure says about an event beside the event. The plugin appends it to the
event's JSON as the member `azure`, so these fields have the same values in a capture file that
another host reads, and `jevt.value[/azure/clusterName]` works as well:

```json
{"kind": "Event", "auditID": "...", "azure": {"resourceId": "/SUBSCRIPTIONS/...",
 "subscriptionId": "3f25...", "resourceGroup": "shop-prod", "clusterName": "shop-westeurope",
 "category": "kube-audit", "partition": "3", "offset": "8589935592", "sequenceNumber": 4711}}
```

- Azure writes resource ids in diagnostic logs in capitals, and compares names without regard to
  case. `aks.resource_id` is as Azure wrote it; the names taken from it are in lower case, so write
  them so in rules.
- `maxEventSize` is about the event without this member.
- A file that is replayed gives what its lines hold: bodies of Event Hubs events have resource id
  and category but no partition and no offset, plain audit events have nothing of it. Events that
  this plugin has written before keep what they have.
- An event cannot claim to be from elsewhere: a member `azure` inside a record's `log` is replaced.
"""


def document() -> str:
    """The text of FIELDS.md."""
    return field_table(fields_of(collect(AksAuditFields)), _NOTES)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(), encoding="utf-8")
