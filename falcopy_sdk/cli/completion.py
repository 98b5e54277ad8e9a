"""``falcopy completion``: what a shell needs to complete commands, options and files."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from falcopy_sdk.exceptions import RequestError

__all__ = ["completion"]

_VARIABLE = "_FALCOPY_COMPLETE"
_SHELLS = ("bash", "zsh", "fish")
_EXAMPLES = """
Examples:

\b
  falcopy completion bash > ~/.local/share/bash-completion/completions/falcopy
  falcopy completion zsh > ~/.zfunc/_falcopy    with ~/.zfunc in fpath, before compinit
  falcopy completion fish > ~/.config/fish/completions/falcopy.fish
"""


@click.command(epilog=_EXAMPLES)
@click.argument("shell", type=click.Choice(_SHELLS), required=False)
def completion(shell: str | None) -> None:
    """Print the script that makes SHELL complete falcopy's commands and options.

    SHELL is bash, zsh or fish; default: the one in $SHELL.
    """
    from falcopy_sdk.cli import main

    name = shell or Path(os.environ.get("SHELL", "")).name
    made = get_completion_class(name) if name in _SHELLS else None
    if made is None:
        raise RequestError(f"$SHELL is {name!r}: name one of {', '.join(_SHELLS)}")
    click.echo(made(main, {}, "falcopy", _VARIABLE).source())
