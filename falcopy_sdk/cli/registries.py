"""What the commands that speak to registries have in common: options, connection, progress."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from falcopy_sdk.oci import Platform, Registry

__all__ = ["Bar", "Connection", "connection_options", "platform_option", "project_about"]


class Connection:
    """The options of :func:`connection_options`: makes registries."""

    def __init__(self, plain_http: bool | None, ca_file: Path | None, retries: int) -> None:
        self._given = {"plain_http": plain_http, "ca_file": ca_file}
        self._retries = retries

    def __call__(self, host: str) -> Registry:
        """The registry of a host."""
        from falcopy_sdk.oci import Registry, RetryPolicy

        return Registry(host, retry=RetryPolicy(attempts=self._retries + 1), **self._given)  # type: ignore[arg-type]


def connection_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options of a connection; the command gets them as ``connection``."""

    @click.option(
        "--plain-http/--tls",
        default=None,
        help="Without TLS, or with it. Default: with TLS, but for a registry on this machine.",
    )
    @click.option(
        "--ca-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Certificates (PEM) to trust beside the system's.",
    )
    @click.option(
        "--retries",
        type=click.IntRange(0, 50),
        default=4,
        show_default=True,
        help="How often to repeat what the registry or the network fails at.",
    )
    @functools.wraps(command)
    def with_connection(
        *arguments: Any, plain_http: bool | None, ca_file: Path | None, retries: int, **given: Any
    ) -> None:
        command(*arguments, connection=Connection(plain_http, ca_file, retries), **given)

    return with_connection


def _platform(
    _ctx: click.Context, _parameter: click.Parameter, value: str | None
) -> Platform | None:
    from falcopy_sdk.oci import Platform

    if value is None:
        return None
    os, slash, architecture = value.partition("/")
    # Underscores as in x86_64, which is answered with the name that is used here.
    if not (slash and os.isalnum() and architecture.replace("_", "").isalnum()):
        raise click.BadParameter(
            f"{value}: wrong format: needs to be in OS/ARCH, such as linux/amd64"
        )
    return Platform(os, architecture)


def platform_option(help_text: str) -> Callable[[Any], Any]:
    """``--platform OS/ARCH``."""
    return click.option("--platform", metavar="OS/ARCH", callback=_platform, help=help_text)


class Bar:
    """A progress bar on a terminal; silent elsewhere. Takes :class:`PushProgress`'s calls."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._bar: Any = None
        self._done: dict[str, int] = {}

    def start(self, total: int) -> None:
        """Shows the bar; bytes in all."""
        if sys.stderr.isatty():
            self._bar = click.progressbar(length=total, label=self._label, file=sys.stderr)
            self._bar.__enter__()

    def blob(self, digest: str, done: int) -> None:
        """Bytes of one blob; may be fewer than before."""
        before = self._done.get(digest, 0)
        self._done[digest] = done
        if self._bar is not None:
            self._bar.update(done - before)

    def __call__(self, done: int, total: int) -> None:
        """Of one download."""
        if not self._done:
            self.start(total)
        self.blob("", done)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._bar is not None:
            self._bar.__exit__(*error)


def project_about(folder: Path | None) -> dict[str, Any]:
    """What ``[project]`` of a pyproject.toml says that an artifact also says; {} without one.

    Raises:
        click.BadParameter: there is no readable one.
    """
    import tomllib

    if folder is None:
        return {}
    path = folder / "pyproject.toml" if folder.is_dir() else folder
    try:
        project = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"{path}: {error}", param_hint="--project") from error
    urls = {name.lower(): url for name, url in project.get("urls", {}).items()}
    license_ = project.get("license", "")
    return {
        "description": project.get("description", ""),
        "license": license_ if isinstance(license_, str) else "",
        "source": urls.get("source") or urls.get("repository") or urls.get("source code") or "",
        "home": urls.get("documentation") or urls.get("homepage") or "",
        "authors": tuple(
            f"{a['name']} <{a['email']}>"
            if "email" in a and "name" in a
            else next(iter(a.values()))
            for a in project.get("authors", ())
            if a
        ),
        "keywords": tuple(project.get("keywords", ())),
    }
