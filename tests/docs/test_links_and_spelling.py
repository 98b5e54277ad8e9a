"""Links of every Markdown file lead somewhere, and what people read is spelled right."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from markdown.extensions.toc import slugify
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
WORDS = Path(__file__).with_name("words.txt")
#: What people read: pages, docstrings, comments, messages. Tests misspell on purpose.
READ = ("*.md", "*.jinja", "*.py", "*.c", "*.h", "*.toml", "*.yaml", "*.yml", "Makefile")


def tracked(*patterns: str) -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.splitlines() if (path := ROOT / name).is_file()]


@cache
def tokens(file: Path) -> list[Token]:
    return MarkdownIt().enable("table").parse(file.read_text(encoding="utf-8"))


def links(file: Path) -> Iterator[str]:
    for block in tokens(file):
        for token in block.children or ():
            target = token.attrs.get("href") or token.attrs.get("src")
            if target is not None:
                yield str(target)


@cache
def anchors(file: Path) -> set[str]:
    """Ids of the headings; on GitHub and on the site they are made alike."""
    found = tokens(file)
    titles = [found[i + 1].content for i, each in enumerate(found) if each.type == "heading_open"]
    made = {slugify(re.sub(r"[`*]", "", title), "-") for title in titles}
    return made | set(re.findall(r'\bid="([^"]+)"', file.read_text(encoding="utf-8")))


def wrong(file: Path, link: str) -> str | None:
    """What is wrong with a link, if anything."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        well_formed = parts.scheme == "https" and re.fullmatch(r"[a-z0-9.-]+\.[a-z]+", parts.netloc)
        return None if well_formed else "is no https link"
    target = (file.parent / parts.path).resolve() if parts.path else file
    if not target.exists():
        return "names no file"
    if parts.fragment and target.suffix == ".md" and parts.fragment not in anchors(target):
        return "names no heading"
    return None


MARKDOWN = tracked("*.md", "*.md.jinja")


@pytest.mark.parametrize("file", MARKDOWN, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_link_leads_somewhere(file: Path) -> None:
    assert not [(link, why) for link in links(file) if (why := wrong(file, link))]


def test_there_are_links_of_each_kind_and_bad_ones_are_told(tmp_path: Path) -> None:
    found = [link for file in MARKDOWN for link in links(file)]
    assert len([link for link in found if link.startswith("https:")]) > 5
    assert len([link for link in found if ".md#" in link]) > 3
    page = tmp_path / "page.md"
    page.write_text("# A `title`\n")
    assert wrong(page, "#a-title") is None
    assert wrong(page, "page.md#other") == "names no heading"
    assert wrong(page, "none.md") == "names no file"
    assert wrong(page, "http://falco.org") == wrong(page, "https://falco") == "is no https link"


def codespell(*files: Path) -> str:
    command = [sys.executable, "-m", "codespell_lib", "--ignore-words", WORDS]
    done = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 65), done.stderr  # EX_DATAERR: misspelled words
    return done.stdout


def test_what_people_read_is_spelled_right(tmp_path: Path) -> None:
    files = [file for file in tracked(*READ) if "tests" not in file.relative_to(ROOT).parts]
    assert len(files) > 200
    assert codespell(*files) == "", "mend it, or put a word of ours into tests/docs/words.txt"
    page = tmp_path / "page.md"
    page.write_text("It did not recieve it.\n")
    assert "recieve ==> receive" in codespell(page)


def test_the_list_of_words_has_none_that_nobody_uses() -> None:
    text = "\n".join(file.read_text(encoding="utf-8") for file in tracked(*READ)).lower()
    assert not [word for word in WORDS.read_text().split() if word not in text]
