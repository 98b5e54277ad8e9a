"""A plugin file that an installer rewrites in place while a host streams events from it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from falcopy_sdk.bundle import build

#: Reads an event a line of its input, and tells it with a field of it.
HOST = """
import json, sys
from falcopy_sdk.host import Library
with Library.load(sys.argv[1]) as library, library.init("") as plugin, plugin.open("") as instance:
    print(json.dumps(library.facts.version), flush=True)
    for event in instance.events():
        sys.stdin.readline()
        print(json.dumps(plugin.extract(event, "tiny.verb")), flush=True)
"""


@pytest.fixture(scope="module")
def newer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("newer")
    projects = Path(__file__).parent / "projects"
    project = Path(shutil.copytree(projects / "tiny", folder / "tiny"))
    module = project / "src/tiny/plugin.py"
    module.write_text(module.read_text().replace('version="0.1.0"', 'version="0.2.0"'))
    return build(project, folder / "libtiny.so").path


@pytest.fixture
def host(tmp_path):
    """Starts a host on a plugin; gives what it prints, line by line, and lets it go on."""
    running = []

    def start(plugin: Path):
        process = subprocess.Popen(
            [sys.executable, "-c", HOST, plugin],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "FALCOPY_CACHE_DIR": str(tmp_path / "cache")},
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def told(process):
    return json.loads(process.stdout.readline())


def go_on(process):
    process.stdin.write("\n")
    process.stdin.flush()
    return told(process)


def overwrite(path: Path, data: bytes) -> None:
    """As falcoctl's extractor does it: the same file, truncated and written anew."""
    with path.open("r+b") as file:
        file.truncate(0)
        file.write(data)
        os.fsync(file.fileno())


def test_events_go_on_while_the_file_is_truncated_rewritten_and_deleted(
    built, newer, host, tmp_path
):
    plugin = Path(shutil.copyfile(built.result.path, tmp_path / "libtiny.so"))
    old = host(plugin)
    assert told(old) == "0.1.0"

    overwrite(plugin, b"")
    assert go_on(old) == "start"

    overwrite(plugin, newer.read_bytes())
    assert go_on(old) == "libraries"
    new = host(plugin)
    assert told(new) == "0.2.0"
    assert len(list((tmp_path / "cache").iterdir())) == 2

    plugin.unlink()
    assert go_on(old) == "end"
    assert [go_on(new) for _ in range(3)] == ["start", "libraries", "end"]
    assert (old.wait(30), new.wait(30)) == (0, 0)
