"""What the pages show works: files are written, commands run in order, data is well-formed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from conftest import Author

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


_TITLE = re.compile(r'title="([^"]+)"')
_NOT_RUN = re.compile(r"<!-- not run: (.+) -->")


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    line: int
    language: str
    title: str | None
    text: str
    not_run: str | None


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found, reason = [], None
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type == "html_block" and (marked := _NOT_RUN.match(token.content)):
            reason = marked[1]
        elif token.type == "fence":
            language, _, rest = token.info.partition(" ")
            title = _TITLE.search(rest)
            line = token.map[0] + 1 if token.map else 0
            found.append(Block(line, language, title and title[1], token.content, reason))
            reason = None
    return found


def check_data(block: Block) -> None:
    """Data that is shown is well-formed."""
    match block.language:
        case "yaml":
            YAML(typ="safe").load(block.text)
        case "json":
            json.loads(block.text)
        case "toml":
            tomllib.loads(block.text)
        case "python":
            compile(block.text, "<block>", "exec")
        case "sh" | "":
            pass
        case other:
            raise AssertionError(f"a block of language {other}, which no test knows")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_a_page_does_what_it_says(page: Path, author: Author, tmp_path: Path) -> None:
    script = ["set -euo pipefail"]
    for block in blocks(page):
        if block.not_run is None or block.language != "python":
            check_data(block)
        if block.not_run is not None:
            continue
        if block.title is not None and "/" not in block.title:
            (tmp_path / block.title).write_text(block.text)
        if block.language == "sh":
            script += [f": line {block.line}", block.text]
    if len(script) == 1:
        return
    env = {
        name: value
        for name, value in os.environ.items()
        if name in ("HOME", "LD_LIBRARY_PATH") or name.startswith(("PIP_", "XDG_", "UV_"))
    }
    env["PATH"] = f"{author.venv / 'bin'}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-x", "-c", "\n".join(script)],
        cwd=tmp_path,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-6000:]
