"""``falcopy fields``: a plugin's fields as a Markdown table, for its README."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from falcopy_sdk.exceptions import FalcopyError, ProjectError

if TYPE_CHECKING:
    from falcopy_sdk.host import FieldInfo

__all__ = ["fields"]

_BEGIN, _END = "<!-- falcopy fields: begin -->", "<!-- falcopy fields: end -->"


@click.command(
    epilog="""\b
    Examples:
      falcopy fields
      falcopy fields dist/libacme.so
      falcopy fields --write README.md
      falcopy fields --check README.md    in CI
    """
)
@click.argument("plugin", default=".")
@click.option(
    "--write",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"Put the table into this file, between {_BEGIN} and {_END}.",
)
@click.option(
    "--check",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Only say whether the table in this file is the right one; exit code 1 if not.",
)
def fields(plugin: str, write: Path | None, check: Path | None) -> None:
    """Print the fields of PLUGIN as a Markdown table.

    PLUGIN is a plugin's shared library, a folder with a pyproject.toml (default: this folder),
    module:Class, or the name of an installed plugin.
    """
    from falcopy_sdk.cli.plugins import load
    from falcopy_sdk.oci.files import storing

    with load(plugin) as library:
        table = _table(library.facts.fields)
    file = write or check
    if file is None:
        click.echo(table, nl=False)
        return
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(f"{file}: cannot be read ({error}); it has to be UTF-8 text") from error
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ProjectError(f"{file}: no lines {_BEGIN} and {_END} to put the table between")
    wanted = f"{before}{begin}\n{table}{end}{after}"
    if check and wanted != text:
        raise FalcopyError(
            f"{file}: the table is not that of the plugin's fields; write it anew with falcopy "
            f"fields --write {file}"
        )
    if write:
        with storing(file):
            file.write_text(wanted, encoding="utf-8")


def _table(declared: tuple[FieldInfo, ...]) -> str:
    rows = ["| field | value | meaning |", "| --- | --- | --- |"]
    for field in declared:
        kind = field.type.name.lower()
        argument = "key" if field.arg_key else "index" if field.arg_index else ""
        optional = "" if field.arg_required else "?"
        name = f"{field.name}[{argument}{optional}]" if argument else field.name
        rows.append(
            f"| `{name}` | {f'list of {kind}' if field.is_list else kind} "
            f"| {field.desc.rstrip('.').replace('|', chr(92) + '|')} |"
        )
    return "\n".join(rows) + "\n"
