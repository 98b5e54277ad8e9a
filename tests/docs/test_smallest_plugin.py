"""The smallest plugin: in the README, in the site, thirty lines at most, and it runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FALCOPY = Path(sys.executable).with_name("falcopy")


def block(start: str) -> str:
    found = re.search(rf"^```{re.escape(start)}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert found is not None, start
    return found[1]


@pytest.fixture
def dummy(tmp_path: Path) -> Path:
    path = tmp_path / "dummy.py"
    path.write_text(block('python title="dummy.py"'))
    return path


def test_it_has_thirty_lines_at_most(dummy: Path) -> None:
    assert len(dummy.read_text().splitlines()) <= 30


def test_it_gives_events_and_fields_as_the_command_beside_it_shows(dummy: Path) -> None:
    [command] = re.findall(r"^falcopy (run dummy\.py .*)$", README, re.MULTILINE)
    done = subprocess.run(
        ["bash", "-euc", f"{FALCOPY} {command} --json"],
        cwd=dummy.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [event["fields"] for event in events] == [
        {"dummy.n": n, "dummy.divisible[2]": n % 2 == 0} for n in range(3)
    ]


def test_it_keeps_to_the_style_and_the_site_shows_it_from_there(dummy: Path) -> None:
    subprocess.run([FALCOPY.with_name("ruff"), "check", "--ignore", "D", dummy], check=True)
    subprocess.run([FALCOPY.with_name("ruff"), "format", "--check", dummy], check=True)
    page = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert '--8<-- "README.md:dummy"' in page
    assert "class Dummy" not in page
