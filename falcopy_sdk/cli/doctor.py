"""``falcopy doctor``: what this machine lacks to build or run plugins, and the fix for each."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from falcopy_sdk.cli.diagnosis import Answer

__all__ = ["doctor"]

_EXAMPLES = """
Examples:

\b
  falcopy doctor
  falcopy doctor --falco-config ./falco.yaml
  falcopy doctor --json | jq '.[] | select(.state == "missing")'
"""
_MARKS = {"ok": ("ok", "green"), "missing": ("MISSING", "red"), "absent": ("-", "yellow")}


@click.command(epilog=_EXAMPLES)
@click.option(
    "--falco-config", metavar="FILE", help="Falco's configuration; default: /etc/falco/falco.yaml."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("-q", "--quiet", is_flag=True, help="Only what is missing.")
def doctor(falco_config: str | None, as_json: bool, quiet: bool) -> None:
    """Say what this machine lacks to build or run plugins, and what to do about it.

    Hosts that are not installed are shown and do not count: not every machine needs one.

    Exit codes: 0 nothing is missing, 1 something is.
    """
    from falcopy_sdk.cli.diagnosis import diagnose

    answers = []
    for answer in diagnose(falco_config):
        answers.append(answer)
        if not as_json and (answer.state == "missing" or not quiet):
            click.echo(_text(answer))
    if as_json:
        click.echo(json.dumps([answer.to_json() for answer in answers], indent=2))
    if any(answer.state == "missing" for answer in answers):
        sys.exit(1)


def _text(answer: Answer) -> str:
    mark, colour = _MARKS[answer.state]
    line = f"{click.style(f'{mark:8}', fg=colour)}{answer.what:22} {answer.found}"
    return f"{line}\n{'':8}{answer.fix}" if answer.fix else line
