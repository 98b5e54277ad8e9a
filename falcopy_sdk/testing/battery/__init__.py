"""The checks that every plugin should pass, for authors' tests and for ``falcopy check``."""

from falcopy_sdk.testing.battery.catalogue import CATALOGUE, Entry
from falcopy_sdk.testing.battery.checks import CHECKS, Check, run_here
from falcopy_sdk.testing.battery.isolate import run_isolated
from falcopy_sdk.testing.battery.result import CheckResult, Finding, Report
from falcopy_sdk.testing.battery.runner import run
from falcopy_sdk.testing.battery.subject import Subject

__all__ = [
    "CATALOGUE",
    "CHECKS",
    "Check",
    "CheckResult",
    "Entry",
    "Finding",
    "Report",
    "Subject",
    "run",
    "run_here",
    "run_isolated",
]
