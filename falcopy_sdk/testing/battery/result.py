"""What the checks found, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from falcopy_sdk.testing.battery.catalogue import CATALOGUE

__all__ = ["CheckResult", "Finding", "Report"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One defect.

    Attributes:
        code: Stable, ``FPY305``; the catalogue tells what it means.
        message: What happened and where: a sentence without a full stop.
    """

    code: str
    message: str

    @property
    def fix(self) -> str:
        """What to do about it."""
        return CATALOGUE[self.code].fix

    def __str__(self) -> str:
        return f"{self.code} {self.message}. {self.fix}"

    def to_json(self) -> dict[str, str]:
        """Return it as a JSON object."""
        entry = CATALOGUE[self.code]
        return {
            "code": self.code,
            "title": entry.title,
            "message": self.message,
            "fix": entry.fix,
            "docs": entry.docs,
        }


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check of the battery.

    Attributes:
        name: Of the check, ``"fields"``.
        findings: Empty when it passed.
        notes: What could not be tried, and what else the author should know.
        skipped: Why it did not run; "" when it did.
        seconds: How long it took.
        about: Name and version of the plugin, once it was loaded.
        secrets: Texts that nobody may see; never part of a report.
    """

    name: str
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: str = ""
    seconds: float = 0.0
    about: tuple[str, str] = ("", "")
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        document = asdict(self)
        document["findings"] = [finding.to_json() for finding in self.findings]
        document["notes"] = list(self.notes)
        del document["about"], document["secrets"]
        return document


@dataclass(frozen=True, slots=True)
class Report:
    """All of them, for one plugin."""

    target: str
    results: tuple[CheckResult, ...] = field(default=())

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those of every check, in their order."""
        return tuple(finding for result in self.results for finding in result.findings)

    @property
    def about(self) -> tuple[str, str]:
        """Name and version of the plugin; empty when it does not load."""
        return next((result.about for result in self.results if result.about[0]), ("", ""))

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON document."""
        name, version = self.about
        return {
            "target": self.target,
            "plugin": name,
            "version": version,
            "passed": not self.findings,
            "checks": [result.to_json() for result in self.results],
        }
