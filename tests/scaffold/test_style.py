"""Projects are clean whatever they are called, and only for what no project can be called."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from falcopy_sdk.exceptions import AnswerError
from falcopy_sdk.scaffold import Names, create, find_template, templates

ALL = [template.name for template in templates()]
#: Before and after "falcopy_sdk" and "tests" in an alphabet, short, and as long as can be.
NAMES = ("acme-audit", "vault-audit", "z9", "a", "a" * 30, "z" * 30, "abcde-" * 4 + "abcdef")
#: As wide as can be; with what linters take for slips of the keyboard.
LONG = ("d" * 80, "Gr\u00f6\u00dfe \u2013 l\u2019\u00e9t\u00e9 \u00d7" * 5, "\u76e3\u67fb" * 20)


def made(folder: Path, template: str, name: str, description: str = "Events of Acme") -> Path:
    project = folder / name
    create(
        find_template(template),
        Names(name),
        project,
        description=description,
        contact=f"https://example.org/{'c' * 60}",
    )
    return project


@pytest.mark.parametrize("template", ALL)
def test_every_project_is_clean(template: str, tmp_path: Path) -> None:
    for name in NAMES:
        made(tmp_path, template, name)
    for number, description in enumerate(LONG):
        made(tmp_path, template, f"long-{number}", description)
    for command in (["check", "--no-cache"], ["format", "--check", "--diff", "--no-cache"]):
        done = subprocess.run(
            [Path(sys.executable).with_name("ruff"), *command, "."],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("extractor", "event"),
        ("extractor", "config"),
        ("source-files", "batch"),
        ("source-files", "instance"),
        ("source-poll", "api"),
        ("source-poll", "stand-in"),
        ("source-poll", "httpx"),
        ("source-push", "listener"),
        ("source-push", "trustme"),
    ],
)
def test_a_name_that_the_code_has_for_something_else_is_refused(
    template: str, name: str, tmp_path: Path
) -> None:
    with pytest.raises(AnswerError, match=f"{name}-audit"):
        made(tmp_path, template, name)
    made(tmp_path, template, f"{name}-audit")


@pytest.mark.parametrize("template", ALL)
def test_the_version_stands_in_one_place(template: str, tmp_path: Path) -> None:
    project = made(tmp_path, template, "acme-audit")
    about = tomllib.loads((project / "pyproject.toml").read_text())
    assert about["project"]["dynamic"] == ["version"]
    where = about["tool"]["hatch"]["version"]
    code = (project / where["path"]).read_text()
    assert re.findall(f"(?m){where['pattern']}", code) == ["0.1.0"]


@pytest.mark.parametrize("template", ALL)
def test_the_workflow_builds_for_old_hosts_with_a_python_that_can(
    template: str, tmp_path: Path
) -> None:
    project = made(tmp_path, template, "acme-audit")
    workflow = YAML(typ="safe").load(project / ".github" / "workflows" / "ci.yml")
    steps = "\n".join(step.get("run", "") for step in workflow["jobs"]["plugin"]["steps"])
    assert "uv venv --seed --managed-python" in steps
    assert "falcopy build --test --glibc 2.28" in steps
