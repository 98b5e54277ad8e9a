"""``falcopy index``: makes, updates and checks the index.yaml of falcoctl."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from falcopy_sdk.cli.registries import Connection, connection_options

if TYPE_CHECKING:
    from falcopy_sdk.oci import Registry

__all__ = ["index"]

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def index() -> None:
    """Make, update and check an index.yaml, by which falcoctl finds artifacts by name."""


@index.command(
    epilog="""\b
Examples:
  falcopy index add index.yaml ghcr.io/acme/plugins/plugin/acme:0.1.0
  falcopy index add index.yaml ghcr.io/acme/plugins/plugin/acme --key cosign.pub
"""
)
@click.argument("file", metavar="INDEX", type=_FILE)
@click.argument("references", metavar="REF...", nargs=-1, required=True)
@click.option("--keyword", "keywords", multiple=True, help="For artifact search; repeatable.")
@click.option("--key", help="Public key by which falcoctl verifies: path, URL or KMS URI.")
@click.option("--ignore-tlog", is_flag=True, help="With --key: ask no transparency log.")
@click.option("--identity", metavar="URL", help="Signer's certificate identity (keyless).")
@click.option("--identity-regexp", metavar="REGEX", help="The same, as a pattern.")
@click.option("--issuer", metavar="URL", help="Issuer of the signer's certificate (keyless).")
@connection_options
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def add(
    file: Path,
    references: tuple[str, ...],
    keywords: tuple[str, ...],
    as_json: bool,
    connection: Connection,
    **signature: Any,
) -> None:
    """Put published artifacts REF into INDEX, or update their entries.

    Comments, order and everything else in INDEX stay. INDEX's .lock.json records the digest of
    each version: a version that comes back with another digest is refused. Keep both files under
    version control.
    """
    from falcopy_sdk.oci import IndexFile, Reference, add_to_index

    stanza = _stanza(**signature)
    made = IndexFile(file)
    report = []
    for text in references:
        reference = Reference.parse(text)
        with connection(reference.registry) as registry:
            found, changed = add_to_index(
                made, registry, reference, keywords=keywords, signature=stanza
            )
        report.append(
            {
                "name": found.config.name,
                "version": found.config.version,
                "digest": found.reference.digest,
                "changed": changed,
            }
        )
    made.save()
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    for item in report:
        state = "added" if item["changed"] else "unchanged"
        click.echo(f"{item['name']} {item['version']} {item['digest']} {state}")


@index.command(
    epilog="""\b
Examples:
  falcopy index check index.yaml
  falcopy index check index.yaml --online
"""
)
@click.argument("file", metavar="INDEX", type=click.Path(exists=True, path_type=Path))
@click.option("--online", is_flag=True, help="Also ask the registries for what INDEX promises.")
@connection_options
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def check(file: Path, online: bool, as_json: bool, connection: Connection) -> None:
    """Check INDEX against falcoctl's format; exits with 1 if something is wrong.

    With --online also: every entry has tags, names and types are those of the artifacts, recorded
    versions still have their digests, dependencies can be resolved.
    """
    from falcopy_sdk.oci import IndexFile, check_index

    made = IndexFile(file)
    problems, notes = made.problems(), list[str]()
    if online and not problems:
        with contextlib.ExitStack() as stack:
            known: dict[str, Registry] = {}

            def connect(host: str) -> Registry:
                if host not in known:
                    known[host] = stack.enter_context(connection(host))
                return known[host]

            problems += check_index(made, connect, notes=notes)
    if as_json:
        document = {"entries": len(made.entries), "problems": problems, "notes": notes}
        click.echo(json.dumps(document, indent=2))
    else:
        for note in notes:
            click.echo(f"note: {note}.", err=True)
        for problem in problems:
            click.echo(f"{file}: {problem}")
        if not problems:
            click.echo(f"{file}: {len(made.entries)} entries, no problem")
    if problems:
        sys.exit(1)


def _stanza(
    key: str | None,
    ignore_tlog: bool,
    identity: str | None,
    identity_regexp: str | None,
    issuer: str | None,
) -> dict[str, Any]:
    given: dict[str, Any] = {
        "certificate-oidc-issuer": issuer,
        "certificate-identity": identity,
        "certificate-identity-regexp": identity_regexp,
        "key": key,
        "ignore-tlog": ignore_tlog,
    }
    return {name: value for name, value in given.items() if value}
