"""The process that replays for ``falcopy dev``: ``python -m falcopy_sdk.testing.replay JOB``.

A process of its own for each replay: modules are imported afresh, and what crashes or hangs ends
nothing else. It takes a job as JSON from one file and writes the result to another, so that
standard input and output are the terminal's: ``breakpoint()`` stops there.
"""

from __future__ import annotations

import itertools
import json
import logging
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from falcopy_sdk.abi import LogSeverity
from falcopy_sdk.exceptions import FalcopyError
from falcopy_sdk.testing.battery.subject import Subject
from falcopy_sdk.testing.driven import DrivenPlugin

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["replay"]

#: Of sys.addaudithook: what breakpoint() and pdb.set_trace() are known by.
_DEBUGGER = ("builtins.breakpoint", "sys.settrace")


class _Talking(DrivenPlugin):
    """Shows log lines as they come: of a replay that hangs they are all there is."""

    most: int

    def _log(self, component: str, message: str, severity: LogSeverity) -> None:
        super()._log(component, message, severity)
        if severity <= self.most:
            print(f"[{severity.name.lower()}] {component}: {message}", file=sys.stderr)


def replay(job: Mapping[str, Any]) -> dict[str, Any]:
    """Run the events of a job through a plugin.

    Args:
        job: ``subject`` (see ``Subject.to_json``), ``fields`` (names, or None for those that have
            a value), ``limit`` of events from the plugin's own source, when there are no samples,
            and ``severity``, the least that a log line must have to be shown.

    Returns:
        ``plugin`` and ``events`` (fields of each); or ``error``, a sentence.
    """
    subject = Subject.from_json(job["subject"])
    names, limit = job["fields"], job["limit"]
    try:
        with _Talking(subject.load(), subject.config) as plugin:
            plugin.most = job["severity"]
            if subject.events:
                events = [plugin.fields(data, names) for data in subject.events]
            else:
                # Without end: who waits for this process knows whether it is being debugged.
                given = plugin.events(subject.open_params or "", limit=limit, timeout=math.inf)
                events = [plugin.fields(event, names) for event in itertools.islice(given, limit)]
            about = f"{plugin.facts.name} {plugin.facts.version}"
    except FalcopyError as error:
        return {"error": str(error)}
    return {"plugin": about, "events": events}


def main() -> None:
    """Run the job of the file that is named; ``debugged`` is made once it is being debugged."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    debugged = Path(job["debugged"])

    def audit(event: str, _arguments: object) -> None:
        if event in _DEBUGGER:
            debugged.touch()

    sys.addaudithook(audit)
    # As in a bundle, where the root logger's usual WARNING does not hold.
    shown = job["severity"]
    logging.getLogger().setLevel(logging.DEBUG if shown > LogSeverity.INFO else logging.INFO)
    # Addresses are the only values that are not JSON's own.
    result = json.dumps(replay(job), default=str)
    Path(job["result"]).write_text(result, encoding="utf-8")


if __name__ == "__main__":
    main()
