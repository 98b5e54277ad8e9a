"""The code blocks of a page, and how they are run."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from ruamel.yaml import YAML

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
