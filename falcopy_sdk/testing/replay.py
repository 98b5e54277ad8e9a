"""The process that replays events for ``falcopy dev``: ``python -m falcopy_sdk.testing.replay``.

A process of its own for each replay: modules are imported afresh, and what crashes or hangs ends
nothing else. It takes a job as JSON from standard input; the last line of standard output is the
result. Whatever the plugin prints goes to standard error.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
from typing import TYPE_CHECKING, Any

from falcopy_sdk.abi import LogSeverity
from falcopy_sdk.exceptions import FalcopyError
from falcopy_sdk.testing.battery.subject import Subject
from falcopy_sdk.testing.driven import DrivenPlugin

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["replay"]


def replay(job: Mapping[str, Any]) -> dict[str, Any]:
    """Run the events of a job through a plugin.

    Args:
        job: ``subject`` (see ``Subject.to_json``), ``fields`` (names, or None for those that have
            a value) and ``limit`` of events from the plugin's own source, when there are no
            samples.

    Returns:
        ``plugin``, ``events`` (fields of each) and ``logs``; or ``error``, a sentence.
    """
    subject = Subject.from_json(job["subject"])
    names, limit = job["fields"], job["limit"]
    try:
        with DrivenPlugin(subject.load(), subject.config) as plugin:
            try:
                if subject.events:
                    events = [plugin.fields(data, names) for data in subject.events]
                else:
                    given = plugin.events(subject.open_params or "", limit=limit)
                    taken = itertools.islice(given, limit)
                    events = [plugin.fields(event, names) for event in taken]
            finally:
                logs = [
                    f"[{line.severity.name.lower()}] {line.component}: {line.message}"
                    for line in plugin.logs
                    if line.severity <= LogSeverity.INFO
                ]
            about = f"{plugin.facts.name} {plugin.facts.version}"
    except (FalcopyError, TimeoutError) as error:
        return {"error": str(error)}
    return {"plugin": about, "events": events, "logs": logs}


def main() -> None:
    """Run the job that standard input has."""
    job = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        result = replay(job)
    # Addresses are the only values that are not JSON's own.
    print(json.dumps(result, default=str), flush=True)


if __name__ == "__main__":
    main()
