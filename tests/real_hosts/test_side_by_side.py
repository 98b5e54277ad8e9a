"""Several bundles in one host process: different packages, different Pythons, and a second copy."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .hosts import Plugin, Sysdig, messages, printed
from .other_python import find_other_python, install_falcopy

if TYPE_CHECKING:
    from collections.abc import Callable

PROJECT = """
[project]
name = "{name}"
version = "1"
dependencies = ["falcopy-sdk", "orjson=={orjson}"]

[project.entry-points.falcopy]
{name} = "{name}:Told"

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.hatch.build.targets.wheel]
include = ["{name}.py"]
"""

FIELDS = '''
import hashlib
import sys

import orjson

from falcopy_sdk import Event, extract, plugin, source


@plugin(name="{name}", version="1.0.0", description="Tells what it runs on",
        contact="https://example.org", {arguments})
class Told:
    {source}

    @extract("{name}.python")
    def python(self, event: Event) -> str:
        """The version of Python."""
        return sys.version.split()[0]

    @extract("{name}.orjson")
    def orjson(self, event: Event) -> str:
        """The version of orjson, which has decoded the event."""
        return f"{{orjson.__version__}} {{event.json['n']}}"

    @extract("{name}.sha256")
    def sha256(self, event: Event) -> str:
        """The digest of the event, by OpenSSL."""
        return hashlib.new("sha256", event.data).hexdigest()
'''

SOURCE = """@source
    def events(self):
        for n in range(1000):
            yield Event({"n": n})
"""
OLD, NEW = "3.10.18", "3.11.4"
EVENTS = 1000


def project(folder: Path, name: str, orjson: str, *, reads: str | None = None) -> Path:
    """Writes a plugin that yields events, or one that reads those of the plugin ``reads``."""
    folder.mkdir(parents=True)
    arguments = f'extract_sources=["{reads}"]' if reads else f'id=999, event_source="{name}"'
    (folder / "pyproject.toml").write_text(PROJECT.format(name=name, orjson=orjson))
    code = FIELDS.format(name=name, arguments=arguments, source="" if reads else SOURCE)
    (folder / f"{name}.py").write_text(code)
    return folder


@pytest.fixture(scope="module")
def first(build_once: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source plugin with an old orjson."""
    folder = tmp_path_factory.mktemp("first")
    return build_once("libfirst.so", project(folder / "first", "first", OLD))


@pytest.fixture(scope="module")
def second(build_once: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plugin with a newer orjson that reads the events of the first."""
    folder = tmp_path_factory.mktemp("second")
    return build_once("libsecond.so", project(folder / "second", "second", NEW, reads="first"))


def check(events: list[dict[str, object]], *told: tuple[str, str, str]) -> None:
    """Every event once, in order, with each plugin's (name, Python, orjson)."""
    assert [event["evt.num"] for event in events] == list(range(1, EVENTS + 1))
    digests = {name: [event[f"{name}.sha256"] for event in events] for name, _, _ in told}
    assert len({tuple(column) for column in digests.values()}) == 1
    for name, python, orjson in told:
        assert {event[f"{name}.python"] for event in events} == {python}
        assert [event[f"{name}.orjson"] for event in events] == [
            f"{orjson} {n}" for n in range(EVENTS)
        ]


def fields(*names: str) -> list[str]:
    return ["evt.num", *(f"{name}.{f}" for name in names for f in ("python", "orjson", "sha256"))]


RUNNING = sys.version.split()[0]


@pytest.mark.real_host
@pytest.mark.timeout(300)
def test_two_bundles_with_different_packages_run_in_one_sysdig(
    sysdig: Sysdig, first: Path, second: Path, tmp_path: Path
) -> None:
    one = Plugin.install(first, "first", tmp_path, "first")
    two = Plugin.install(second, "second", tmp_path, "second")
    done = sysdig.run([(one, ""), (two, "")], "", fields("first", "second"))
    assert done.returncode == 0, messages(done)
    check(printed(done.stdout), ("first", RUNNING, OLD), ("second", RUNNING, NEW))


@pytest.mark.real_host
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_bundles_with_different_pythons_run_in_one_sysdig(
    sysdig: Sysdig, first: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = find_other_python()
    if other is None:
        pytest.skip(
            "no other Python with a shared libpython here: name one in FALCOPY_OTHER_PYTHON"
        )
    python, version = other
    folder = tmp_path_factory.mktemp("other")
    falcopy = install_falcopy(python, folder)
    source = project(folder / "second", "second", NEW, reads="first")
    subprocess.run([falcopy, "build", source, "--output", folder / "libsecond.so"], check=True)

    one = Plugin.install(first, "first", tmp_path, "first")
    two = Plugin.install(folder / "libsecond.so", "second", tmp_path, "second")
    done = sysdig.run([(one, ""), (two, "")], "", fields("first", "second"))
    assert done.returncode == 0, messages(done)
    check(printed(done.stdout), ("first", RUNNING, OLD), ("second", version, NEW))


# As in libsinsp: plugins are initialised one after the other, and may then run in parallel.
HOST = """
import contextlib, json, sys, threading
from falcopy_sdk.host import Library

def stream(name, plugin, results):
    with plugin.open("") as instance:
        results.append([plugin.extract(e, f"{name}.orjson") for e in instance.events()])

results = []
with contextlib.ExitStack() as stack:
    threads = []
    for path in sys.argv[1:]:
        library = stack.enter_context(Library.load(path))
        plugin = stack.enter_context(library.init(""))
        arguments = (library.facts.name, plugin, results)
        threads.append(threading.Thread(target=stream, args=arguments))
    for thread in threads: thread.start()
    for thread in threads: thread.join()
print(json.dumps(results))
"""


@pytest.mark.timeout(300)
def test_a_second_copy_streams_at_the_same_time_in_one_process(first: Path, tmp_path: Path) -> None:
    copies = [tmp_path / folder / "libfirst.so" for folder in ("a", "b")]
    for copy in copies:
        copy.parent.mkdir()
        shutil.copy(first, copy)
    done = subprocess.run(
        [sys.executable, "-c", HOST, *copies], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[f"{OLD} {n}" for n in range(EVENTS)]] * 2
