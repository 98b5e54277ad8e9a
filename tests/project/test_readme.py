"""What the README shows works as it is written there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FALCOPY = Path(sys.executable).with_name("falcopy")
EVENTS = (
    '{"region":"eu","actor":{"login":"ann","groups":["ops","dev"]}}\n'
    '{"region":"us","actor":{"login":"bob"}}\n'
)


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\b[^\n]*\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The plugin project of the README."""
    [plugin] = [block for block in _blocks("python") if "class AcmeAudit" in block]
    (tmp_path / "acme_audit.py").write_text(plugin)
    (tmp_path / "pyproject.toml").write_text(_blocks("toml")[0])
    (tmp_path / "audit.jsonl").write_text(EVENTS)
    return tmp_path


def _run(*arguments: str, folder: Path) -> list[dict[str, object]]:
    done = subprocess.run(
        [FALCOPY, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


RUN = ["--open-params", "audit.jsonl", "--fields", "acme.user,acme.groups", "--json"]
FIELDS = [
    {"acme.user": "ann", "acme.groups": ["ops", "dev"]},
    {"acme.user": "bob", "acme.groups": None},
]


def test_the_example_plugin_runs_without_a_build(project: Path) -> None:
    assert [event["fields"] for event in _run("run", ".", *RUN, folder=project)] == FIELDS


def test_the_example_plugin_takes_its_configuration(project: Path) -> None:
    config = ["--init-config", '{"region": "us"}']
    assert [event["fields"] for event in _run("run", ".", *RUN, *config, folder=project)] == [
        FIELDS[1]
    ]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_example_plugin_builds_and_runs_from_the_one_file(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for command in re.findall(r"^falcopy (build[^#\n]*)", README, re.MULTILINE):
        _run(*command.split(), folder=project)
    alone = tmp_path_factory.mktemp("alone")
    library = (project / "dist" / "libacme-audit.so").rename(alone / "libacme-audit.so")
    (alone / "audit.jsonl").write_text(EVENTS)
    (project / "acme_audit.py").unlink()
    assert [event["fields"] for event in _run("run", str(library), *RUN, folder=alone)] == FIELDS


def test_every_make_command_has_a_target() -> None:
    text = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    commands = set(re.findall(r"\bmake ([a-z][a-z-]+)\b", text))
    assert {"demo", "test"} <= commands
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert not commands - set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


def test_every_falcopy_command_exists() -> None:
    listed = subprocess.run([FALCOPY, "--help"], capture_output=True, text=True, check=True).stdout
    exists = set(re.findall(r"^  ([a-z]+)  ", listed, re.MULTILINE))
    assert set(re.findall(r"^falcopy ([a-z]+)", "\n".join(_blocks("sh")), re.MULTILINE)) <= exists


def test_every_link_to_a_file_leads_somewhere() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
        assert not [link for link in links if not (ROOT / link).exists()], name
