"""``falcopy run``: events and fields of a plugin, as a host would see them."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from types import FrameType

    from falcopy_sdk.cli.printing import EventPrinter
    from falcopy_sdk.host import LogSink

__all__ = ["run"]

#: Seconds that a plugin gets to return after Ctrl-C. Hosts wait for ever; a terminal should not.
_GRACE = 3.0
_STDOUT = 1  # the file descriptor
_EXAMPLES = """
Examples:

\b
  falcopy run . --open-params audit.jsonl
  falcopy run acme_audit.py --fields acme.user,acme.groups --limit 5
  falcopy run libjson.so --init-config @config.yaml --json | jq .fields
  falcopy run . --open-params audit.jsonl --metrics

breakpoint() in the plugin's code stops there: step with pdb, c goes on.

Exit codes: 0 the source ended or Ctrl-C, 1 the plugin failed, 2 wrong usage, 3 no events to show.
"""


@click.command(epilog=_EXAMPLES)
@click.argument("plugin", default=".")
@click.option(
    "--init-config",
    metavar="JSON|YAML|@FILE",
    help="The plugin's init configuration: JSON, a YAML map as in falco.yaml, or a file of either.",
)
@click.option("--open-params", metavar="TEXT", default="", help="The plugin's open parameters.")
@click.option(
    "--fields",
    metavar="a,b[x]",
    help="Fields to extract; default: every field without an argument that has a value.",
)
@click.option("--limit", type=click.IntRange(min=1), help="End after so many events.")
@click.option("--metrics", is_flag=True, help="In the end, the plugin's metrics.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("-q", "--quiet", is_flag=True, help="Log lines of warnings and errors only.")
@click.option("-v", "--verbose", is_flag=True, help="Log lines for debugging too.")
def run(
    plugin: str,
    init_config: str | None,
    open_params: str,
    fields: str | None,
    limit: int | None,
    metrics: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Drive PLUGIN in falcopy's host and print its events.

    PLUGIN is a shared library (a plugin in any language), or, without a build, a plugin written in
    Python: its folder (default: this one), its file, module:Class, or its registered name. Logs go
    to standard error. Ctrl-C ends it.

    With --json a line has num, ts (ns since the epoch), source, data (the plugin's text of the
    event, else the payload) and fields (null: no value; lists are lists). --metrics adds a last
    line with metrics alone.
    """
    from falcopy_sdk.cli.plugins import config_text
    from falcopy_sdk.cli.printing import HumanPrinter, JsonPrinter
    from falcopy_sdk.host import split_requests

    wanted = None if fields is None else split_requests(fields)
    printer: EventPrinter = (JsonPrinter if as_json else HumanPrinter)(wanted)
    # Standard output is the events'; print() of a class in this process is talk.
    with contextlib.redirect_stdout(sys.stderr):
        log = _log_to_stderr(quiet=quiet, verbose=verbose)
        driven = _Run(plugin, config_text(init_config), open_params, limit, metrics, printer, log)
        driven.until_it_ends()


def _log_to_stderr(*, quiet: bool, verbose: bool) -> LogSink:
    from falcopy_sdk.abi import LogSeverity

    # Of a class in this process: what a built plugin logs as well, and with -v the rest.
    logging.getLogger().setLevel(logging.DEBUG if verbose else logging.INFO)
    most = LogSeverity.TRACE if verbose else LogSeverity.WARNING if quiet else LogSeverity.INFO

    def log(component: str, message: str, severity: LogSeverity) -> None:
        if severity > most:
            return
        click.echo(f"[{severity.name.lower()}] {component}: {message}", err=True)

    return log


class _Run:
    """The host's thread and, apart from it, the main thread that hears Ctrl-C.

    A plugin may block in C for as long as it likes, and Python runs signal handlers on the main
    thread between byte codes only: so the plugin is driven from another thread.
    """

    def __init__(
        self,
        plugin: str,
        config: str | None,
        params: str,
        limit: int | None,
        metrics: bool,
        printer: EventPrinter,
        log: LogSink,
    ) -> None:
        self._log = log
        self._plugin = plugin
        self._config = config
        self._params = params
        self._limit = limit
        self._metrics = metrics
        self._printer = printer
        self._stopping = False
        # Wakes the main thread. A pipe and no threading.Event: a signal handler must not take a
        # lock that the code it interrupts may hold.
        self._wake_reader, self._wake_writer = os.pipe()
        self._failure: BaseException | None = None
        self._stage = "load"

    def until_it_ends(self) -> None:
        """Runs the plugin to its end, or until a signal; raises what it failed with."""
        before = {s: signal.signal(s, self._on_signal) for s in (signal.SIGINT, signal.SIGTERM)}
        thread = threading.Thread(target=self._drive, name="falcopy-host", daemon=True)
        try:
            thread.start()
            os.read(self._wake_reader, 1)
            thread.join(_GRACE if self._stopping else None)
            if thread.is_alive():
                self._abandon()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if isinstance(self._failure, BrokenPipeError):
            # Whoever read has gone (`| head`). What is buffered goes nowhere, without a message.
            os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT)
        elif self._failure is not None:
            raise self._failure

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._stopping:  # the second time: at once
            self._abandon()
        self._stopping = True
        os.write(self._wake_writer, b"s")

    def _abandon(self) -> None:
        click.echo(
            f"falcopy: the plugin does not return from {self._stage}; ended without closing it",
            err=True,
        )
        sys.stderr.flush()
        os._exit(0)

    def _drive(self) -> None:
        try:
            self._host()
        except BaseException as failure:  # noqa: BLE001 - raised again on the main thread
            self._failure = failure
        finally:
            os.write(self._wake_writer, b"e")

    def _host(self) -> None:
        from falcopy_sdk.cli.plugins import load
        from falcopy_sdk.exceptions import NothingToDoError, RequestError
        from falcopy_sdk.host import Capability

        with load(self._plugin) as library:
            if not library.capabilities & (Capability.SOURCING | Capability.ASYNC):
                raise NothingToDoError(
                    f"plugin {library.facts.name!r} has no events of its own to show: it neither "
                    "has a source nor sends asynchronous events"
                )
            self._stage = "init"
            with library.init(self._config, log=self._log) as plugin:
                if self._metrics and "get_metrics" not in plugin.entries:
                    raise RequestError(f"plugin {library.facts.name!r} has no metrics")
                self._printer.prepare(plugin)
                self._stage = "open"
                with plugin.open(self._params) as instance:
                    self._stage = "next_batch"
                    for event in instance.events(self._limit, stop=lambda: self._stopping):
                        self._printer.print(plugin, event)
                    if self._metrics:  # while it is open: some plugins have none afterwards
                        self._printer.print_metrics(plugin.metrics())
                    self._stage = "close"
