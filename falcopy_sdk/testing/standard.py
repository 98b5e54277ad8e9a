"""``standard_tests(MyPlugin)``: the whole battery in an author's test module, in one line."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from falcopy_sdk.testing.battery import CHECKS, run_here, run_isolated
from falcopy_sdk.testing.battery.runner import codes, selected
from falcopy_sdk.testing.samples import payloads_of
from falcopy_sdk.testing.target import subject_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from falcopy_sdk.testing.battery import Check, Finding, Subject
    from falcopy_sdk.testing.samples import Payloads
    from falcopy_sdk.testing.target import PluginLike

    Config: TypeAlias = str | Mapping[str, Any] | None

__all__ = ["standard_tests"]


def standard_tests(
    plugin: PluginLike,
    *,
    sample_events: Payloads = (),
    config: Config | Callable[..., Config] = None,
    open_params: str | Callable[..., str] | None = None,
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

    A source that reads from a server is tested against a stand-in that a fixture starts::

        def config(api: StandIn) -> dict[str, str]:  # api is a fixture
            return {"url": api.url}

        TestStandard = standard_tests(AcmeAudit, config=config, open_params="")

    Args:
        plugin: The plugin class, or the path of a shared library.
        sample_events: Payloads, or a file or folder of them (see ``read_events``). Fields are
            checked on them, and hostile events are made of them.
        config: An init configuration that works; or a function that returns it for each test,
            whose parameters are fixtures.
        open_params: Open parameters that work here and give events; None: the source may refuse
            to open, and is tested as far as it goes. Or a function, as for ``config``.
        source: The event source that the samples are of; "": the plugin's own.
        secrets: Texts that must not appear in any log or error, besides the values of keys that
            are declared or named as secrets.
        arguments: Arguments to try for fields that take one, by the field's name.
        only: Names of the checks to run; none: all.
        ignore: Codes of findings (``"FPY203"``) that do not count.

    Raises:
        RequestError: There is no such check, code or file.
        DeclarationError: The class declares no plugin.
    """
    functions = {
        name: given
        for name, given in (("config", config), ("open_params", open_params))
        if callable(given)
    }
    subject = subject_of(
        plugin,
        config=None if callable(config) else config,
        events=tuple(payloads_of(sample_events)),
        open_params=None if callable(open_params) else open_params,
        source=source,
        secrets=tuple(secrets),
        arguments={name: tuple(values) for name, values in (arguments or {}).items()},
    )
    ignored = codes(ignore)
    tests = {
        _name(CHECKS[name]): _test(CHECKS[name], subject, functions, ignored)
        for name in selected(only)
    }
    return type("StandardTests", (), {"__doc__": f"Standard tests of {subject.target}.", **tests})


def _name(check: Check) -> str:
    return "test_" + "".join(c if c.isalnum() else "_" for c in check.title.replace(",", ""))


def _test(
    check: Check,
    subject: Subject,
    functions: Mapping[str, Callable[..., Any]],
    ignored: frozenset[str],
) -> Any:
    def test(_self: object, request: pytest.FixtureRequest) -> None:
        # What fails is the plugin: the sentences tell where, frames of these tests would not.
        __tracebackhide__ = True
        made = {name: _called(function, request) for name, function in functions.items()}
        tested = _tested(replace(subject, **made), request.config)
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
    # So that one that fails is an error of the set-up, not a failure of the plugin.
    fixtures = dict.fromkeys(name for function in functions.values() for name in _asked(function))
    return pytest.mark.usefixtures(*fixtures)(test) if fixtures else test


def _asked(function: Callable[..., Any]) -> list[str]:
    """Names of the fixtures that a function asks for: of its parameters without a default."""
    parameters = inspect.signature(function).parameters.values()
    return [parameter.name for parameter in parameters if parameter.default is parameter.empty]


def _called(function: Callable[..., Any], request: pytest.FixtureRequest) -> Any:
    return function(**{name: request.getfixturevalue(name) for name in _asked(function)})


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
