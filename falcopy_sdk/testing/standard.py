"""``standard_tests(MyPlugin)``: the whole battery in an author's test module, in one line."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from falcopy_sdk.testing.battery import CHECKS, run_here, run_isolated
from falcopy_sdk.testing.battery.runner import selected
from falcopy_sdk.testing.samples import payloads_of
from falcopy_sdk.testing.target import subject_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from falcopy_sdk.testing.battery import Check, Finding, Subject
    from falcopy_sdk.testing.samples import Payloads
    from falcopy_sdk.testing.target import PluginLike

__all__ = ["standard_tests"]


def standard_tests(
    plugin: PluginLike,
    *,
    sample_events: Payloads = (),
    config: str | Mapping[str, Any] | None = None,
    open_params: str | None = None,
    source: str = "",
    secrets: Iterable[str] = (),
    arguments: Mapping[str, Iterable[str]] | None = None,
    only: Iterable[str] = (),
    ignore: Iterable[str] = (),
) -> type:
    """Make the class of standard tests for a plugin.

    In a test module::

        TestStandard = standard_tests(AcmeAudit, sample_events="samples/events.jsonl")

    A class is tested in this process, so that breakpoints and coverage work; a shared library, also
    one that ``--falco-plugin`` puts in its place, in processes of its own.

    Args:
        plugin: The plugin class, or the path of a shared library.
        sample_events: Payloads, or a file or folder of them (see ``read_events``). Fields are
            checked on them, and hostile events are made of them.
        config: An init configuration that works.
        open_params: Open parameters that work here and give events; None: the source may refuse
            to open, and is tested as far as it goes.
        source: The event source that the samples are of; "": the plugin's own.
        secrets: Texts that must not appear in any log or error, besides the values of keys that
            are declared or named as secrets.
        arguments: Arguments to try for fields that take one, by the field's name.
        only: Names of the checks to run; none: all.
        ignore: Codes of findings (``"FPY203"``) that do not count.

    Raises:
        RequestError: There is no such check, or no such file.
        DeclarationError: The class declares no plugin.
    """
    subject = subject_of(
        plugin,
        config=config,
        events=tuple(payloads_of(sample_events)),
        open_params=open_params,
        source=source,
        secrets=tuple(secrets),
        arguments={name: tuple(values) for name, values in (arguments or {}).items()},
    )
    ignored = frozenset(ignore)
    tests = {_name(CHECKS[name]): _test(CHECKS[name], subject, ignored) for name in selected(only)}
    return type("StandardTests", (), {"__doc__": f"Standard tests of {subject.target}.", **tests})


def _name(check: Check) -> str:
    return "test_" + "".join(c if c.isalnum() else "_" for c in check.title.replace(",", ""))


def _test(check: Check, subject: Subject, ignored: frozenset[str]) -> Any:
    def test(_self: object, request: pytest.FixtureRequest) -> None:
        # What fails is the plugin: the sentences tell where, frames of these tests would not.
        __tracebackhide__ = True
        tested = _tested(subject, request.config)
        run = run_isolated if tested.is_file else run_here
        result = run(check.name, tested)
        findings = [finding for finding in result.findings if finding.code not in ignored]
        for note in result.notes:
            request.node.add_report_section("call", "falcopy", f"{check.name}: {note}")
        if findings:
            pytest.fail(_sentences(tested, findings), pytrace=False)
        if result.skipped:
            pytest.skip(result.skipped)

    test.__doc__ = f"{check.title[0].upper()}{check.title[1:]}."
    test.__name__ = test.__qualname__ = _name(check)
    return test


def _tested(subject: Subject, config: pytest.Config) -> Subject:
    """The subject, or the library that the command line puts in its place."""
    given = config.getoption("falco_plugin", default=None)
    if not given:
        return subject
    other = subject_of(given, folder=config.invocation_params.dir)
    return replace(subject, target=other.target, cls=None, import_paths=other.import_paths)


def _sentences(subject: Subject, findings: list[Finding]) -> str:
    lines = [f"{subject.target}:"]
    for finding in findings:
        lines += [f"  {finding.code} {finding.message}.", f"         {finding.fix}"]
    return "\n".join(lines)
