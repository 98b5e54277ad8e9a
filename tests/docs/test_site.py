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


def test_a_page_fetches_nothing_from_elsewhere(site: Path) -> None:
    fetched = re.compile(r'<(?:script|img|iframe|link)\b[^>]*?(?:src|href)="((?:https?:)?//[^"]+)')
    for page in [*site.rglob("*.html"), *site.rglob("*.css")]:
        text = page.read_text(encoding="utf-8")
        found = fetched.findall(text) + re.findall(r"url\(['\"]?((?:https?:)?//[^)]+)", text)
        assert not found, page


def test_the_how_tos_and_explanations_can_be_found(site: Path) -> None:
    start = (site / "index.html").read_text(encoding="utf-8")
    for folder in ("how-to", "explanation"):
        for page in (ROOT / "docs" / folder).glob("*.md"):
            assert f'href="{folder}/{page.stem}/"' in start, page


def test_no_markup_of_docstrings_is_left(site: Path) -> None:
    pages = [page.read_text(encoding="utf-8") for page in (site / "reference").rglob("*.html")]
    assert not re.findall(r":[a-z]+:(?:`|<code>)[^<`]*", "".join(pages))
