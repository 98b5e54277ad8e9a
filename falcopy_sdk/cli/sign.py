"""``falcopy sign``: signs an artifact in a registry, or a file."""

from __future__ import annotations

import os
from pathlib import Path

import click

from falcopy_sdk.cli.registries import Connection, connection_options

__all__ = ["password", "sign"]

_PASSWORD = "COSIGN_PASSWORD"  # noqa: S105 - the variable's name


def password() -> bytes:
    """What opens the private key: the variable that cosign reads, else a question."""
    given = os.environ.get(_PASSWORD)
    if given is None:
        given = click.prompt("Password of the key", hide_input=True, default="", err=True)
    return os.fsencode(given)


@click.command(
    epilog="""\b
Examples:
  falcopy sign ghcr.io/acme/plugins/plugin/acme:0.1.0 --key cosign.key --source .
  falcopy sign dist/libacme.so --key cosign.key

\b
A key pair: cosign generate-key-pair. Without one, in a workflow with an identity:
  falcopy sign REF --predicate FILE
  cosign sign --yes REF@DIGEST
  cosign attest --yes --type slsaprovenance1 --predicate FILE REF@DIGEST
"""
)
@click.argument("target", metavar="REF|FILE")
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Private key: cosign.key, or PKCS #8 in PEM. COSIGN_PASSWORD opens an encrypted one.",
)
@click.option(
    "--source",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Git folder that the plugin was built from; the provenance names its commit.",
)
@click.option("--builder", metavar="URI", help="Who ran the build; default: GitHub's workflow.")
@click.option(
    "--predicate",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Sign nothing: attach the bills of materials, and write the provenance predicate (SLSA) "
    "there, for cosign attest.",
)
@connection_options
def sign(
    target: str,
    key: Path | None,
    source: Path | None,
    builder: str | None,
    predicate: Path | None,
    connection: Connection,
) -> None:
    """Sign what REF points to, or FILE.

    REF gets a signature that falcoctl and cosign verify, a signed provenance statement, and per
    platform a signed bill of materials, which is attached as well. FILE gets FILE.sig beside it.
    Signing again replaces what the same key made. Prints what was signed.
    """
    from falcopy_sdk import provenance
    from falcopy_sdk.oci import Reference
    from falcopy_sdk.oci.files import write_file

    commit = provenance.commit_of(source) if source is not None else None
    if predicate is not None:
        reference = Reference.parse(target)
        with connection(reference.registry) as registry:
            text = provenance.predicate_of(
                registry, reference, commit=commit, builder=builder, attach=True
            )
        write_file(predicate, text)
        click.echo("attached: bills of materials; nothing is signed yet", err=True)
        click.echo(str(predicate))
        return
    if key is None:
        raise click.UsageError("--key is missing: name cosign.key (cosign generate-key-pair)")
    private = provenance.load_private(key, password)
    if Path(target).is_file():
        click.echo(str(provenance.sign_file(Path(target), private)))
        return
    reference = Reference.parse(target)
    with connection(reference.registry) as registry:
        signed = provenance.sign_artifact(
            registry, reference, private, commit=commit, builder=builder
        )
    bills = ", ".join(signed.sboms) or "none (falcopy built none of it)"
    click.echo(f"signed: signature, provenance; SBOM of: {bills}", err=True)
    click.echo(str(reference.with_digest(signed.digest)))
