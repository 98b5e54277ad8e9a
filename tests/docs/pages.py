"""Reads the pages that people read: fenced blocks, and what the site hides around them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PLUGIN = ROOT / "plugins" / "k8saudit_aks"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", *PLUGIN.glob("*.md")])

_TITLE = re.compile(r'title="([^"]+)"')
_NOT_RUN = re.compile(r"<!-- not run: (.+?) -->", re.DOTALL)
#: Commands that readers need not see: what a page takes for granted, such as a project that another
#: page made, and checks of what came out.
_HIDDEN = re.compile(r"<!-- (?:prepare|check):\n(.+?)-->", re.DOTALL)
_INCLUDE = re.compile(r'^--8<-- "([^":]+):(\w+)"$', re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    line: int
    language: str
    title: str | None
    text: str
    not_run: str | None


def text_of(page: Path) -> str:
    """The page with what it includes of other files, as the site's snippets extension does."""

    def section(found: re.Match[str]) -> str:
        text = (ROOT / found[1]).read_text(encoding="utf-8")
        marks = [f"<!-- --8<-- [{end}:{found[2]}] -->\n" for end in ("start", "end")]
        return text[text.index(marks[0]) + len(marks[0]) : text.index(marks[1])]

    return _INCLUDE.sub(section, page.read_text(encoding="utf-8"))


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order, and the hidden commands between them."""
    found, reason = [], None
    for token in MarkdownIt().parse(text_of(page)):
        if token.type == "html_block" and (marked := _NOT_RUN.match(token.content)):
            reason = " ".join(marked[1].split())
        elif token.type == "html_block" and (hidden := _HIDDEN.match(token.content)):
            found.append(Block(0, "sh", None, hidden[1], None))
        elif token.type == "fence":
            language, _, rest = token.info.partition(" ")
            title = _TITLE.search(rest)
            line = token.map[0] + 1 if token.map else 0
            found.append(Block(line, language, title and title[1], token.content, reason))
            reason = None
    return found
