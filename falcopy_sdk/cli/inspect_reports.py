"""The reports of ``falcopy inspect`` about a bundle's insides: room, audit, differences."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["show_audit", "show_differences", "show_sizes"]


def show_sizes(file: Path, *, as_json: bool) -> None:
    """What takes room, the largest first."""
    from falcopy_sdk.bundle.sizes import sizes

    parts = sizes(file)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(part) for part in parts], indent=2))
        return
    width = max(len(part.name) for part in parts)
    click.echo(f"{'part':{width}}  {'MB':>6}  {'gzip':>6}  {'files':>5}  largest file")
    for part in parts:
        name, size = part.largest[0]
        largest = f"{name} ({size / 1e6:.2f} MB)" if part.files > 1 else name
        click.echo(
            f"{part.name:{width}}  {part.size / 1e6:6.2f}  {part.compressed / 1e6:6.2f}  "
            f"{part.files:5}  {largest}"
        )
    total, packed = sum(p.size for p in parts), sum(p.compressed for p in parts)
    files = sum(p.files for p in parts)
    click.echo(f"{'total':{width}}  {total / 1e6:6.2f}  {packed / 1e6:6.2f}  {files:5}")


def show_audit(file: Path, glibc: str | None, *, as_json: bool) -> int:
    """The findings; returns the exit code: 1 if there are any."""
    from falcopy_sdk.bundle.audit import audit

    result = audit(file, glibc=glibc)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(result), indent=2, ensure_ascii=False))
    else:
        for finding in result.findings:
            click.echo(str(finding))
        count = len(result.findings)
        found = {0: "nothing found", 1: "1 finding"}.get(count, f"{count} findings")
        click.echo(
            f"{found} in {result.libraries} shared libraries; glibc {result.glibc_floor} or newer"
        )
    return 1 if result.findings else 0


def show_differences(file: Path, other: Path, *, as_json: bool) -> int:
    """What differs; returns the exit code: 1 if anything does."""
    from falcopy_sdk.bundle.difference import differences

    found = differences(file, other)
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(found) if found else "no difference: the same bytes")
    return 1 if found else 0
