"""How the findings of ``falcopy check`` are shown: for people, and as JUnit XML for CI."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

import click

if TYPE_CHECKING:
    from falcopy_sdk.testing.battery import CheckResult, Report

__all__ = ["junit", "text"]


def text(report: Report) -> str:
    """The findings, then a sentence on all of them."""
    lines: list[str] = []
    for finding in report.findings:
        lines += [
            f"{click.style(finding.code, fg='red', bold=True)} {finding.message}",
            f"       {finding.fix}",
        ]
    ran = [result for result in report.results if not result.skipped]
    checks = f"{len(ran)} {'check' if len(ran) == 1 else 'checks'}"
    if report.findings:
        count = len(report.findings)
        total = f"{count} {'finding' if count == 1 else 'findings'} in {checks}"
    else:
        total = f"no finding in {checks}"
    skipped = len(report.results) - len(ran)
    about = " ".join(part for part in report.about if part)
    lines.append(
        f"{report.target}{f' ({about})' if about else ''}: {total}"
        + (f", {skipped} not run" if skipped else "")
    )
    return "\n".join(lines)


def junit(report: Report) -> bytes:
    """JUnit XML, as CI systems read it: a test case a check."""
    suite = ElementTree.Element(
        "testsuite",
        name="falcopy check",
        tests=str(len(report.results)),
        failures=str(sum(1 for result in report.results if result.findings)),
        errors="0",
        skipped=str(sum(1 for result in report.results if result.skipped)),
        time=f"{sum(result.seconds for result in report.results):.3f}",
    )
    for result in report.results:
        suite.append(_case(report.target, result))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _case(target: str, result: CheckResult) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase", classname=target, name=result.name, time=f"{result.seconds:.3f}"
    )
    if result.findings:
        failure = ElementTree.SubElement(
            case, "failure", type=result.findings[0].code, message=result.findings[0].message
        )
        failure.text = "\n".join(str(finding) for finding in result.findings)
    if result.skipped:
        ElementTree.SubElement(case, "skipped", message=result.skipped)
    if result.notes:
        ElementTree.SubElement(case, "system-out").text = "\n".join(result.notes)
    return case
