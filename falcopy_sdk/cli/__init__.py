"""The command ``falcopy``: one module a command, imported when it is used.

A command is an entry of ``COMMANDS`` and a module of that name here with a click command of that
name in it. Exit codes: 0 success, 1 findings, 2 usage, 3 nothing to do, 4 toolchain, 5 build,
6 registry; an error's class says which (:class:`falcopy_sdk.exceptions.FalcopyError`).
"""

from __future__ import annotations

import importlib
import platform
from importlib.metadata import version
from typing import Any

import click

from falcopy_sdk.abi import API_VERSION
from falcopy_sdk.exceptions import FalcopyError

__all__ = ["COMMANDS", "main"]

#: In the order of the help text.
COMMANDS = ("inspect", "run")


class _LazyGroup(click.Group):
    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"{__name__}.{name}")
        command = getattr(module, name)
        assert isinstance(command, click.Command), f"{module.__name__}.{name}"
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Turns an expected error into one sentence and its exit code, without a traceback."""
        try:
            return super().invoke(ctx)
        except FalcopyError as error:
            click.echo(f"falcopy: {error}", err=True)
            ctx.exit(error.exit_code)


@click.group(
    name="falcopy", cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(
    version("falcopy-sdk"),
    message=(
        f"falcopy %(version)s, Python {platform.python_version()}, Falco plugin API {API_VERSION}"
    ),
)
def main() -> None:
    """Write Falco plugins in Python; ship them as one shared library.

    Exit codes: 0 success, 1 findings or a failed plugin, 2 usage, 3 nothing to do, 4 toolchain,
    5 build, 6 registry.
    """
