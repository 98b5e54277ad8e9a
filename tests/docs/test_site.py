"""The site builds, and what it tells of the code is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import falcopy_sdk

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; every warning is an error."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_the_site_builds_without_a_warning(site: Path) -> None:
    assert (site / "tutorial" / "index.html").exists()


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    pages = "".join(page.read_text() for page in (site / "reference").rglob("*.html"))
    missing = [
        name
        for name in falcopy_sdk.__all__
        if not re.search(rf'id="falcopy_sdk\.[\w.]*\b{name}"', pages)
    ]
    assert not missing


def test_every_command_is_in_the_reference(site: Path) -> None:
    from falcopy_sdk.cli import COMMANDS

    page = (site / "reference" / "commands" / "index.html").read_text()
    assert not [name for name in COMMANDS if f'id="falcopy-{name}"' not in page]


def test_the_path_of_an_event_names_files_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    path = text.partition("## The path of an event")[2].partition("## ")[0]
    named = re.findall(r"`([\w/]+\.(?:py|c))`", path)
    assert len(named) > 10
    folder = ""
    for name in named:
        folder = str(Path(name).parent) if "/" in name else folder
        file = ROOT / name if "/" in name else ROOT / folder / name
        assert file.exists(), name
