"""``falcopy verify``: is a published artifact, or a file, what its maker released?"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from falcopy_sdk.cli.registries import Connection, connection_options

if TYPE_CHECKING:
    from falcopy_sdk.provenance import Report

__all__ = ["verify"]


@click.command(
    epilog="""\b
Examples:
  falcopy verify ghcr.io/acme/plugins/plugin/acme:0.1.0 --key cosign.pub
  falcopy verify dist/libacme.so

Signed without a key pair (with an identity): cosign verify --certificate-identity=…
--certificate-oidc-issuer=… REF checks who signed, which takes Sigstore's trust root; this
command, without --key, all the rest.
"""
)
@click.argument("target", metavar="REF|FILE")
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Public key (cosign.pub) of whoever must have signed.",
)
@connection_options
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def verify(target: str, key: Path | None, as_json: bool, connection: Connection) -> None:
    """Check what REF points to, or FILE, and say what fails and what to do.

    Checked: the signature of the index's digest; every digest; that config, index and library
    name the same plugin, version and platform; each file in the library against the bill of
    materials inside; the attached and signed bills of materials; the provenance. Of a FILE:
    payload, static facts, bill of materials, and with --key the signature FILE.sig.

    Exits with 1 if a check fails. Without --key everything but the signatures is checked.
    """
    from falcopy_sdk import provenance
    from falcopy_sdk.oci import Reference

    public = provenance.load_public(key) if key is not None else None
    if Path(target).is_file():
        report = provenance.verify_file(Path(target), public)
    else:
        reference = Reference.parse(target)
        with connection(reference.registry) as registry:
            report = provenance.verify_artifact(registry, reference, public)
    if as_json:
        click.echo(json.dumps(_document(report), indent=2, ensure_ascii=False))
    else:
        _show(report)
    if report.failed:
        sys.exit(1)


def _document(report: Report) -> dict[str, object]:
    return {
        "target": report.target,
        "digest": report.digest,
        "ok": not report.failed,
        "checks": [dataclasses.asdict(check) for check in report.checks],
    }


def _show(report: Report) -> None:
    width = max(len(check.name) for check in report.checks)
    for check in report.checks:
        click.echo(f"{check.outcome:8}{check.name:{width}}  {check.detail}")
        if check.fix:
            click.echo(f"{'':8}{'':{width}}  → {check.fix}")
    failed, total = len(report.failed), len(report.checks)
    click.echo(f"{failed} of {total} checks failed" if failed else f"{total} checks, none failed")
