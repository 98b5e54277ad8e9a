"""``falcopy package``: plugins and rules to OCI layouts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from falcopy_sdk.cli.registries import project_about

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from falcopy_sdk.oci import Packed

__all__ = ["artifact_options", "pack", "package"]

_PLACEHOLDER = "registry.example/plugins"


def artifact_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that say what an artifact tells about itself."""
    for option in reversed(
        (
            click.option("--depends-on", multiple=True, metavar="NAME:VERSION[|NAME:VERSION...]",
                help="Another artifact that must be installed too, with alternatives; repeatable."),
            click.option("--requires", multiple=True, metavar="NAME:VERSION",
                help="What the Falco must have, such as engine_version_semver:0.31.0; repeatable. "
                "plugin_api_version and the rules' own requirements are found by themselves. "
                "This and --depends-on: for a plugin or for rules, not for both at once."),
            click.option("--project", type=click.Path(exists=True, path_type=Path),
                help="Take description, license, URLs, authors, keywords from its pyproject.toml."),
            click.option("--description", help="One line."),
            click.option("--license", metavar="SPDX", help="SPDX expression: Apache-2.0."),
            click.option("--source", metavar="URL", help="Of the sources (GHCR links to them)."),
            click.option("--home", metavar="URL", help="Of the documentation."),
            click.option("--author", "authors", multiple=True, metavar="'NAME <MAIL>'",
                help="Repeatable."),
            click.option("--keyword", "keywords", multiple=True,
                help="For falcoctl artifact search; repeatable."),
            click.option("--rules-name", help="Default: the plugin's name and -rules."),
            click.option("--rules-version", help="Default: the plugin's."),
            click.option("--glibc", metavar="X.Y",
                help="Refuse a plugin that needs a newer glibc; official plugins need 2.31."),
            click.option("--index-artifact-type", "artifact_type", is_flag=True,
                help="Put artifactType into the index, as falcoctl's push does; skopeo drops it, "
                "and with it the digest."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@click.command(
    epilog="""\b
Examples:
  falcopy package dist/libacme.so
  falcopy package dist/libacme.so rules/acme_rules.yaml --project . --to ghcr.io/acme/plugins
  falcopy package amd64/libacme.so arm64/libacme.so -o out --tar
"""
)
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("dist/oci"),
    show_default=True,
    help="Folder for the layouts and the snippets.",
)
@click.option("--tar", is_flag=True, help="Layouts as tar files instead of folders.")
@click.option(
    "--to",
    "target",
    metavar="REGISTRY/PATH",
    help="Where the artifacts will be, for the snippets: PATH/plugin/NAME, PATH/ruleset/NAME.",
)
@artifact_options
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def package(
    files: tuple[Path, ...],
    output: Path,
    tar: bool,
    target: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Pack FILES into OCI layouts that falcoctl installs once they are pushed.

    FILES are the builds of one plugin (.so, in any language, one a platform) and rules files
    (.yaml); the plugin becomes one artifact, the rules another. Beside the layouts come snippets
    to paste: falcoctl.yaml, index.yaml, falco.yaml and Helm values.

    The same input gives the same digest. The time of creation is SOURCE_DATE_EPOCH, else 1970.
    Prints the layouts' paths.
    """
    from falcopy_sdk.oci import Layout, write_snippets
    from falcopy_sdk.oci.files import storing

    packed = pack(files, output, **given)
    paths = {artifact.config.name: artifact.layout for artifact in packed}
    written = write_snippets(output / "snippets", packed, target or _PLACEHOLDER)
    for artifact in packed:
        # One form is left: a stale one of the other would be pushed by mistake.
        archive = artifact.layout.with_name(f"{artifact.layout.name}.tar")
        if tar:
            with Layout.open(artifact.layout) as layout:
                layout.write_tar(archive)
            shutil.rmtree(artifact.layout)
            paths[artifact.config.name] = archive
        else:
            with storing(archive):
                archive.unlink(missing_ok=True)
    if as_json:
        where = target or _PLACEHOLDER
        report = [_report(artifact, paths[artifact.config.name], where) for artifact in packed]
        document = {"artifacts": report, "snippets": [str(path) for path in written]}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    for artifact in packed:
        for note in artifact.notes:
            click.echo(f"note: {artifact.config.name}: {note}.", err=True)
    if target is None:
        click.echo(
            f"note: the snippets name {_PLACEHOLDER}; --to says where you will push to.", err=True
        )
    for artifact in packed:
        click.echo(_line(artifact), err=True)
        click.echo(str(paths[artifact.config.name]))


def pack(
    files: Sequence[Path],
    output: Path,
    *,
    depends_on: Sequence[str],
    requires: Sequence[str],
    project: Path | None,
    rules_name: str | None,
    rules_version: str | None,
    glibc: str | None,
    artifact_type: bool,
    **about: Any,
) -> list[Packed]:
    """Sorts files into artifacts and packs each into a layout of its name under ``output``."""
    from falcopy_sdk.oci import (
        About,
        package_plugin,
        package_rules,
        parse_dependency,
        parse_requirement,
    )

    rules = [file for file in files if file.suffix in (".yaml", ".yml")]
    libraries = [file for file in files if file not in rules]
    if not rules and (rules_name or rules_version):
        raise click.UsageError("--rules-name and --rules-version are for rules; name a .yaml file")
    if not libraries and (glibc or artifact_type):
        raise click.UsageError("--glibc and --index-artifact-type are for plugins; name a .so file")
    if libraries and rules and (depends_on or requires):
        raise click.UsageError(
            "--depends-on and --requires are for one artifact, and a plugin and its rules become "
            "two. What rules need stands in them (required_plugin_versions, "
            "required_engine_version); for the plugin, package it by itself first"
        )
    told = project_about(project) | {key: value for key, value in about.items() if value}
    needs: dict[str, Any] = {
        "dependencies": [parse_dependency(text) for text in depends_on],
        "requirements": [parse_requirement(text) for text in requires],
    }
    packed: list[Packed] = []
    # The names of the layouts are known only afterwards.
    scratch = output / ".packing"
    try:
        if libraries:
            made = package_plugin(
                libraries,
                scratch,
                about=About(**told) if told else None,
                glibc=glibc,
                artifact_type=artifact_type,
                **needs,
            )
            packed.append(_named(made, output))
        if rules:
            made = package_rules(
                rules,
                scratch,
                name=rules_name,
                version=rules_version,
                plugin=packed[0].config if packed else None,
                about=About(**told),
                **needs,
            )
            packed.append(_named(made, output))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return packed


def _named(made: Packed, output: Path) -> Packed:
    """Moves a layout to its name, replacing the one of the last run."""
    import dataclasses

    from falcopy_sdk.oci.layout_folder import replaced

    target = output / made.config.name
    with replaced(target) as place:
        made.layout.rename(place)
    return dataclasses.replace(made, layout=target)


def _line(artifact: Packed) -> str:
    platforms = ", ".join(map(str, artifact.platforms))
    return (
        f"{artifact.kind} {artifact.config.name} {artifact.config.version} "
        f"{f'({platforms}) ' if platforms else ''}{artifact.root.digest}"
    )


def _report(artifact: Packed, path: Path, target: str) -> dict[str, Any]:
    from falcopy_sdk.oci import reference_of

    reference = reference_of(artifact, target).with_tag(artifact.config.version)
    return {
        "type": artifact.kind,
        "layout": str(path),
        "reference": str(reference),
        "digest": artifact.root.digest,
        "platforms": [str(platform) for platform in artifact.platforms],
        "files": list(artifact.files),
        "config": json.loads(artifact.config.encode()),
        "notes": list(artifact.notes),
    }
