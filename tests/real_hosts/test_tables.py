"""Tables in an unmodified host: its threads, and those of another plugin with its own Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .hosts import Plugin, Sysdig, printed

PROJECT = """
[project]
name = "tables"
version = "1"
dependencies = ["falcopy-sdk"]

[project.entry-points.falcopy]
owning = "tabled:Owning"
using = "tabled:Using"

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.hatch.build.targets.wheel]
only-include = ["tabled.py"]
"""

CODE = '''
from falcopy_sdk import (
    Int64, TableEntry, TableError, UInt64, extract, parse, plugin, source, table
)

ABOUT = {"version": "0.1.0", "description": "For tests", "contact": "https://example.org"}
EVENTS = 200


class Thread(TableEntry):
    comm: str
    tid: int
    nothing: int | None
    mark: UInt64 = table.added()


class Session(TableEntry):
    user: str
    threads: UInt64


class Seen(TableEntry):
    user: str
    threads: int
    mark: Int64 = table.added()


@plugin(name="owning", id=999, event_source="tabled", **ABOUT)
class Owning:
    sessions = table.own("acme_sessions", Session, key=UInt64)
    threads = table("threads", Thread, key=int)
    absent = table("absent", Thread, key=int, optional=True)

    @source
    def events(self):
        yield from [b"{}"] * EVENTS

    @parse
    def on_event(self, event):
        self.said = ""
        if event.num == 1:
            for tid in range(2000, 2010):
                self.threads.add(tid, comm=f"comm {tid}", mark=tid)
        elif event.num == EVENTS:
            self.threads.erase(2003)
            try:
                self.threads.erase(2003)
            except TableError as error:
                self.said = str(error)
        found = []
        self.threads.each(lambda thread: found.append((thread.tid, thread.comm, thread.mark)))
        self.found = sorted(found)
        self.sessions.add(event.num, user=f"user {event.num}", threads=len(self.threads))
        if event.num > 2:
            self.sessions.erase(event.num - 2)

    @extract("owning.threads", cache=False)
    def all_threads(self, event) -> str:
        """What @parse has found"""
        return f"{len(self.found)} {self.found[0]}{self.said}"

    @extract("owning.thread", cache=False)
    def one_thread(self, event) -> str:
        """One of them"""
        thread = self.threads.get(2001)
        return f"{thread.comm} {thread.mark} {thread.nothing} {self.threads.get(1)} {self.absent}"


@plugin(name="using", extract_sources=("tabled",), **ABOUT)
class Using:
    sessions = table("acme_sessions", Seen, key=int)

    @parse(sources=("tabled",))
    def on_event(self, event):
        with self.sessions.get(event.num) as session:
            session.mark = -event.num

    @extract("using.sessions", cache=False)
    def all_sessions(self, event) -> list[str]:
        """Every session"""
        found = []
        self.sessions.each(lambda s: found.append(f"{s.user} {s.threads} {s.mark}"))
        return found
'''


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tables")
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "tabled.py").write_text(CODE)
    built = {}
    for name, cls in {"owning": "Owning", "using": "Using"}.items():
        built[name] = folder / f"lib{name}.so"
        command = [sys.executable, "-m", "falcopy_sdk", "build", f"tabled:{cls}"]
        run = subprocess.run(
            [*command, "-o", str(built[name])], cwd=folder, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stdout + run.stderr
    return built


@pytest.mark.real_host
def test_plugins_share_tables_with_sysdig_and_with_each_other(
    sysdig: Sysdig, libraries: dict[str, Path], tmp_path: Path
) -> None:
    owning = Plugin.install(libraries["owning"], "owning", tmp_path, "owning")
    using = Plugin.install(libraries["using"], "using", tmp_path, "using")
    fields = ["owning.threads", "owning.thread", "using.sessions"]
    run = sysdig.run([(owning, ""), (using, "")], "", fields)
    assert run.returncode == 0, run.stderr
    events = printed(run.stdout)
    assert len(events) == 200
    assert events[0] == {
        "owning.threads": "10 (2000, 'comm 2000', 2000)",
        "owning.thread": "comm 2001 2001 None None None",
        "using.sessions": ["user 1 10 -1"],
    }
    assert events[-1]["owning.threads"] == (
        "9 (2000, 'comm 2000', 2000)"
        'table "threads": the entry under 2003 cannot be erased: table entry not found'
    )
    assert events[-1]["using.sessions"] == ["user 199 10 -199", "user 200 9 -200"]


@pytest.mark.real_host
def test_a_table_that_no_plugin_has_added_stops_sysdig_with_a_sentence(
    sysdig: Sysdig, libraries: dict[str, Path], tmp_path: Path
) -> None:
    using = Plugin.install(libraries["using"], "using", tmp_path, "using")
    run = sysdig.run([(using, "")], None, [], "-r", "/dev/null")
    assert run.returncode != 0
    assert 'this host has no table "acme_sessions"' in run.stdout + run.stderr
    assert "Load the plugin that owns it before this one" in run.stdout + run.stderr
