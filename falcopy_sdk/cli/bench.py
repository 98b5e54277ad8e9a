"""``falcopy bench``: events a second and nanoseconds a field, of one plugin or two in one run."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from falcopy_sdk.testing.battery import Subject

__all__ = ["bench"]

_EXAMPLES = """
Examples:

\b
  falcopy bench dist/libacme-audit.so --open-params audit.jsonl
  falcopy bench libacme-old.so libacme-new.so --events samples.jsonl --source acme_audit
  falcopy bench dist/libacme-audit.so --fields acme.user,acme.groups --json
"""
_ERASE_LINE = "\r\x1b[K"
_PERCENTILES = ("p50", "p99", "p99.9")


@click.command(epilog=_EXAMPLES)
@click.argument("plugin")
@click.argument("other", required=False)
@click.option("--init-config", metavar="JSON|YAML|@FILE", help="The init configuration.")
@click.option("--open-params", metavar="TEXT", help="Open parameters that give many events.")
@click.option(
    "--events",
    type=click.Path(exists=True, path_type=Path),
    help="Sample events to extract fields of; default: events of the source.",
)
@click.option("--source", default="", help="Event source of the samples; default: the plugin's.")
@click.option("--fields", metavar="a,b[x]", help="Fields to time; default: all.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.05),
    default=1.0,
    show_default=True,
    help="For the source in a round; each field gets a tenth.",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Rounds, each plugin in turn; the median counts.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def bench(
    plugin: str,
    other: str | None,
    init_config: str | None,
    open_params: str | None,
    events: Path | None,
    source: str,
    fields: str | None,
    seconds: float,
    rounds: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure PLUGIN, and OTHER beside it in the same run.

    Both are shared libraries in any language, or plugins written in Python: module:Class, a folder,
    or a registered name. "first" is the first call for a field of an event that comes from a
    capture file, "again" another call for the same event. Of two plugins the ratios count, not
    the figures: they were taken on the same machine within the same minute.
    """
    from falcopy_sdk.cli.plugins import subject_of
    from falcopy_sdk.host import split_requests
    from falcopy_sdk.testing.bench import measure_apart
    from falcopy_sdk.testing.samples import read_events
    from falcopy_sdk.testing.settings import read_config

    subjects: list[Subject] = [
        subject_of(
            name,
            config=None if init_config is None else read_config(init_config),
            open_params=open_params,
            events=tuple(read_events(events)) if events else (),
            source=source,
        )
        for name in (plugin, other)
        if name is not None
    ]
    wanted = None if fields is None else split_requests(fields)
    found: list[list[dict[str, Any]]] = [[] for _ in subjects]
    live = not quiet and sys.stderr.isatty()
    try:
        for number in range(1, rounds + 1):
            for subject, results in zip(subjects, found, strict=True):
                if live:
                    step = f"round {number} of {rounds}: {subject.target} …"
                    click.echo(f"{_ERASE_LINE}{step}", err=True, nl=False)
                results.append(measure_apart(subject, wanted, seconds))
    finally:
        if live:
            click.echo(_ERASE_LINE, err=True, nl=False)
    medians = [_median(results) for results in found]
    report = [
        {"plugin": subject.target, **median}
        for subject, median in zip(subjects, medians, strict=True)
    ]
    click.echo(json.dumps(report, indent=2) if as_json else _table(report))


def _median(values: list[Any]) -> Any:
    """The median of each number of alike documents."""
    first = values[0]
    if isinstance(first, dict):
        return {
            key: _median([value[key] for value in values if value is not None]) for key in first
        }
    if isinstance(first, (int, float)):
        return type(first)(statistics.median(value for value in values if value is not None))
    return first


def _table(report: list[dict[str, Any]]) -> str:
    rows = [["", *(f"{one['name']} {one['version']}" for one in report)]]
    rows.append(["init", *(f"{one['init_ms']:.1f} ms" for one in report)])
    _with_ratio(rows[-1], [one["init_ms"] for one in report])
    for title, part in (("source", "bare"), ("source, every field", "with_fields")):
        drained = [(one["source"] or {}).get(part) for one in report]
        if any(drained):
            rows.append([title, *(_speed(one) for one in drained)])
            _with_ratio(rows[-1], [one and one["events_per_s"] for one in drained])
    names = dict.fromkeys(name for one in report for name in one["fields"])
    if names:
        head = ["field, ns", *(f"first {' '.join(_PERCENTILES)}, again p50" for _ in report)]
        rows += [[], head]
    for name in names:
        timed = [one["fields"].get(name) for one in report]
        rows.append([name, *(_field(one) for one in timed)])
        _with_ratio(rows[-1], [one and one["first_ns"]["p50"] for one in timed])
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(len(report) + 1)]
    return "\n".join(
        "  ".join(
            f"{cell:{width}}" for cell, width in zip(row, [*widths, 0], strict=False)
        ).rstrip()
        for row in rows
    )


def _with_ratio(row: list[str], values: list[Any]) -> None:
    """Adds what the first is to the second, if there are two."""
    if len(values) == 2:
        row.append(f"x{values[0] / values[1]:.2f}" if values[0] and values[1] else "")


def _speed(drained: dict[str, Any] | None) -> str:
    if not drained:
        return "-"
    return f"{drained['events_per_s']:,} events/s, {drained['cpu_us_per_event']:.2f} us CPU each"


def _field(timed: dict[str, Any] | None) -> str:
    if not timed:
        return "-"
    first = " ".join(f"{timed['first_ns'][p]:>7,}" for p in _PERCENTILES)
    return f"{first} {timed['again_ns']['p50']:>6,}"
