"""Each template as an author gets it: from the wheel, without a compiler, to a packed plugin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from falcopy_sdk.host import Library
from falcopy_sdk.scaffold import templates

if TYPE_CHECKING:
    from conftest import Author

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize("template", [template.name for template in templates()])
def test_five_commands_make_a_tested_packed_plugin(
    template: str, author: Author, tmp_path: Path
) -> None:
    name = f"acme-{template.removeprefix('source-')}"
    author.run("falcopy", "new", name, "--template", template, cwd=tmp_path)
    project = tmp_path / name
    author.run("pip", "install", "--quiet", "-e", ".[dev]", cwd=project)

    author.run("ruff", "check", ".", cwd=project)
    author.run("ruff", "format", "--check", ".", cwd=project)
    author.run("mypy", cwd=project)
    author.run("falcopy", "fields", "--check", "README.md", cwd=project)

    assert " passed" in author.run("pytest", "-q", cwd=project)
    author.run("falcopy", "build", "--test", cwd=project)
    library = project / "dist" / f"lib{name}.so"
    samples = ("--events", "samples/events.jsonl", "--init-config", "@samples/init_config.yaml")
    author.run("falcopy", "check", library, *samples, cwd=project)
    rules = next(project.glob("rules/*.yaml"))
    printed = author.run("falcopy", "package", library, rules, "--project", ".", cwd=project)
    plugin, rulesfile = (project / line for line in printed.splitlines())
    for layout in (plugin, rulesfile):
        assert json.loads((layout / "index.json").read_text())["manifests"]

    with Library.load(library) as loaded:
        assert loaded.facts.name == name
