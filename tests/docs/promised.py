"""What versions speak for (docs/explanation/versions.md), read from the code: a name a line.

``python tests/docs/promised.py`` writes the list anew; a release takes along what is new in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click

import falcopy_sdk
from falcopy_sdk import exceptions, testing
from falcopy_sdk.bundle.settings import Settings
from falcopy_sdk.cli import main
from falcopy_sdk.testing.battery.catalogue import CATALOGUE

LIST = Path(__file__).with_name("promised.txt")


def promised() -> Iterator[str]:
    """One line for each name that cannot go without notice."""
    for module in (falcopy_sdk, testing):
        yield from (f"name {module.__name__}.{name}" for name in module.__all__)
    yield from _commands(main, "falcopy")
    codes = {getattr(exceptions, name).exit_code for name in exceptions.__all__}
    yield from (f"exit code {code}" for code in codes)
    yield from (f"setting {field.name.replace('_', '-')}" for field in fields(Settings))
    yield from (f"finding {code}" for code in CATALOGUE)


def _commands(command: click.Command, path: str) -> Iterator[str]:
    yield f"command {path}"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield from (f"command {path} {name}" for name in parameter.opts)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None, name
            yield from _commands(inner, f"{path} {name}")


if __name__ == "__main__":
    LIST.write_text("".join(f"{line}\n" for line in sorted(promised())))
