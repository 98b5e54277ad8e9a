"""Each template as an author gets it: from the wheel, without a compiler, to a packed plugin."""

from __future__ import annotations

import json
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ruamel.yaml import YAML

from falcopy_sdk.host import Library
from falcopy_sdk.scaffold import templates

if TYPE_CHECKING:
    from conftest import Author

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def workflow_steps(project: Path) -> list[str]:
    """What the project's workflow runs once its environment is there."""
    workflow = YAML(typ="safe").load(project / ".github" / "workflows" / "ci.yml")
    steps = [step["run"] for step in workflow["jobs"]["plugin"]["steps"] if "run" in step]
    return steps[steps.index('pip install -e ".[dev]"') + 1 :]


@pytest.mark.parametrize("template", [template.name for template in templates()])
def test_five_commands_make_a_tested_packed_plugin(
    template: str, author: Author, tmp_path: Path
) -> None:
    # Not before "tests" in the alphabet, as falcopy_sdk is.
    name = f"vault-{template.removeprefix('source-')}"
    author.run("falcopy", "new", name, "--template", template, cwd=tmp_path)
    project = tmp_path / name
    author.run("pip", "install", "--quiet", "-e", ".[dev]", cwd=project)
    assert re.search(r"\d passed", author.run("pytest", "-q", cwd=project))

    # The Python of this machine needs a newer glibc than the one of the workflow.
    here = f"--glibc {platform.libc_ver()[1]}"
    steps = [re.sub(r"--glibc \S+", here, step) for step in workflow_steps(project)]
    text = "\n".join(steps)
    for command in ("ruff check", "mypy", "build --test", "fields --check", "check dist/"):
        assert command in text
    assert "falcopy package" in steps[-1]
    for step in steps[:-1]:
        author.run("/bin/sh", "-ec", step, cwd=project)
    printed = author.run("/bin/sh", "-ec", steps[-1], cwd=project)
    plugin, rulesfile = (project / line for line in printed.splitlines())
    for layout in (plugin, rulesfile):
        assert json.loads((layout / "index.json").read_text())["manifests"]

    with Library.load(project / "dist" / f"lib{name}.so") as loaded:
        assert loaded.facts.name == name
