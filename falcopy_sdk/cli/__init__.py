"""The command ``falcopy``: one module a command, imported when it is used.

A command is an entry of ``COMMANDS`` and a module of that name here with a click command of that
name in it. Exit codes: 0 success, 1 findings, 2 usage, 3 nothing to do, 4 toolchain, 5 build,
6 registry; an error's class says which (:class:`falcopy_sdk.exceptions.FalcopyError`). 130 is
Ctrl-C. Data goes to standard output, everything else to standard error.
"""

from __future__ import annotations

import difflib
import errno
import importlib
import os
import platform
import sys
from importlib.metadata import version
from typing import Any

import click

from falcopy_sdk.abi import API_VERSION
from falcopy_sdk.exceptions import FalcopyError, StorageError

__all__ = ["COMMANDS", "main"]

#: In the order of the help text; commands of installed packages come after them (hooks.py).
COMMANDS = (
    "new",
    "dev",
    "run",
    "fields",
    "build",
    "inspect",
    "sbom",
    "sign",
    "verify",
    "check",
    "bench",
    "doctor",
    "package",
    "push",
    "pull",
    "index",
    "completion",
)
_INTERRUPTED = 130  # what shells expect of a program that Ctrl-C ended
#: A disk, or what a user may have of it: whatever is being written.
_FULL = (errno.ENOSPC, errno.EDQUOT)
_STDOUT = 1  # the file descriptor
#: What rich console programs agree on: https://no-color.org, https://force-color.org.
_NO_COLOR, _FORCE_COLOR = "NO_COLOR", "FORCE_COLOR"

_EXAMPLES = """
Examples:

\b
  falcopy run . --open-params audit.jsonl    events and fields, without a build
  falcopy build .                            dist/lib<name>.so
  falcopy check dist/libacme-audit.so        does it what hosts rely on?

Exit codes: 0 success, 1 findings or a failed plugin, 2 usage, 3 nothing to do, 4 toolchain,
5 build, 6 registry, 130 Ctrl-C.
"""


class _LazyGroup(click.Group):
    def list_commands(self, _ctx: click.Context) -> list[str]:
        return [*COMMANDS, *sorted(set(_given_by_hooks()) - set(COMMANDS))]

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return _given_by_hooks().get(name)
        module = importlib.import_module(f"{__name__}.{name}")
        command = getattr(module, name)
        assert isinstance(command, click.Command), f"{module.__name__}.{name}"
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Names the nearest command to one that does not exist."""
        name = args[0]
        if not ctx.resilient_parsing and self.get_command(ctx, name) is None:
            known = self.list_commands(ctx)
            near = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(known)}."
            ctx.fail(f"No such command {name!r}. {hint}")
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Turns an expected error into one sentence and its exit code, without a traceback."""
        if os.environ.get(_NO_COLOR) or os.environ.get(_FORCE_COLOR):
            kwargs["color"] = not os.environ.get(_NO_COLOR)
        try:
            return super().main(*args, **kwargs)
        except FalcopyError as error:
            click.echo(f"falcopy: {error}", err=True)
            sys.exit(error.exit_code)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            where = error.filename or "standard output"
            click.echo(f"falcopy: {where}: {error.strerror}", err=True)
            # What is buffered goes nowhere, without a message of its own when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT)
            sys.exit(StorageError.exit_code)

    def invoke(self, ctx: click.Context) -> Any:
        """Ends at Ctrl-C as shells expect it, also while a command is still being imported."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(_INTERRUPTED)


def _given_by_hooks() -> dict[str, click.Command]:
    from falcopy_sdk.hooks import manager

    given = manager().hook.falcopy_cli_commands()
    return {command.name: command for commands in given for command in commands if command.name}


@click.group(
    name="falcopy",
    cls=_LazyGroup,
    epilog=_EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(
    version("falcopy-sdk"),
    message=(
        f"falcopy %(version)s, Python {platform.python_version()}, Falco plugin API {API_VERSION}"
    ),
)
def main() -> None:
    """Write Falco plugins in Python; ship them as one shared library."""
