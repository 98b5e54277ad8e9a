"""``falcopy dev``: the author's inner loop."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PLUGIN = """
from falcopy_sdk import Event, extract, plugin, source

@plugin(name="dev", id=999, version="0.1.0", event_source="dev", description="For tests",
        contact="https://example.org")
class Dev:
    @source
    def events(self, params: str):
        yield Event({"user": "cat"})

    @extract("dev.user")
    def user(self, event: Event) -> str:
        \"\"\"Who\"\"\"
        return event.json["user"]
"""
_PATIENCE = 30


class Loop:
    """A running ``falcopy dev``: waits for lines of its output."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "falcopy_sdk", "dev", *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.seen: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def until(self, words: str) -> str:
        while True:
            try:
                line = self._lines.get(timeout=_PATIENCE)
            except queue.Empty:
                line = None
            assert line is not None, f"{words!r} did not come: {self.seen}"
            self.seen.append(line)
            if words in line:
                return line


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "dev_plugin.py").write_text(PLUGIN)
    (tmp_path / "events.jsonl").write_text('{"user": "ann"}\n{"user": "bob"}\n')
    return tmp_path


@pytest.fixture
def loop(project: Path) -> Iterator[Loop]:
    made = Loop(project, "dev_plugin.py", "--events", "events.jsonl")
    yield made
    made.end()


def test_a_saved_change_shows_the_fields_that_it_changes(project: Path, loop: Loop) -> None:
    file = project / "dev_plugin.py"
    loop.until('dev.user = "bob"')
    loop.until("watching")
    file.write_text(PLUGIN.replace('event.json["user"]', 'event.json["user"].upper()'))
    assert loop.until("event 1:") == 'event 1: dev.user = "ann" -> "ANN"'
    assert loop.until("event 2:") == 'event 2: dev.user = "bob" -> "BOB"'
    loop.until("2 fields changed, 2 events")

    file.write_text(PLUGIN.replace("yield Event", "yield Event("))
    loop.until("not valid Python")
    file.write_text(PLUGIN)
    assert loop.until("event 1:") == 'event 1: dev.user = "ANN" -> "ann"'

    (project / "events.jsonl").write_text('{"user": "ann"}\n{}\n')
    assert loop.until("<NA>") == 'event 2: dev.user = "bob" -> <NA>'

    loop.process.send_signal(signal.SIGINT)
    assert loop.process.wait(_PATIENCE) == 0
    assert not [line for line in loop.seen if "Traceback" in line]


def test_once_ends_and_reads_the_plugins_own_source(falcopy: Any, project: Path) -> None:
    done = falcopy("dev", "dev_plugin.py", "--once", cwd=project)
    assert (done.returncode, done.stdout) == (0, 'event 1\n  dev.user = "cat"\n')


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("yield Event", "yield Event("), "not valid Python"),
        (('name="dev"', 'name="Dev"'), "name"),
        (('yield Event({"user": "cat"})', "import time; time.sleep(60); yield"), "not end within"),
        (('yield Event({"user": "cat"})', "import os; os._exit(7); yield"), "ended with 7"),
    ],
)
def test_an_error_is_a_sentence(
    falcopy: Any, project: Path, change: tuple[str, str], words: str
) -> None:
    (project / "dev_plugin.py").write_text(PLUGIN.replace(*change))
    done = falcopy("dev", "dev_plugin.py", "--once", "--timeout", "3", cwd=project)
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.startswith("falcopy: ")
