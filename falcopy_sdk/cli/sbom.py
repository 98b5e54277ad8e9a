"""``falcopy sbom``: the bill of materials inside a built plugin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

__all__ = ["sbom"]


@click.command(
    epilog="""\b
Examples:
  falcopy sbom dist/libacme.so > acme.cdx.json
  falcopy sbom dist/libacme.so --list
  falcopy sbom dist/libacme.so --licences licences/
"""
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--list", "as_list", is_flag=True, help="Names, versions and licences, for people.")
@click.option(
    "--licences",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the licence texts of all parts into this folder.",
)
def sbom(file: Path, as_list: bool, licences: Path | None) -> None:
    """Print the bill of materials of the plugin FILE: CycloneDX, as JSON.

    It names CPython, every Python package, every library of the building machine, and their
    files, with licences and hashes.
    """
    from falcopy_sdk.bundle.licences import FOLDER
    from falcopy_sdk.bundle.sbom import NAME
    from falcopy_sdk.exceptions import BundleFormatError
    from falcopy_sdk.oci.files import write_file
    from falcopy_sdk.provenance import shapes
    from falcopy_sdk.provenance.plugin_file import PluginFile

    with PluginFile.open(file) as plugin:
        if licences is not None:
            for name in plugin.archive.namelist():
                inside = name.startswith(f"{FOLDER}/") and not name.endswith("/")
                if inside and ".." not in Path(name).parts:
                    write_file(licences / Path(name).relative_to(FOLDER), plugin.read(name))
            click.echo(str(licences))
        elif as_list:
            wrong = shapes.problem(plugin.sbom, shapes.BILL)
            if wrong is not None:
                raise BundleFormatError(
                    f"{file}: its bill of materials is none of ours: {wrong}; build or download "
                    "the plugin again"
                )
            click.echo(_table(plugin.sbom))
        else:
            click.echo(plugin.read(NAME), nl=False)


def _table(document: dict[str, Any]) -> str:
    rows = [
        (str(part["name"]), str(part.get("version", "")), _licence(part))
        for part in document["components"]
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(
        f"{name:{widths[0]}}  {version:{widths[1]}}  {licence}" for name, version, licence in rows
    )


def _licence(part: dict[str, Any]) -> str:
    found = [
        str(entry.get("expression") or entry.get("license", {}).get("name", ""))
        for entry in part.get("licenses", ())
    ]
    return ", ".join(found) or "unknown"
