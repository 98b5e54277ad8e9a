"""Which file of the index each installed package came in.

A requirements file pins a version and lists the hashes of all its files; an installer takes one of
them, and does not write down which. The index knows their names, and a wheel knows its tags.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from packaging import pylock
from packaging.tags import parse_tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from falcopy_sdk.bundle import cache, environment, installer, platforms
from falcopy_sdk.exceptions import ProjectError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from importlib import metadata

    from packaging.tags import Tag

    from falcopy_sdk.bundle.interpreter import Interpreter
    from falcopy_sdk.bundle.locks import Pin

    #: See :func:`installed_wheels`.
    Platform = tuple[Interpreter, str]

__all__ = ["Wheel", "installed_wheels"]


@dataclass(frozen=True, slots=True)
class Wheel:
    """A file of the index: its name and SHA-256 in hex."""

    name: str
    sha256: str


def installed_wheels(
    pins: Sequence[Pin], site: Path, platform: Platform | None = None
) -> Mapping[str, Wheel]:
    """The wheels that the pinned packages in ``site`` were unpacked from, by package name.

    A wheel whose tags differ from those in its file name cannot be told from its siblings; it is
    left out.

    Args:
        pins: what was installed.
        site: where.
        platform: the interpreter it was installed for, and the newest glibc that wheels may ask
            for; None: the running one, here.

    Raises:
        ProjectError: the index cannot be asked.
    """
    if not pins:
        return {}
    offered = _offered(pins, platform)
    found: dict[str, Wheel] = {}
    for dist in environment.installed(site):
        name = canonicalize_name(dist.name)
        tags = _tags(dist)
        wheels = [w for w in offered.get(name, ()) if parse_wheel_filename(w.name)[3] == tags]
        if len(wheels) == 1:
            found[name] = wheels[0]
    return found


def _tags(dist: metadata.Distribution) -> frozenset[Tag]:
    text = dist.read_text("WHEEL") or ""
    lines = [line.removeprefix("Tag:").strip() for line in text.splitlines()]
    given = [line for line, raw in zip(lines, text.splitlines(), strict=True) if raw[:4] == "Tag:"]
    return frozenset(tag for line in given for tag in parse_tag(line))


def _offered(pins: Sequence[Pin], platform: Platform | None) -> dict[str, list[Wheel]]:
    """What the index has of these versions, and the lock allows; kept for the next build."""
    lines = [f"{pin.name}=={pin.version} {' '.join(sorted(pin.hashes))}" for pin in pins]
    # uv tells of the wheels for all platforms, pip of those that fit one.
    told = () if installer.uv() else platforms.fitting(platform)
    key = hashlib.sha256("\n".join(["wheels-2", *sorted(lines), *told]).encode()).hexdigest()
    store = cache.Store("wheels")
    known = store.get(key)
    if known is None:
        known = json.dumps(_ask(pins, platform), sort_keys=True).encode()
        store.put(key, known)
    return {name: [Wheel(*wheel) for wheel in files] for name, files in json.loads(known).items()}


def _ask(pins: Sequence[Pin], platform: Platform | None) -> dict[str, list[tuple[str, str]]]:
    allowed = {pin.name: {h.removeprefix("sha256:") for h in pin.hashes} for pin in pins}
    with tempfile.TemporaryDirectory(prefix="falcopy-wheels-") as scratch:
        source = Path(scratch) / "pins.in"
        source.write_text("".join(f"{pin.name}=={pin.version}\n" for pin in pins))
        listed = _by_uv(source) if installer.uv() else _by_pip(source, platform)
        files = [(name, *wheel) for name, wheel in listed]
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in allowed}
    for name, filename, sha256 in files:
        if sha256 in allowed.get(name, ()) and _is_wheel(filename):
            found[name].append((filename, sha256))
    return found


def _is_wheel(filename: str) -> bool:
    try:
        parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return False
    return True


def _by_uv(source: Path) -> Iterable[tuple[str, tuple[str, str]]]:
    """All wheels of these versions, whatever platform they are for."""
    output = source.with_name("pylock.toml")
    command = [str(installer.uv()), "pip", "compile", "--quiet", "--no-deps", "--universal"]
    command += ["--no-header", "--python-version", "{}.{}".format(*sys.version_info)]
    command += ["--only-binary", ":all:", "--output-file", str(output), str(source)]
    _run(command)
    lock = pylock.Pylock.from_dict(tomllib.loads(output.read_text(encoding="utf-8")))
    for package in lock.packages:
        for wheel in package.wheels or ():
            yield str(package.name), (wheel.filename, wheel.hashes.get("sha256", ""))


def _by_pip(source: Path, platform: Platform | None) -> Iterable[tuple[str, tuple[str, str]]]:
    """The wheels that pip would take, there or here (pip documentation, "Installation Report")."""
    output = source.with_name("report.json")
    command = [*installer.pip(), "install", "--quiet", "--dry-run", "--ignore-installed"]
    command += ["--no-deps", "--only-binary", ":all:", "--report", str(output), "-r", str(source)]
    if platform is not None:  # pip takes another platform's wheels for a folder only
        command += ["--target", str(source.parent / "site"), *platforms.for_pip(*platform)]
    _run(command)
    for item in json.loads(output.read_text(encoding="utf-8"))["install"]:
        origin: dict[str, Any] = item["download_info"]
        sha256 = origin.get("archive_info", {}).get("hashes", {}).get("sha256", "")
        name = canonicalize_name(item["metadata"]["name"])
        yield name, (unquote(origin["url"].rpartition("/")[2]), sha256)


def _run(command: list[str]) -> None:
    problem = installer.run(command)
    if problem is not None:
        raise ProjectError(
            "the index cannot tell which wheels the pinned packages came in (the SBOM names "
            f"them):\n{problem}"
        )
