"""``falcopy build``: a plugin project becomes one shared library."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from falcopy_sdk.bundle import BuildResult

__all__ = ["build"]

_ERASE_LINE = "\r\x1b[K"


def _file(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> Path | None:
    if value is not None and value.endswith("/"):
        raise click.BadParameter(f"{value} is a folder; name the file in it, lib<name>.so")
    return Path(value) if value is not None else None


@click.command(
    epilog="""\b
    Examples:
      falcopy build                                   dist/lib<name>.so of this folder
      falcopy build acme_audit:AcmeAudit -o libacme-audit.so
      falcopy build . --glibc 2.28                    refuse what needs a newer glibc
      falcopy build --test                            and run the project's tests inside

    Exit codes: 0 built, 2 wrong usage, 4 something is missing (falcopy doctor) or
    a disk is full, 5 the build failed.
    """
)
@click.argument("plugin", default=".")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False),
    callback=_file,
    help="The file to write; default: dist/lib<name>.so",
)
@click.option(
    "--glibc",
    metavar="VERSION",
    help="Refuse to build what needs a newer glibc than this, such as 2.28.",
)
@click.option(
    "--platform",
    type=click.Choice(["linux/amd64", "linux/arm64"]),
    help="Build for this platform; default: this machine's.",
)
@click.option(
    "--python-root",
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The CPython of that platform: its prefix, or unpacked Debian packages.",
)
@click.option("--keep-sources", is_flag=True, help="Sources too: tracebacks show lines of code.")
@click.option(
    "--test",
    is_flag=True,
    help="Run the project's tests with pytest, on the Python and with the packages inside.",
)
@click.option("-q", "--quiet", is_flag=True, help="Notes and errors only, and the file's path.")
def build(
    plugin: str,
    output: Path | None,
    glibc: str | None,
    platform: str | None,
    python_root: Path | None,
    keep_sources: bool,
    test: bool,
    quiet: bool,
) -> None:
    """Build PLUGIN into one shared library that needs no Python on the host.

    PLUGIN is a folder with a pyproject.toml (default: this folder), module:Class, or the name of an
    installed plugin. The Python inside is the one that runs this command; dependencies come from
    pylock.toml, uv.lock or requirements.lock beside pyproject.toml. Prints the file's path.
    """
    from falcopy_sdk import bundle

    if glibc is not None and not re.fullmatch(r"2\.\d+", glibc):
        raise click.UsageError(f"--glibc {glibc}: not a version of glibc such as 2.28")
    tested = None
    if test:
        from falcopy_sdk.testing import suite

        tested = suite.project_with_tests(plugin)
    steps = _Steps(silent=quiet)
    try:
        result = bundle.build(
            plugin,
            output,
            glibc=glibc,
            platform=platform,
            python_root=python_root,
            keep_sources=keep_sources,
            progress=steps.start,
        )
    finally:
        steps.end()
    for note in result.notes:
        click.echo(f"note: {note}.", err=True)
    if not quiet:
        click.echo(_summary(result), err=True)
    if tested is not None:
        for note in suite.run_tests(tested, result.path):
            click.echo(f"note: {note}.", err=True)
    click.echo(_shown(result.path))


class _Steps:
    """Says what the build is doing: one live line on a terminal, else a line a finished step."""

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent
        self._live = sys.stderr.isatty()
        self._step = ""
        self._started = 0.0

    def start(self, step: str) -> None:
        self.end()
        if self._silent:
            return
        self._step, self._started = step, time.monotonic()
        if self._live:
            click.echo(f"{step} …", err=True, nl=False)

    def end(self) -> None:
        if not self._step:
            return
        if self._live:
            click.echo(_ERASE_LINE, err=True, nl=False)
        else:
            seconds = time.monotonic() - self._started
            click.echo(f"{self._step}: {seconds:.1f} s", err=True)
        self._step = ""


def _summary(result: BuildResult) -> str:
    facts = {
        "plugin": f"{result.name} {result.version}",
        "size": f"{result.size / 1e6:.1f} MB ({result.files} files, {result.libraries} of them "
        f"native, {len(result.packages)} packages)",
        "sha256": result.sha256,
        "Python": result.python,
        "glibc": f"{result.glibc_floor} or newer",
        "built in": f"{result.seconds:.1f} s",
    }
    return "\n".join(f"{name:10}{value}" for name, value in facts.items())


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
