"""``falcopy new``: a plugin project from a template."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from falcopy_sdk.exceptions import FalcopyError

__all__ = ["new"]


def _names() -> list[str]:
    from falcopy_sdk.scaffold import templates

    return [template.name for template in templates()]


@click.command(
    epilog="""\b
    Examples:
      falcopy new                       asks, on a terminal
      falcopy new acme-audit --template source-poll --description "Acme cloud audit log"
      falcopy new --list
      falcopy new --update              in a project's folder: to the newest template
    """
)
@click.argument("name", required=False)
@click.option("-t", "--template", help="What to start from; --list shows all.")
@click.option("--description", help="What the plugin does, one line.")
@click.option("--contact", help="Who to ask: a URL or an address.")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to make; default: NAME. With --update: the project, default this folder.",
)
@click.option("--update", is_flag=True, help="Bring a project to the installed template.")
@click.option("--list", "list_", is_flag=True, help="Show the templates.")
def new(
    name: str | None,
    template: str | None,
    description: str | None,
    contact: str | None,
    output: Path | None,
    update: bool,
    list_: bool,
) -> None:
    """Make the project of a new plugin, with tests, rules and a CI workflow.

    NAME is the plugin's name, such as acme-audit. What is not given is asked for on a terminal and
    has a default elsewhere, save NAME and --template.
    """
    from falcopy_sdk import scaffold

    if list_:
        for one in scaffold.templates():
            click.echo(f"{one.name:14}{one.summary}")
        return
    if update:
        if name or template or description or contact:
            raise click.UsageError("--update takes no NAME and no options but --output")
        _update(output or Path())
        return
    names = scaffold.Names(_answer(name, "NAME", "Name of the plugin"))
    chosen = scaffold.find_template(_template(template))
    folder = output or Path(names.plugin)
    scaffold.create(
        chosen,
        names,
        folder,
        description=_answer(
            description, "--description", "What it does", f"Events of {names.title}"
        ),
        contact=_answer(contact, "--contact", "Contact", "https://example.org"),
    )
    click.echo(
        f"{folder}: a project from template {chosen.name}. Next:\n"
        f"  cd {folder}\n"
        '  pip install -e ".[dev]"\n'
        "  pytest\n"
        "  falcopy build",
        err=True,
    )
    click.echo(folder)


def _answer(given: str | None, flag: str, question: str, default: str | None = None) -> str:
    if given is not None:
        return given
    if sys.stdin.isatty():
        return str(click.prompt(question, default=default, err=True))
    if default is None:
        raise click.UsageError(f"{flag} is missing (and there is no terminal to ask on)")
    return default


def _template(given: str | None) -> str:
    if given is not None:
        return given
    names = _names()
    if not sys.stdin.isatty():
        raise click.UsageError(f"--template is missing: one of {', '.join(names)}")
    return str(click.prompt("Template", type=click.Choice(names), default=names[0], err=True))


def _update(folder: Path) -> None:
    from falcopy_sdk import scaffold

    changes = scaffold.update(folder)
    for file, change in changes.items():
        click.echo(f"{file}: {change.value}", err=True)
    conflicts = [file for file, change in changes.items() if change is scaffold.Change.CONFLICT]
    if conflicts:
        raise FalcopyError(
            f"{len(conflicts)} files have conflicts to resolve: {', '.join(conflicts)}"
        )
