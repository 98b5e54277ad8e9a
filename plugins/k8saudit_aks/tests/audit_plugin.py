"""A plugin with nothing but the fields of audit events, and the question what one says."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
from k8saudit import KubernetesAuditFields, records

from falcopy_sdk import Event, plugin, source
from falcopy_sdk.host import Library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Ask = Callable[[Any, str], Any]


@plugin(
    name="audit-lines",
    id=999,
    version="0.1.0",
    description="Audit events, one payload a line of a file",
    contact="https://example.org",
    event_source="k8s_audit",
)
class AuditLines(KubernetesAuditFields):
    """Gives the audit events of a file."""

    @source
    def events(self, params: str) -> Iterator[Event]:
        """Reads the file named by the open parameters."""
        with open(params, "rb") as lines:
            for line in lines:
                yield from records(line)


@contextmanager
def asking() -> Iterator[Ask]:
    """What a host sees: ``ask(event, field)``, the event as bytes or as the object itself."""
    with Library.from_class(AuditLines) as library, library.init() as loaded:

        def ask(event: Any, field: str) -> Any:
            data = event if isinstance(event, bytes) else orjson.dumps(event)
            return loaded.extract(loaded.event(data), field)

        yield ask
