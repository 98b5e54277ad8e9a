"""``falcopy inspect``: what a plugin file says about itself, without running author code."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from falcopy_sdk.cli import inspect_reports

if TYPE_CHECKING:
    from falcopy_sdk.bundle.image import Image
    from falcopy_sdk.host import FieldInfo, Library

__all__ = ["inspect"]

#: Of the manifest, what people are shown; --json has all of it.
_SHOWN = ("python", "machine", "sdk", "packages", "system_libraries")
#: Parts of it that the text has elsewhere or that are too long for it.
_SHOWN_APART = frozenset({"files", "format", "glibc_floor", "plugin"})


@click.command(
    epilog="""\b
    Examples:
      falcopy inspect dist/libacme-audit.so
      falcopy inspect libjson.so --json | jq '.fields[].name'
      falcopy inspect new.so --diff old.so
    """
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--size", is_flag=True, help="What takes room in it, the largest first.")
@click.option("--audit", is_flag=True, help="Check that nothing in it depends on its host.")
@click.option("--glibc", metavar="VERSION", help="With --audit: the oldest glibc it must run on.")
@click.option(
    "--diff",
    metavar="OTHER",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What differs from the plugin file OTHER.",
)
def inspect(
    file: Path, as_json: bool, size: bool, audit: bool, glibc: str | None, diff: Path | None
) -> None:
    """Show static facts, capabilities, fields, schema and contents of the plugin FILE.

    FILE is a plugin's shared library in any language. One that falcopy built is only read; any
    other must be loaded to ask it, but is not initialised. --size, --audit and --diff are for files
    that falcopy built; the last two end with 1 if they find something.
    """
    if sum((size, audit, diff is not None)) > 1:
        raise click.UsageError("--size, --audit and --diff are different reports: give one")
    if glibc is not None and not (audit and re.fullmatch(r"2\.\d+", glibc)):
        raise click.UsageError("--glibc goes with --audit and is a version such as 2.28")
    if size:
        inspect_reports.show_sizes(file, as_json=as_json)
    elif audit:
        sys.exit(inspect_reports.show_audit(file, glibc, as_json=as_json))
    elif diff is not None:
        sys.exit(inspect_reports.show_differences(file, diff, as_json=as_json))
    else:
        report = _report(file)
        shown = json.dumps(report, indent=2, ensure_ascii=False) if as_json else _text(report)
        click.echo(shown)


def _report(file: Path) -> dict[str, Any]:
    from falcopy_sdk.bundle import elf
    from falcopy_sdk.exceptions import LibraryError
    from falcopy_sdk.host import Library

    if not elf.is_elf(file.resolve()):
        raise LibraryError(f"{file}: not a shared library (no ELF file)")
    floor = elf.glibc_floor([elf.read(file.resolve())])
    image = _image(file)
    if image is not None and image.payload_size == 0:
        raise LibraryError(f"{file}: an empty loader; falcopy build makes a plugin of it")
    if image is None:
        library = Library.load(file)
    else:
        library = Library.from_static_facts(image.facts, str(file))
    with library:
        facts = _facts(library)
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {
        "file": str(file),
        "size": file.stat().st_size,
        "sha256": digest,
        **facts,
        "glibc_floor": {"file": floor, "bundle": image.glibc_floor if image else None},
        "bundle": None if image is None else _bundle(file, image),
    }


def _image(file: Path) -> Image | None:
    """The static facts of a bundle; None for a plugin that falcopy did not build."""
    from falcopy_sdk.bundle.image import is_built, read_image

    return read_image(file) if is_built(file) else None


def _facts(library: Library) -> dict[str, Any]:
    facts = library.facts
    return {
        "name": facts.name,
        "version": facts.version,
        "description": facts.description,
        "contact": facts.contact,
        "required_api_version": facts.required_api_version,
        "id": facts.id,
        "event_source": facts.event_source,
        "capabilities": [c.name.lower() for c in facts.capabilities if c.name],
        "exports": sorted(library.exports),
        "extract_event_sources": list(facts.extract_event_sources),
        "parse_event_sources": list(facts.parse_event_sources),
        "async_event_sources": list(facts.async_event_sources),
        "async_events": list(facts.async_events),
        "init_schema": facts.init_schema,
        "fields": [_field(field) for field in facts.fields],
    }


def _field(field: FieldInfo) -> dict[str, Any]:
    shown = dataclasses.asdict(field)
    return {**shown, "type": field.type.name.lower(), "properties": list(field.properties)}


def _bundle(file: Path, image: Image) -> dict[str, Any]:
    from falcopy_sdk.provenance.plugin_file import PluginFile

    with PluginFile.open(file) as plugin:
        names, contents = plugin.archive.namelist(), plugin.manifest
    return {
        "plugin_ref": image.facts.plugin_ref,
        "payload_sha256": image.payload_sha256,
        "payload_size": image.payload_size,
        "files": len(names),
        "manifest": contents,
    }


def _text(report: dict[str, Any]) -> str:
    own = f"{report['id']}, source {report['event_source']}" if report["id"] else "none"
    floor = report["glibc_floor"]
    lines = [
        f"{report['name']} {report['version']}",
        f"  {report['description']}",
        "",
        *_pairs(
            {
                "file": f"{report['file']} ({report['size']:,} bytes)",
                "sha256": report["sha256"],
                "contact": report["contact"],
                "plugin API": f"{report['required_api_version']} or newer",
                "glibc": f"{floor['bundle'] or floor['file']} or newer",
                "capabilities": ", ".join(report["capabilities"]),
                "id": own,
                "extracts from": _sources(report, "extract", "extraction"),
                "parses": _sources(report, "parse", "parsing"),
                "async events": ", ".join(report["async_events"]),
            }
        ),
    ]
    bundle = report["bundle"]
    lines += ["", "bundle"] + (
        ["  not a falcopy bundle"]
        if bundle is None
        else _pairs(
            {
                "class": bundle["plugin_ref"],
                "payload": f"{bundle['payload_size']:,} bytes, {bundle['files']} files, "
                f"sha256 {bundle['payload_sha256']}",
                **{k: _short(v) for k, v in bundle["manifest"].items() if k not in _SHOWN_APART},
            }
        )
    )
    if report["init_schema"] is not None:
        schema = json.dumps(report["init_schema"], indent=2, ensure_ascii=False)
        lines += ["", "init_config schema", *(f"  {line}" for line in schema.splitlines())]
    if report["fields"]:
        lines += ["", f"{len(report['fields'])} fields"]
        width = max(len(_signature(field)) for field in report["fields"])
        for field in report["fields"]:
            kind = f"list of {field['type']}" if field["is_list"] else field["type"]
            lines.append(f"  {_signature(field):{width}}  {kind:14}  {field['desc']}")
    return "\n".join(lines)


def _pairs(values: dict[str, str]) -> list[str]:
    return [f"  {name:14} {value}" for name, value in values.items() if value]


def _sources(report: dict[str, Any], capability: str, name: str) -> str:
    if name not in report["capabilities"]:
        return ""
    return ", ".join(report[f"{capability}_event_sources"]) or report["event_source"] or "all"


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_short(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(_short(item) for item in value)
    return str(value)


def _signature(field: dict[str, Any]) -> str:
    if not (field["arg_key"] or field["arg_index"]):
        return str(field["name"])
    kind = "/".join(k for k in ("key", "index") if field[f"arg_{k}"])
    return f"{field['name']}[{kind}]" if field["arg_required"] else f"{field['name']}[{kind}?]"
