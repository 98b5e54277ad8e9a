"""What the pages show works: files are written, commands run in order, data is well-formed."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ruamel.yaml import YAML

from tests.conftest import environment
from tests.docs.configurations import init_configs, violations
from tests.docs.pages import DOCS, PAGES, PLUGIN, ROOT, Block, blocks

if TYPE_CHECKING:
    from conftest import Author

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

#: The registry of the pages; here one on this machine takes its place.
_REGISTRY = "ghcr.io"
#: Ports of the pages' servers; here free ones take their places.
_PORT = re.compile(r"\b184\d\d\b")


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


def with_free_ports(text: str) -> str:
    """Another port for each that a page names."""
    named = set(_PORT.findall(text))
    servers = {port: socket.create_server(("127.0.0.1", 0)) for port in named}
    for port, server in servers.items():
        text = text.replace(port, str(server.getsockname()[1]))
        server.close()
    return text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
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
    if script:
        text = with_free_ports("\n".join(["set -euo pipefail", *script]))
        if _REGISTRY in text:
            text = text.replace(_REGISTRY, request.getfixturevalue("registry"))
        run(text, author, tmp_path)
    for block in blocks(page):
        if block.language == "yaml":
            for name, config in init_configs(page, block):
                assert not violations(name, config, tmp_path), f"line {block.line}"


def run(script: str, author: Author, folder: Path) -> None:
    """Runs a page's commands as somebody would who has falcopy from its wheel."""
    done = subprocess.run(
        ["bash", "-x", "-c", script],
        cwd=folder,
        env=environment(folder, PATH=f"{author.venv / 'bin'}:/usr/bin:/bin"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-6000:]


def test_every_page_of_the_site_is_among_them() -> None:
    # MkDocs' configuration names Python objects at other places; those of nav are texts.
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    shown = re.findall(r"[\w/-]+\.md$", nav, re.MULTILINE)
    assert len(shown) > 20
    known = {*PAGES}
    assert not [name for name in shown if not {DOCS / name, ROOT / name} & known]


def test_a_configuration_that_does_not_fit_its_plugin_is_told(tmp_path: Path) -> None:
    text = "plugins: [{name: k8saudit-aks, init_config: {event_hub_nam: x, prefetch: many}}]"
    [(name, config)] = init_configs(PLUGIN / "README.md", Block(1, "yaml", None, text, None))
    assert sorted(violations(name, config, tmp_path)) == [
        "'many' is not of type 'integer'",
        "Additional properties are not allowed ('event_hub_nam' was unexpected)",
    ]


def skipped() -> list[tuple[str, Block]]:
    """The blocks that are shown and not run."""
    return [(page.name, block) for page in PAGES for block in blocks(page) if block.not_run]


def test_only_what_cannot_run_here_is_not_run() -> None:
    """A block is passed over for one of these reasons, and none of them is falcopy's alone."""
    reasons = re.compile(
        r"needs (an account|a Falco|a cluster|a checkout|cosign|falcoctl)|the next block "
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
