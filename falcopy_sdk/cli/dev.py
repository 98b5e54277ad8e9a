"""``falcopy dev``: replays events at every change of a file, and shows what is another."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import termios
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from falcopy_sdk.exceptions import FalcopyError

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    severity: int

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

    def folders(self) -> list[Path]:
        """Folders with all in them whose changes count."""
        path = Path(self.plugin)
        given = [path if path.is_dir() else path.parent if path.exists() else Path.cwd()]
        if self.events is not None and self.events.is_dir():
            given.append(self.events)
        return [place.resolve() for place in given]

    def files(self) -> list[Path]:
        """Single files whose changes count, outside of these."""
        given = [] if self.events is None or self.events.is_dir() else [self.events]
        if self.init_config is not None and self.init_config.startswith("@"):
            given.append(Path(self.init_config[1:]))
        folders = self.folders()
        files = [file.resolve() for file in given if file.parent.is_dir()]
        return [file for file in files if not any(file.is_relative_to(place) for place in folders)]


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
@click.option("-q", "--quiet", is_flag=True, help="Log lines of warnings and errors only.")
@click.option("-v", "--verbose", is_flag=True, help="Log lines for debugging too.")
def dev(
    plugin: str,
    events: Path | None,
    init_config: str | None,
    open_params: str | None,
    fields: str | None,
    limit: int,
    timeout: float,
    once: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Replay events through PLUGIN at every change of its files, and show which fields changed.

    PLUGIN is its folder (default: this one), a Python file, module:Class, or a registered name. The
    events are samples or come from the plugin's own source. An error is shown and waits for the
    next change. breakpoint() in the plugin's code stops there, for as long as it takes. Ctrl-C ends
    it.
    """
    from falcopy_sdk.abi import LogSeverity
    from falcopy_sdk.host import split_requests

    wanted = None if fields is None else split_requests(fields)
    most = LogSeverity.TRACE if verbose else LogSeverity.WARNING if quiet else LogSeverity.INFO
    job = _Job(plugin, init_config, events, open_params, wanted, limit, timeout, most)
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
    seen = _changes(job.folders(), job.files(), stop)
    next(seen)  # it watches from here on: what changes during the first replay counts
    before = _replay(job, None)
    places = ", ".join(map(str, (*job.folders(), *job.files())))
    click.echo(f"watching {places}; Ctrl-C ends it", err=True)
    for changed in seen:
        if not changed:
            continue
        names = sorted({path.name for path in changed})
        click.echo(f"\n{', '.join(names[:3])} changed", err=True)
        before = _replay(job, before) or before


def _changes(folders: list[Path], files: list[Path], stop: threading.Event) -> Iterator[set[Path]]:
    """What changes, several times a second: also that nothing has."""
    from watchfiles import DefaultFilter, watch

    counts = DefaultFilter()
    options: dict[str, Any] = {
        "watch_filter": None,  # it would not say when all that changes is of no interest
        "debounce": _DEBOUNCE,
        "rust_timeout": _TIMEOUT,
        "yield_on_timeout": True,
        "stop_event": stop,
        "raise_interrupt": False,
    }
    watchers = [watch(*folders, **options)]
    if files:
        # Not the files: one that an editor puts in the place of another is not seen a second time.
        parents = {file.parent for file in files}
        watchers.append(watch(*parents, recursive=False, **options))
    for of_folders, *of_files in zip(*watchers, strict=False):
        found = {Path(path) for change, path in of_folders if counts(change, path)}
        found |= {Path(path) for changes in of_files for _, path in changes} & set(files)
        yield found


def _replay(job: _Job, before: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    """Replays once and prints it; returns the fields, or None after an error."""
    try:
        result = _run(job, job.subject())
    except FalcopyError as error:
        click.echo(f"falcopy: {error}", err=True)
        return None
    if "error" in result:
        click.echo(f"falcopy: {result['error']}", err=True)
        return None
    found: list[dict[str, Any]] = result["events"]
    if before is None:
        _print_all(found)
    else:
        _print_changes(before, found)
    return found


def _run(job: _Job, subject: Subject) -> dict[str, Any]:
    """Runs it in a process that has the terminal, for pdb."""
    with tempfile.TemporaryDirectory(prefix="falcopy-dev-") as folder, _terminal():
        given, result, debugged = (Path(folder, name) for name in ("job", "result", "debugged"))
        document = {
            "subject": subject.to_json(),
            "fields": job.fields,
            "limit": job.limit,
            "severity": job.severity,
            "result": str(result),
            "debugged": str(debugged),
        }
        given.write_text(json.dumps(document), encoding="utf-8")
        # What the plugin prints is talk: standard output is for the fields.
        command = [sys.executable, "-u", "-m", "falcopy_sdk.testing.replay", str(given)]
        with subprocess.Popen(command, stdout=sys.stderr) as child:
            try:
                child.wait(job.timeout)
            except subprocess.TimeoutExpired:
                if not debugged.exists():
                    why = f"the replay did not end within {job.timeout:g} s; give --limit if the "
                    return {"error": f"{why}source waits for more events, or a longer --timeout"}
                child.wait()
            finally:
                child.kill()
        if child.returncode != 0 or not result.exists():
            return {"error": f"the replay ended with {child.returncode}"}
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return found


@contextlib.contextmanager
def _terminal() -> Iterator[None]:
    """Leaves the terminal as it was, also if pdb is ended while it edits a line."""
    if sys.stdin is None or not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


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
