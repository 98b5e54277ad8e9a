"""What a verification looked at, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Literal

__all__ = ["Check", "Report"]

#: Characters of a detail that are shown.
_SHOWN: Final = 1000


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: ``"signature"``; with a platform behind it where there are several.
        outcome: ``"skipped"``: nothing to compare with, which is no failure.
        detail: What was found, a sentence without a full stop.
        fix: What to do about a failure, an imperative; empty otherwise.
    """

    name: str
    outcome: Literal["ok", "failed", "skipped"]
    detail: str
    fix: str = ""


@dataclass(slots=True)
class Report:
    """All checks of one target, in the order they were made."""

    target: str
    digest: str = ""
    checks: list[Check] = field(default_factory=list)

    @property
    def failed(self) -> list[Check]:
        """Those that failed."""
        return [check for check in self.checks if check.outcome == "failed"]

    def ok(self, name: str, detail: str) -> None:
        """Notes a success."""
        self._add(Check(name, "ok", detail))

    def fail(self, name: str, detail: str, fix: str) -> None:
        """Notes a failure."""
        self._add(Check(name, "failed", detail, fix))

    def skip(self, name: str, detail: str) -> None:
        """Notes what could not be looked at, and why that is no failure."""
        self._add(Check(name, "skipped", detail))

    def _add(self, check: Check) -> None:
        # Names and texts are those of whoever made the artifact: they shall not fill or steer a
        # terminal.
        name, detail = (_plain(text) for text in (check.name, check.detail))
        self.checks.append(replace(check, name=name, detail=detail))


def _plain(text: str) -> str:
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown)
