"""Runs the whole battery, each check in a process of its own."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING

from falcopy_sdk.exceptions import RequestError
from falcopy_sdk.testing.battery.catalogue import CATALOGUE, DOCS_PAGE
from falcopy_sdk.testing.battery.checks import CHECKS
from falcopy_sdk.testing.battery.isolate import run_isolated
from falcopy_sdk.testing.battery.result import CheckResult, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from falcopy_sdk.testing.battery.subject import Subject

__all__ = ["codes", "run", "selected"]


def run(
    subject: Subject,
    *,
    only: Iterable[str] = (),
    ignore: Iterable[str] = (),
    progress: Callable[[CheckResult | str], None] = lambda _: None,
) -> Report:
    """Check a plugin.

    Args:
        subject: The plugin.
        only: Names of the checks to run; none: all.
        ignore: Codes of findings that do not count, in upper or lower case.
        progress: Told the name of a check when it begins and its result when it is done.

    Raises:
        RequestError: There is no such check or code.
        PluginLookupError: A class cannot be found or imported.
    """
    names = selected(only)
    ignored = codes(ignore)
    results: list[CheckResult] = []
    loads = True
    for name in names:
        progress(name)
        if not loads:
            result = CheckResult(name, skipped="the plugin does not load")
        else:
            result = run_isolated(name, subject)
        if name == "facts" and _unloadable(result):
            loads = False
        kept = tuple(f for f in result.findings if f.code not in ignored)
        results.append(replace(result, findings=kept))
        progress(results[-1])
    return Report(subject.target, results=tuple(results))


def _unloadable(result: CheckResult) -> bool:
    """Whether nothing else can be tried, as the process died or the host refused it."""
    return any(
        "loading the plugin" in finding.message or finding.code in ("FPY101", "FPY102", "FPY104")
        for finding in result.findings
    )


def selected(only: Iterable[str]) -> list[str]:
    """Check the names of checks; none means all.

    Raises:
        RequestError: There is no such check.
    """
    names = list(only)
    for name in names:
        _known(name, CHECKS, "check")
    return [name for name in CHECKS if not names or name in names]


def codes(given: Iterable[str]) -> frozenset[str]:
    """Check the codes of findings, written in upper or lower case.

    Raises:
        RequestError: There is no such code.
    """
    found = list(given)
    for code in found:
        _known(code.upper(), CATALOGUE, "code", f"all of them are in {DOCS_PAGE} of falcopy's docs")
    return frozenset(code.upper() for code in found)


def _known(name: str, known: Collection[str], what: str, where: str = "") -> None:
    if name in known:
        return
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else where or f"there are {', '.join(known)}"
    raise RequestError(f"there is no {what} {name!r}: {hint}")
