"""What the pages show works: files are written, commands run in order, data is well-formed."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

from tests.conftest import environment

if TYPE_CHECKING:
    from conftest import Author, environment

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


_TITLE = re.compile(r'title="([^"]+)"')
_NOT_RUN = re.compile(r"<!-- not run: (.+) -->")
#: Commands that a page's own need, such as a project that another page made; the site hides them.
_PREPARE = re.compile(r"<!-- prepare:\n(.+?)-->", re.DOTALL)
_INCLUDE = re.compile(r'^--8<-- "([^":]+):(\w+)"$', re.MULTILINE)
#: The registry of the pages; here one on this machine takes its place.
_REGISTRY = "ghcr.io"


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
        text = (DOCS.parent / found[1]).read_text(encoding="utf-8")
        marks = [f"<!-- --8<-- [{end}:{found[2]}] -->\n" for end in ("start", "end")]
        return text[text.index(marks[0]) + len(marks[0]) : text.index(marks[1])]

    return _INCLUDE.sub(section, page.read_text(encoding="utf-8"))


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found, reason = [], None
    for token in MarkdownIt().parse(text_of(page)):
        if token.type == "html_block" and (marked := _NOT_RUN.match(token.content)):
            reason = marked[1]
        elif token.type == "html_block" and (prepare := _PREPARE.match(token.content)):
            found.append(Block(0, "sh", None, prepare[1], None))
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
def test_a_page_does_what_it_says(
    page: Path, author: Author, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    script = []
    for block in blocks(page):
        if block.not_run is None or block.language != "python":
            check_data(block)
        if block.not_run is not None:
            continue
        if block.title is not None and "/" not in block.title:
            (tmp_path / block.title).write_text(block.text)
        if block.language == "sh":
            script += [f": line {block.line}", block.text]
    if not script:
        return
    text = "\n".join(["set -euo pipefail", *script])
    if _REGISTRY in text:
        text = text.replace(_REGISTRY, request.getfixturevalue("registry"))
    done = subprocess.run(
        ["bash", "-x", "-c", text],
        cwd=tmp_path,
        env=environment(tmp_path, PATH=f"{author.venv / 'bin'}:/usr/bin:/bin"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-6000:]


def skipped() -> list[tuple[str, Block]]:
    """The blocks that are shown and not run."""
    return [(page.name, block) for page in PAGES for block in blocks(page) if block.not_run]


def test_only_what_cannot_run_here_is_not_run() -> None:
    """A block is passed over for one of these reasons, and none of them is falcopy's alone."""
    reasons = re.compile(
        r"needs (an account|a Falco|a cluster|cosign|falcoctl)|the next block |the tutorial runs it"
        r"|the tests have the wheel|installing the project's packages"
    )
    found = skipped()
    assert found
    assert not [(page, block.line) for page, block in found if not reasons.search(block.not_run)]


def test_commands_that_are_not_run_exist_with_their_options() -> None:
    import click

    from falcopy_sdk.cli import main

    checked = 0
    for page, block in skipped():
        for line in block.text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] != ["falcopy"]:
                continue
            command: click.Command = main
            context = click.Context(main)
            names = words[1:]
            while isinstance(command, click.Group):
                found = command.get_command(context, names.pop(0))
                assert found is not None, (page, line)
                command = found
            known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
            used = {word.partition("=")[0] for word in names if word.startswith("-")}
            assert used <= known, (page, line)
            checked += 1
    assert checked
