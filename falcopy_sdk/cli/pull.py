"""``falcopy pull``: an artifact from a registry, checked and unpacked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from falcopy_sdk.cli.registries import Bar, Connection, connection_options, platform_option

if TYPE_CHECKING:
    from falcopy_sdk.oci import Platform

__all__ = ["pull"]


@click.command(
    epilog="""\b
Examples:
  falcopy pull ghcr.io/acme/plugins/plugin/acme:0.1.0
  falcopy pull ghcr.io/acme/plugins/plugin/acme --platform linux/arm64 -o out
  falcopy pull ghcr.io/acme/plugins/plugin/acme@sha256:... --layout mirror/acme
"""
)
@click.argument("reference", metavar="REF")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Folder for the files; default: this folder.",
)
@click.option(
    "--layout",
    type=click.Path(file_okay=False, path_type=Path),
    help="Instead: everything, for all platforms, with signatures, as an OCI layout.",
)
@platform_option("Of a plugin; default: this machine's.")
@connection_options
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def pull(
    reference: str,
    output: Path,
    layout: Path | None,
    platform: Platform | None,
    as_json: bool,
    connection: Connection,
) -> None:
    """Fetch the artifact REF (HOST/REPOSITORY[:TAG|@DIGEST]), check every digest, unpack it.

    What falcoctl would refuse is refused. A file that is there is replaced by a new one, so a
    host that has loaded it is not disturbed. Prints the files' paths.
    """
    from falcopy_sdk import oci

    target = oci.Reference.parse(reference)
    with connection(target.registry) as registry, Bar("pulling") as bar:
        if layout is not None:
            with oci.copy_to_layout(registry, target, layout) as copy:
                root, config = oci.artifact_of(copy)
            digest, paths = root.digest, [layout]
        else:
            found, paths = oci.pull(
                registry, target, output, platform=platform or _here(), progress=bar
            )
            digest, config = str(found.reference.digest), found.config
    if as_json:
        document = {
            "reference": f"{target.name}@{digest}",
            "digest": digest,
            "config": json.loads(config.encode()),
            "files": [str(path) for path in paths],
        }
        click.echo(json.dumps(document, indent=2))
        return
    click.echo(f"{config.name} {config.version} {digest}", err=True)
    for need in (*config.dependencies, *config.requirements):
        click.echo(f"note: needs {need}.", err=True)
    for path in paths:
        click.echo(str(path))


def _here() -> Platform:
    import platform

    from falcopy_sdk.oci import Platform

    machine = platform.machine()
    return Platform("linux", {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine))
