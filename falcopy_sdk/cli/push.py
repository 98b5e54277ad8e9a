"""``falcopy push``: a layout, or files, to a registry."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import click

from falcopy_sdk.cli.package import artifact_options, pack
from falcopy_sdk.cli.registries import Bar, Connection, connection_options

__all__ = ["push"]


@click.command(
    epilog="""\b
Examples:
  falcopy push dist/oci/acme ghcr.io/acme/plugins/plugin/acme
  falcopy push dist/libacme.so ghcr.io/acme/plugins/plugin/acme --dry-run
  falcopy push dist/oci/acme-rules localhost:5000/ruleset/acme --tag candidate

\b
Credentials, the first that has the registry:
  FALCOPY_REGISTRY, FALCOPY_REGISTRY_USERNAME, FALCOPY_REGISTRY_PASSWORD
  the hook falcopy_registry_credentials of an installed package
  FALCOCTL_REGISTRY_AUTH_BASIC, _OAUTH; falcoctl.yaml, registry.auth
  Docker's config.json ($DOCKER_CONFIG), credential helpers included
  falcoctl's clientcredentials.json
"""
)
@click.argument(
    "what", nargs=-1, required=True, metavar="LAYOUT|FILES...", type=click.Path(path_type=Path)
)
@click.argument("reference", metavar="REF")
@click.option("-t", "--tag", "tags", multiple=True, help="Another tag; repeatable.")
@click.option(
    "--floating/--no-floating",
    default=True,
    help="Also move X.Y, X and latest (releases only; never back to an older one).",
)
@click.option("--force", is_flag=True, help="Replace a version that has other contents.")
@click.option(
    "--mount-from",
    multiple=True,
    metavar="REPOSITORY",
    help="Repository of the same registry that may have the same blobs; repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Only look what would be sent and tagged.")
@artifact_options
@connection_options
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def push(
    what: tuple[Path, ...],
    reference: str,
    tags: tuple[str, ...],
    floating: bool,
    force: bool,
    mount_from: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
    connection: Connection,
    **given: Any,
) -> None:
    """Push a LAYOUT that falcopy package made, or FILES, to REF (HOST/REPOSITORY[:TAG]).

    The full version is always a tag; a release also gets X.Y, X and latest. Tags are set last:
    a push that is cut off publishes nothing, and is gone on with by running it again. What the
    registry has is not sent again.
    """
    from falcopy_sdk.oci import Layout, Reference, reference_of

    target = Reference.parse(reference)
    for tag in tags:
        Reference.parse(f"{target.name}:{tag}")
    with tempfile.TemporaryDirectory(prefix="falcopy-push-") as scratch:
        path = what[0]
        if len(what) > 1 or path.suffix in (".so", ".yaml", ".yml"):
            _exist(what)
            packed = pack(what, Path(scratch), **given)
            if len(packed) > 1:
                raise click.UsageError(
                    "a plugin and its rules go to two repositories, such as "
                    f"{reference_of(packed[0], target.name)} and "
                    f"{reference_of(packed[1], target.name)}: push each by itself"
                )
            for note in packed[0].notes:
                click.echo(f"note: {note}.", err=True)
            path = packed[0].layout
        else:
            _exist(what)
            if any(given.values()):
                raise click.UsageError(
                    f"{path} is packed already; give {_named(given)} to falcopy package"
                )
        with (
            Layout.open(path) as layout,
            connection(target.registry) as registry,
            Bar("pushing") as bar,
        ):
            from falcopy_sdk.oci import push as publish

            result = publish(
                layout,
                target,
                registry,
                tags=tags,
                floating=floating,
                force=force,
                dry_run=dry_run,
                mount_from=mount_from,
                progress=bar,
            )
    if as_json:
        document = {
            "reference": str(result.reference),
            "digest": result.reference.digest,
            "name": result.config.name,
            "version": result.config.version,
            "tags": list(result.tags),
            "kept": dict(result.kept),
            "sent": list(result.sent),
            "present": list(result.present),
            "sent_bytes": result.sent_bytes,
            "notes": list(result.notes),
            "dry_run": dry_run,
        }
        click.echo(json.dumps(document, indent=2))
        return
    for note in result.notes:
        click.echo(f"note: {note}.", err=True)
    for tag, version in result.kept:
        click.echo(f"note: the tag {tag} stays on {version}, which is newer.", err=True)
    would = "would be " if dry_run else ""
    click.echo(
        f"{would}sent: {len(result.sent)} of {len(result.sent) + len(result.present)} objects, "
        f"{result.sent_bytes / 1e6:.1f} MB; {would}tagged: {', '.join(result.tags)}",
        err=True,
    )
    click.echo(str(result.reference))


def _named(given: dict[str, Any]) -> str:
    context = click.get_current_context()
    options = {option.name: option.opts[0] for option in context.command.params}
    return " and ".join(options[name] for name, value in given.items() if value)


def _exist(paths: tuple[Path, ...]) -> None:
    for path in paths:
        if not path.exists():
            raise click.BadParameter(f"{path} does not exist", param_hint="LAYOUT|FILES")
