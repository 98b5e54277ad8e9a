"""What authors test their plugins with.

The fixtures ``falco_plugin``, ``event`` and ``replay`` come with the pytest plugin, which is there
once the SDK is installed. The rest is imported from here::

    from falcopy_sdk.testing import standard_tests

    TestStandard = standard_tests(AcmeAudit, sample_events="samples/events.jsonl")

:mod:`falcopy_sdk.testing.eventhubs` is an emulator of Azure Event Hubs, of use without the rest.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from falcopy_sdk.testing.battery import Finding, Report, Subject
    from falcopy_sdk.testing.driven import DrivenPlugin
    from falcopy_sdk.testing.samples import read_events
    from falcopy_sdk.testing.standard import standard_tests

__all__ = [
    "DrivenPlugin",
    "Finding",
    "Report",
    "Subject",
    "read_events",
    "standard_tests",
]

_WHERE = {
    "DrivenPlugin": "driven",
    "Finding": "battery",
    "Report": "battery",
    "Subject": "battery",
    "read_events": "samples",
    "standard_tests": "standard",
}


def __getattr__(name: str) -> Any:
    # Late: pytest imports this package at every start, and emulators need none of it.
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
