"""``falcopy check``: the standard tests for a plugin in any language."""

from __future__ import annotations

import difflib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from falcopy_sdk.testing.battery import CheckResult, Report, Subject

__all__ = ["check"]

_EXAMPLES = """
Examples:

\b
  falcopy check dist/libacme-audit.so
  falcopy check libjson.so --events samples.jsonl --source k8s_audit
  falcopy check . --init-config @config.yaml --open-params audit.jsonl
  falcopy check libacme.so --json > report.json
  falcopy check --explain FPY305
"""


def _explained(ctx: click.Context, _parameter: click.Parameter, code: str | None) -> None:
    if code is None:
        return
    from falcopy_sdk.testing.battery.catalogue import CATALOGUE

    entry = CATALOGUE.get(code.upper())
    if entry is None:
        near = difflib.get_close_matches(code.upper(), CATALOGUE, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise click.BadParameter(f"there is no finding {code}{hint}")
    click.echo(f"{entry.code}: {entry.title}\n\nWhat hosts do: {entry.why}\n")
    click.echo(f"What to do: {entry.fix}")
    ctx.exit()


def _argument(
    _ctx: click.Context, _parameter: click.Parameter, given: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not value:
            raise click.BadParameter(f"{item!r} is not FIELD=ARGUMENT, such as acme.tag=env")
        found[name] = (*found.get(name, ()), value)
    return found


@click.command(epilog=_EXAMPLES)
@click.argument("plugin")
@click.option("--init-config", metavar="JSON|YAML|@FILE", help="An init configuration that works.")
@click.option("--open-params", metavar="TEXT", help="Open parameters that work here.")
@click.option(
    "--events",
    type=click.Path(exists=True, path_type=Path),
    help="Sample events: a file with one a line, a JSON array, or a folder of files.",
)
@click.option("--source", default="", help="Event source of the samples; default: the plugin's.")
@click.option(
    "--argument",
    "arguments",
    multiple=True,
    metavar="FIELD=ARG",
    callback=_argument,
    help="An argument to try for a field that takes one. Repeatable.",
)
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    help="A text that must appear nowhere, besides the configuration's secrets. Repeatable.",
)
@click.option("--only", multiple=True, metavar="CHECK", help="Run this check. Repeatable.")
@click.option("--ignore", multiple=True, metavar="CODE", help="Let this finding pass. Repeatable.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.5),
    default=10.0,
    show_default=True,
    help="Seconds after which a call counts as hanging.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML here too."
)
@click.option("-q", "--quiet", is_flag=True, help="Findings only.")
@click.option("-v", "--verbose", is_flag=True, help="Also what could not be tried.")
@click.option(
    "--explain",
    metavar="CODE",
    is_eager=True,
    expose_value=False,
    callback=_explained,
    help="Say what a finding means, and end.",
)
def check(
    plugin: str,
    init_config: str | None,
    open_params: str | None,
    events: Path | None,
    source: str,
    arguments: dict[str, tuple[str, ...]],
    secrets: tuple[str, ...],
    only: tuple[str, ...],
    ignore: tuple[str, ...],
    timeout: float,
    as_json: bool,
    junit: Path | None,
    quiet: bool,
    verbose: bool,
) -> None:
    """Check whether PLUGIN does what hosts rely on.

    PLUGIN is a shared library (a plugin in any language), or a plugin written in Python:
    module:Class, its folder, or its registered name. Each check runs in a process of its own: a
    crash, a hang or a leak is a finding. The more you give, the more is tried: sample events, a
    configuration, open parameters.

    Exit codes: 0 no finding, 1 findings, 2 wrong usage, 4 the JUnit file cannot be written.
    """
    from falcopy_sdk.cli.plugins import subject_of
    from falcopy_sdk.testing.battery import run
    from falcopy_sdk.testing.samples import read_events
    from falcopy_sdk.testing.settings import read_config

    subject = subject_of(
        plugin,
        config=None if init_config is None else read_config(init_config),
        open_params=open_params,
        events=tuple(read_events(events)) if events else (),
        source=source,
        arguments=arguments,
        secrets=secrets,
        patience=timeout,
    )
    progress = _Progress(silent=quiet or as_json, verbose=verbose)
    report = run(subject, only=only, ignore=ignore, progress=progress)
    _write(report, subject, as_json=as_json, junit=junit, quiet=quiet)
    if report.findings:
        sys.exit(1)


def _write(
    report: Report, subject: Subject, *, as_json: bool, junit: Path | None, quiet: bool
) -> None:
    from falcopy_sdk.cli import checkreport
    from falcopy_sdk.oci.files import write_file

    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
    else:
        click.echo(checkreport.text(report))
        if report.findings and not quiet:
            click.echo("Explain a finding: falcopy check --explain CODE", err=True)
        if not subject.events and not quiet:
            hint = "Fields are checked better on sample events: --events samples.jsonl"
            click.echo(hint, err=True)
    if junit is not None:  # last: where it cannot be written, the report is seen nevertheless
        write_file(junit, checkreport.junit(report))


class _Progress:
    """A line a check, on standard error: what is done, and what is being done on a terminal."""

    def __init__(self, *, silent: bool, verbose: bool) -> None:
        self._silent = silent
        self._verbose = verbose
        self._live = sys.stderr.isatty()

    def __call__(self, event: CheckResult | str) -> None:
        if self._silent:
            return
        from falcopy_sdk.testing.battery import CHECKS

        if isinstance(event, str):
            if self._live:
                click.echo(f"  …     {CHECKS[event].title}", err=True, nl=False)
            return
        if self._live:
            click.echo("\r\x1b[K", err=True, nl=False)
        click.echo(f"{_mark(event)} {CHECKS[event.name].title}{_why(event)}", err=True)
        for note in event.notes if self._verbose else ():
            click.echo(f"        note: {note}", err=True)


def _mark(result: CheckResult) -> Any:
    if result.findings:
        return click.style("  FAIL ", fg="red")
    if result.skipped:
        return click.style("  skip ", fg="yellow")
    return click.style("  ok   ", fg="green")


def _why(result: CheckResult) -> str:
    return f" ({result.skipped})" if result.skipped else ""
