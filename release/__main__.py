"""The release of this repository: falcopy-sdk and its reference plugin.

    python release check [--tag v0.1.0]
    python release build --output DIR
    python release publish --from DIR --to HOST/PATH --index index.yaml --previous DIR
        [--key cosign.key]
    python release dry-run [--built DIR]

The workflow release.yml runs the first three, each in a job of its own; the dry run runs all of
them here, with a registry on loopback and a key that is thrown away.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(Path(__file__).parent))

import building  # noqa: E402 - found by the line above
import changelog  # noqa: E402
import local_registry  # noqa: E402
import publishing  # noqa: E402
import versions  # noqa: E402

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_PREVIOUS = "Folder with index.yaml and index.lock.json of the last release; empty: the first one."


@click.group()
def release() -> None:
    """Check, build and publish a release."""


@release.command()
@click.option("--tag", help="The tag to release: v and the version of falcopy-sdk.")
def check(tag: str | None) -> None:
    """Fail when versions or the changelog do not fit; with --tag, as a release needs it."""
    found = versions.read(ROOT)
    problems = changelog.problems(ROOT, found, tag)
    for problem in problems:
        click.echo(f"release: {problem}", err=True)
    if problems:
        sys.exit(1)
    click.echo(f"falcopy-sdk {found.sdk}, k8saudit-aks {found.plugin}")


@release.command()
@click.option("--output", type=click.Path(path_type=Path), default=Path("dist/release"))
@click.option("--sdk-wheel/--no-sdk-wheel", default=True, help="cibuildwheel makes them, too.")
def build(output: Path, sdk_wheel: bool) -> None:
    """Build the wheels and the plugin for this machine, and check them."""
    if sdk_wheel:
        building.sdk_wheel(ROOT, output)
    building.plugin_wheel(ROOT, output)
    building.plugin(ROOT, output)


@release.command()
@click.option("--from", "built", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--to", "target", metavar="HOST/PATH", required=True)
@click.option("--index", type=click.Path(path_type=Path), default=Path("dist/index.yaml"))
@click.option("--previous", type=_FOLDER, help=_PREVIOUS)
@click.option("--key", type=click.Path(exists=True, path_type=Path), help="Default: keyless.")
@click.option("--public-key", type=click.Path(exists=True, path_type=Path))
def publish(
    built: Path,
    target: str,
    index: Path,
    previous: Path | None,
    key: Path | None,
    public_key: Path | None,
) -> None:
    """Package, push, sign, index and verify what was built; the page's files are in DIR/assets."""
    if (key is None) != (public_key is None):
        raise click.UsageError("--key and --public-key belong together")
    signer = publishing.Keyless.of_workflow() if key is None else None
    if key is not None and public_key is not None:
        keys = publishing.Keys(key, public_key)
        publishing.publish(ROOT, built, target, index, keys, previous)
    elif signer is not None:
        publishing.publish(ROOT, built, target, index, signer, previous)


@release.command("dry-run")
@click.option(
    "--built",
    type=click.Path(exists=True, path_type=Path),
    help="Publish the files in this folder instead of building.",
)
@click.option("--previous", type=_FOLDER, help=_PREVIOUS)
def dry_run(built: Path | None, previous: Path | None) -> None:
    """Do all steps, with a registry on this machine and a throw-away key."""
    from falcopy_sdk.provenance.keys import write_key_pair

    check.callback(None)  # type: ignore[misc]
    output = ROOT / "dist" / "release"
    if built is None:
        shutil.rmtree(output, ignore_errors=True)
        build.callback(output, sdk_wheel=True)  # type: ignore[misc]
    with tempfile.TemporaryDirectory(prefix="falcopy-release-") as scratch:
        folder = Path(scratch)
        private, public = folder / "cosign.key", folder / "cosign.pub"
        password = os.environ.setdefault("COSIGN_PASSWORD", "thrown away")
        write_key_pair(private, public, password.encode())
        with local_registry.running(folder / "registry") as host:
            publishing.publish(
                ROOT,
                built or output,
                f"{host}/falcopy",
                folder / "index.yaml",
                publishing.Keys(private, public),
                previous,
            )
    click.echo("dry run: all steps done; nothing was published")


if __name__ == "__main__":
    release(prog_name="python release")
