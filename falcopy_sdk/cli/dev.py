"""``falcopy dev``: replays events at every change of a file, and shows what is another."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from falcopy_sdk.exceptions import FalcopyError

if TYPE_CHECKING:
    from falcopy_sdk.testing.battery import Subject

__all__ = ["dev"]

_EXAMPLES = """
Examples:

\b
  falcopy dev --events samples/events.jsonl
  falcopy dev . --open-params audit.jsonl --limit 5
  falcopy dev acme_audit.py --events samples --fields acme.user,acme.groups
"""
#: Milliseconds to gather the changes of one "save all".
_DEBOUNCE = 100
#: Milliseconds after which the watcher says that nothing has changed.
_TIMEOUT = 200
_SHOWN = 120


@dataclass(frozen=True)
class _Job:
    """What one replay takes; the plugin and its files are looked up anew each time."""

    plugin: str
    init_config: str | None
    events: Path | None
    open_params: str | None
    fields: list[str] | None
    limit: int
    timeout: float

    def subject(self) -> Subject:
        """Read everything that may have changed.

        Raises:
            FalcopyError: Something cannot be read.
        """
        from falcopy_sdk.cli.plugins import subject_of
        from falcopy_sdk.testing.samples import read_events
        from falcopy_sdk.testing.settings import read_config

        return subject_of(
            self.plugin,
            config=None if self.init_config is None else read_config(self.init_config),
            events=() if self.events is None else tuple(read_events(self.events)),
            open_params=self.open_params,
        )

    def watched(self) -> list[Path]:
        """Files and folders whose changes count."""
        path = Path(self.plugin)
        given = [path if path.is_dir() else path.parent if path.exists() else Path.cwd()]
        if self.events is not None:
            given.append(self.events)
        if self.init_config is not None and self.init_config.startswith("@"):
            given.append(Path(self.init_config[1:]))
        return [place.resolve() for place in given if place.exists()]


@click.command(epilog=_EXAMPLES)
@click.argument("plugin", default=".")
@click.option("--events", type=click.Path(path_type=Path), help="Sample events to replay.")
@click.option("--init-config", metavar="JSON|YAML|@FILE", help="The plugin's init configuration.")
@click.option("--open-params", metavar="TEXT", help="Without --events: read the plugin's source.")
@click.option("--fields", metavar="a,b[x]", help="Fields to show; default: all with a value.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="At most so many events of the plugin's source.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.5),
    default=30.0,
    show_default=True,
    help="Seconds that one replay may take.",
)
@click.option("--once", is_flag=True, help="Replay once and end.")
def dev(
    plugin: str,
    events: Path | None,
    init_config: str | None,
    open_params: str | None,
    fields: str | None,
    limit: int,
    timeout: float,
    once: bool,
) -> None:
    """Replay events through PLUGIN at every change of its files, and show which fields changed.

    PLUGIN is its folder (default: this one), a Python file, module:Class, or a registered name. The
    events are samples or come from the plugin's own source. An error is shown and waits for the
    next change. Ctrl-C ends it.
    """
    from falcopy_sdk.host import split_requests

    wanted = None if fields is None else split_requests(fields)
    job = _Job(plugin, init_config, events, open_params, wanted, limit, timeout)
    if once:
        sys.exit(0 if _replay(job, None) is not None else 1)
    stop = threading.Event()

    def ended(*_: object) -> None:
        # Python drops what is raised while it happens to run a destructor: so the event as well.
        stop.set()
        raise KeyboardInterrupt

    # Ctrl-C is how this ends, whatever it is at.
    usual = signal.signal(signal.SIGINT, ended)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            _watch(job, stop)
    finally:
        signal.signal(signal.SIGINT, usual)


def _watch(job: _Job, stop: threading.Event) -> None:
    from watchfiles import watch

    places = job.watched()
    seen = watch(
        *places,
        debounce=_DEBOUNCE,
        rust_timeout=_TIMEOUT,
        yield_on_timeout=True,
        stop_event=stop,
        raise_interrupt=False,
    )
    next(seen)  # it watches from here on: what changes during the first replay counts
    before = _replay(job, None)
    click.echo(f"watching {', '.join(map(str, places))}; Ctrl-C ends it", err=True)
    for changes in seen:
        if not changes:
            continue
        names = sorted({Path(path).name for _, path in changes})
        click.echo(f"\n{', '.join(names[:3])} changed", err=True)
        before = _replay(job, before) or before


def _replay(job: _Job, before: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    """Replays once and prints it; returns the fields, or None after an error."""
    try:
        subject = job.subject()
    except FalcopyError as error:
        click.echo(f"falcopy: {error}", err=True)
        return None
    document = {"subject": subject.to_json(), "fields": job.fields, "limit": job.limit}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "falcopy_sdk.testing.replay"],
            input=json.dumps(document),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
            timeout=job.timeout,
        )
    except subprocess.TimeoutExpired:
        click.echo(f"falcopy: the replay did not end within {job.timeout:g} s", err=True)
        return None
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines:
        click.echo(f"falcopy: the replay ended with {done.returncode}", err=True)
        return None
    result = json.loads(lines[-1])
    if "error" in result:
        click.echo(f"falcopy: {result['error']}", err=True)
        return None
    for line in result["logs"]:
        click.echo(line, err=True)
    found: list[dict[str, Any]] = result["events"]
    if before is None:
        _print_all(found)
    else:
        _print_changes(before, found)
    return found


def _print_all(events: list[dict[str, Any]]) -> None:
    for number, fields in enumerate(events, 1):
        click.echo(click.style(f"event {number}", bold=True))
        for name, value in fields.items():
            click.echo(f"  {name} = {_shown(value)}")
    if not events:
        click.echo("no event came", err=True)


def _print_changes(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    changed = 0
    for number in range(1, max(len(before), len(after)) + 1):
        old = before[number - 1] if number <= len(before) else {}
        new = after[number - 1] if number <= len(after) else {}
        for name in dict.fromkeys((*old, *new)):
            if old.get(name) == new.get(name):
                continue
            changed += 1
            was, now = (_shown(fields.get(name)) for fields in (old, new))
            click.echo(
                f"event {number}: {name} = {click.style(was, fg='red')} -> "
                f"{click.style(now, fg='green')}"
            )
    count = f"{changed} {'field' if changed == 1 else 'fields'} changed"
    click.echo(f"{count if changed else 'no field changed'}, {len(after)} events", err=True)


def _shown(value: Any) -> str:
    if value is None:
        return "<NA>"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
