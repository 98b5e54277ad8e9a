"""Each example as whoever copies it has it: from the wheel, without a compiler, to a plugin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from falcopy_sdk.bundle import locks
from falcopy_sdk.host import Library

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Author, Azurite

EXAMPLES = sorted((Path(__file__).parents[2] / "docs" / "examples").glob("*/pyproject.toml"))
NAMES = [project.parent.name for project in EXAMPLES]

#: Fields of the first sample.
EXPECTED: dict[str, dict[str, Any]] = {
    "cloudflare_logpush": {
        "cloudflare.action": "login",
        "cloudflare.ok": True,
        "cloudflare.actor": "ada@example.com",
        "cloudflare.zone": None,
    },
    "github_audit": {
        "github.action": "repo.destroy",
        "github.country": "SE",
        "github.bot": False,
        "github.user": None,
    },
    "tailscale_webhook": {
        "tailscale.type": "nodeCreated",
        "tailscale.node": "web.example.ts.net",
        "tailscale.roles": None,
    },
}


@pytest.mark.parametrize("project", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_is_one_file_of_150_lines_at_most_with_samples_rules_and_tests(
    project: Path,
) -> None:
    folder = project.parent
    (code,) = folder.glob("*.py")
    assert len(code.read_text().splitlines()) <= 150
    assert list(folder.glob("rules/*.yaml"))
    assert list(folder.glob("samples/*.jsonl"))
    assert list(folder.glob("tests/test_*.py"))
    assert locks.read_lock(folder / "requirements.lock")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_clean_passes_its_tests_and_becomes_a_plugin(
    name: str,
    example: Callable[[str], Path],
    author_of: Callable[[str], Author],
    request: pytest.FixtureRequest,
) -> None:
    project, author = example(name), author_of(name)
    author.run("ruff", "check", ".", cwd=project)
    author.run("ruff", "format", "--check", ".", cwd=project)
    author.run("mypy", cwd=project)

    needed = {}
    if name == "cloudflare_logpush":
        azurite: Azurite = request.getfixturevalue("azurite")
        needed["AZURE_STORAGE_CONNECTION_STRING"] = azurite.connection_string()
    report = author.run("pytest", "-q", "-rs", cwd=project, **needed)
    assert " passed" in report
    assert "Azurite" not in report, report

    (library,) = project.glob("dist/lib*.so")
    samples = ("--events", "samples/events.jsonl", "--init-config", "@samples/init_config.yaml")
    author.run("falcopy", "check", library, *samples, cwd=project)

    config = YAML(typ="safe").load(project / "samples" / "init_config.yaml")
    first = (project / "samples" / "events.jsonl").read_bytes().splitlines()[0]
    with Library.load(library) as loaded, loaded.init(config) as plugin:
        event = plugin.event(first)
        expected = EXPECTED[name]
        assert {field: plugin.extract(event, field) for field in expected} == expected
