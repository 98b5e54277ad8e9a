"""``breakpoint()`` under ``falcopy run``, as "Debug with pdb" shows it, on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, blocks

FALCOPY = Path(sys.executable).with_name("falcopy")


class Terminal:
    """What a program shows on its terminal, and what is typed there."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._seen = ""

    def until(self, text: str) -> str:
        """Waits for ``text``; returns what came before it."""
        while text not in self._seen:
            try:
                self._seen += os.read(self._fd, 4096).decode()
            except OSError:  # EIO: the program has ended
                pytest.fail(f"no {text!r} in {self._seen!r}")
        before, _, self._seen = self._seen.partition(text)
        return before

    def type(self, line: str) -> None:
        os.write(self._fd, f"{line}\n".encode())


def test_a_breakpoint_stops_on_a_terminal_and_can_be_stepped(tmp_path: Path) -> None:
    [plugin] = [block for block in blocks(DOCS / "how-to" / "debug.md") if block.title]
    (tmp_path / "buggy.py").write_text(plugin.text)
    ours, theirs = pty.openpty()
    command = [FALCOPY, "run", "buggy.py", "--fields", "buggy.user"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        try:
            os.close(theirs)
            terminal = Terminal(ours)
            assert "user()" in terminal.until("(Pdb) ")
            terminal.type("p event.json")
            assert "{'user': {'name': 'ada'}}" in terminal.until("(Pdb) ")
            terminal.type("w")
            assert "buggy.py" in terminal.until("(Pdb) ")
            terminal.type("n")
            assert "--Return--" in terminal.until("(Pdb) ")
            terminal.type("c")
            terminal.until("buggy.user ada")
            assert process.wait(30) == 0
        finally:
            process.kill()
            os.close(ours)
