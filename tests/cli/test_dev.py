"""``falcopy dev``: the author's inner loop."""

from __future__ import annotations

import os
import pty
import queue
import select
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


@pytest.mark.parametrize("watched", ["events", "config"])
def test_files_elsewhere_may_be_replaced_any_number_of_times(project: Path, watched: str) -> None:
    elsewhere = project / "elsewhere"
    plugin = project / "plugin"
    for folder in (elsewhere, plugin):
        folder.mkdir()
    (project / "dev_plugin.py").rename(plugin / "dev_plugin.py")
    events, config = elsewhere / "events.jsonl", elsewhere / "config.json"
    events.write_text('{"user": "ann"}\n')
    config.write_text("{}")
    (elsewhere / "other").touch()
    loop = Loop(plugin, "dev_plugin.py", f"--events={events}", f"--init-config=@{config}")
    try:
        loop.until("watching")
        for number in range(3):
            # As editors save: a new file in the place of the old one.
            beside = elsewhere / ".new"
            if watched == "events":
                beside.write_text(f'{{"user": "user {number}"}}\n')
                beside.replace(events)
                loop.until("events.jsonl changed")
                loop.until(f'-> "user {number}"')
            else:
                beside.write_text(f'{{"number": {number}}}')
                beside.replace(config)
                loop.until("config.json changed")
                loop.until("takes no configuration")
            (elsewhere / "other").write_text(f"{number}")
        assert not [line for line in loop.seen if "other" in line]
    finally:
        loop.end()


def test_breakpoint_stops_at_the_terminal_for_as_long_as_it_takes(project: Path) -> None:
    limit = 6
    file = project / "dev_plugin.py"
    file.write_text(PLUGIN.replace('return event.json["user"]', 'breakpoint(); return "none"'))
    terminal, its_end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "falcopy_sdk", "dev", file.name, "--once", f"--timeout={limit}"],
        cwd=project,
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        env={**os.environ, "TERM": "dumb"},
    )
    os.close(its_end)
    seen = ""

    def until(words: str) -> None:
        nonlocal seen
        while words not in seen:
            ready, _, _ = select.select([terminal], [], [], _PATIENCE)
            assert ready, f"{words!r} did not come: {seen}"
            seen += os.read(terminal, 4096).decode()
        seen = seen.partition(words)[2]

    try:
        until("(Pdb) ")
        os.write(terminal, b"p event.json\n")
        until("{'user': 'cat'}")
        until("(Pdb) ")
        os.write(terminal, f"import time; time.sleep({limit})\n".encode())
        until("(Pdb) ")
        os.write(terminal, b"p 'still ' + 'here'\n")
        until("'still here'")
        until("(Pdb) ")
        os.write(terminal, b"c\n")
        until('dev.user = "none"')
        assert process.wait(_PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


@pytest.mark.parametrize(
    ("option", "levels"),
    [
        ((), ["info", "warning"]),
        (("-q",), ["warning"]),
        (("-v",), ["debug", "info", "warning"]),
    ],
)
def test_log_lines_are_shown_from_a_level_on(
    falcopy: Any, project: Path, option: tuple[str, ...], levels: list[str]
) -> None:
    file = project / "dev_plugin.py"
    logs = "\n        ".join(f"log.{level}('a line')" for level in ("debug", "info", "warning"))
    text = PLUGIN.replace("yield Event", f"{logs}\n        yield Event")
    file.write_text(f"import logging\nlog = logging.getLogger('dev')\n{text}")
    done = falcopy("dev", file.name, "--once", *option, cwd=project)
    assert done.returncode == 0, done.stderr
    shown = [line.split("]")[0][1:] for line in done.stderr.splitlines() if "a line" in line]
    assert shown == levels


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
