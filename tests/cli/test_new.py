"""``falcopy new`` at a terminal and without one, and without a network."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-m", "falcopy_sdk", "new"]
#: Seconds in which a question has to come.
PATIENCE = 60.0


class Terminal:
    """``falcopy new`` with a terminal of its own, where somebody answers."""

    def __init__(self, cwd: Path, *arguments: str) -> None:
        self._own, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=cwd,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
        )
        os.close(theirs)
        self.shown = ""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        os.close(self._own)

    def answer(self, question: str, text: str) -> None:
        """Wait for the question, which begins a line, and type the answer."""
        until = time.monotonic() + PATIENCE
        while not re.search(rf"(?m)^{question}.*: $", self.shown):
            left = until - time.monotonic()
            assert select.select([self._own], [], [], max(left, 0))[0], self.shown
            self.shown += os.read(self._own, 4096).decode().replace("\r\n", "\n")
        os.write(self._own, text.encode() + b"\n")
        self.shown += text + "\n"  # what the terminal echoes does not end with a question

    def end(self) -> tuple[int, str]:
        """Exit code and standard output."""
        printed, _ = self._process.communicate(timeout=PATIENCE)
        return self._process.returncode, printed


def test_a_terminal_is_asked_for_all_that_is_missing(tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        terminal.answer("Name of the plugin", "acme-audit")
        terminal.answer("Template", "nothing")
        terminal.answer("Template", "source-files")
        terminal.answer("What it does", "Who did what")
        terminal.answer("Contact", "")
        assert terminal.end() == (0, "acme-audit\n")
    assert "source-push" in terminal.shown
    plugin = (tmp_path / "acme-audit" / "acme_audit" / "plugin.py").read_text()
    assert 'description="Who did what"' in plugin
    assert 'contact="https://example.org"' in plugin


def test_a_terminal_is_not_asked_for_what_was_given(tmp_path: Path) -> None:
    with Terminal(tmp_path, "acme", "-t", "extractor", "--contact", "a@b.org") as terminal:
        terminal.answer("What it does", "")
        assert terminal.end() == (0, "acme\n")
    assert "Template" not in terminal.shown
    assert 'description="Events of Acme"' in (tmp_path / "acme/acme/plugin.py").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], r"NAME is missing"),
        (["acme"], r"--template is missing: one of extractor, source-files"),
        (["Json", "-t", "extractor"], r"'Json' cannot be .* such as acme-audit"),
        (["acme", "-t", "sourcepoll"], r"no template sourcepoll\. Did you mean source-poll\?"),
        (["acme", "-t", "x"], r"no template x\. There are extractor, source-files"),
        (["acme", "-t", "extractor", "--description", "x" * 95], r"95 columns wide; at most 80"),
        (["a" * 36, "-t", "extractor"], r"has 36 characters; take one with at most 30"),
        (["acme", "-t", "extractor", "-o", "."], r"not empty"),
        (["acme", "--update"], r"--update takes no NAME"),
    ],
)
def test_without_a_terminal_wrong_or_missing_answers_are_usage_errors(
    falcopy: Any, tmp_path: Path, arguments: list[str], says: str
) -> None:
    (tmp_path / "file").touch()
    done = falcopy("new", *arguments, cwd=tmp_path, stdin=subprocess.DEVNULL)
    assert done.returncode == 2, done.stderr
    assert re.search(says, done.stderr)
    assert (done.stdout, os.listdir(tmp_path)) == ("", ["file"])


def test_without_a_terminal_the_rest_has_defaults(falcopy: Any, tmp_path: Path) -> None:
    done = falcopy("new", "acme", "-t", "extractor", cwd=tmp_path, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (0, "acme\n")
    assert 'description="Events of Acme"' in (tmp_path / "acme/acme/plugin.py").read_text()


def test_no_network_is_needed(falcopy: Any, tmp_path: Path) -> None:
    # Python imports it at its start: whoever opens a socket, or asks for an address, fails.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "def refuse(event, arguments):\n"
        "    if event.startswith('socket.'):\n"
        "        raise RuntimeError(f'{event} without a network')\n"
        "sys.addaudithook(refuse)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    tried = subprocess.run(
        [sys.executable, "-c", "import socket; socket.socket()"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "socket.__new__ without a network" in tried.stderr
    for arguments in (["acme", "-t", "source-push"], ["--list"]):
        done = falcopy("new", *arguments, cwd=tmp_path, env=env, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "acme" / "requirements.lock").exists()
    done = falcopy("new", "--update", cwd=tmp_path / "acme", env=env)
    assert done.returncode == 3, done.stderr


def test_an_update_with_conflicts_names_the_files_and_exits_with_1(
    falcopy: Any, tmp_path: Path
) -> None:
    import json

    assert falcopy("new", "acme", "-t", "extractor", cwd=tmp_path).returncode == 0
    project = tmp_path / "acme"
    noted = project / ".falcopy-template.json"
    record = json.loads(noted.read_text())
    # As if the project had come from an older template, and its author had changed it since.
    record["files"][".gitignore"] = "dist/\n"
    noted.write_text(json.dumps(record))
    (project / ".gitignore").write_text("mine/\n")
    done = falcopy("new", "--update", cwd=project)
    assert done.returncode == 1
    assert "conflicts to resolve: .gitignore" in done.stderr
