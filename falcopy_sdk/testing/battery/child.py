"""The process that one check runs in: ``python -m falcopy_sdk.testing.battery.child``.

It takes a job as JSON from standard input and writes the result to a file. The stage it is in
stands in another file at every moment, for the parent to tell where it died.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from falcopy_sdk.exceptions import FalcopyError
from falcopy_sdk.testing.battery.checks import run_here
from falcopy_sdk.testing.battery.subject import Subject

if TYPE_CHECKING:
    from falcopy_sdk.testing.battery.result import CheckResult

_WIDTH = 1000


def main() -> None:
    """Run the job."""
    job = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    subject = Subject.from_json(job["subject"])
    stage = os.open(job["stage"], os.O_WRONLY)
    count = 0

    def note_stage(text: str) -> None:
        # One write over the whole width: the parent never sees half of one.
        nonlocal count
        count += 1
        line = f"{count}\n{text}".encode(errors="replace")[:_WIDTH]
        os.pwrite(stage, line, 0)
        os.ftruncate(stage, len(line))

    def keep(result: CheckResult) -> None:
        document = {**result.to_json(), "about": result.about, "secrets": result.secrets}
        Path(job["result"]).write_text(json.dumps(document))

    try:
        keep(run_here(job["check"], subject, note_stage, keep))
    except FalcopyError as error:
        Path(job["result"]).write_text(json.dumps({"refused": str(error)}))
        return
    note_stage("the end of the process")


if __name__ == "__main__":
    main()
