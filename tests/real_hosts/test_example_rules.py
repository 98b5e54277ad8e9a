"""The rules of docs/examples in a real engine: libsinsp evaluates them over samples."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from falcopy_sdk.cli.plugins import load

from .falco_rules import Rules
from .hosts import FILES, Plugin, Sysdig, messages, printed

if TYPE_CHECKING:
    from collections.abc import Callable

    from .chroot import Chroot

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

#: Events beside the samples that are nearly, but not quite, what a rule is about.
NEARLY: dict[str, list[dict[str, Any]]] = {
    "cloudflare_logpush": [
        {"ActionType": "token_create", "ActionResult": False},
        {"ActionType": "delete", "ResourceType": "dns_record", "Interface": "UI"},
        {"ActionType": "delete", "ResourceType": "zone", "Interface": "API"},
    ],
    "github_audit": [
        {"action": "repo.destroy", "actor": "cleaner[bot]"},
        {"action": "repo.destroy", "actor": "cleaner", "actor_is_bot": True},
        {"action": "repo.access", "actor": "cleaner[bot]", "visibility": "private"},
        {"action": "repo.create", "actor": "ada", "visibility": "public"},
    ],
    "tailscale_webhook": [
        {"type": "userRoleUpdated", "data": {"user": "ada", "newRoles": ["member", "auditor"]}},
        {"type": "userCreated", "data": {"user": "ada", "newRoles": ["admin"]}},
    ],
}
#: The samples, counted from 1, on which each rule fires; it does on nothing else.
FIRES = {
    "cloudflare_logpush": {
        "Cloudflare API token created": {3},
        "Cloudflare DNS record deleted over the API": {2},
    },
    "github_audit": {
        "Dangerous change of a GitHub organisation": {1, 2, 4},
        "GitHub repository made public": {4},
    },
    "tailscale_webhook": {
        "Tailscale user became an administrator": {2},
        "Tailscale policy changed": {3},
    },
}
CASES = [(name, rule) for name, rules in FIRES.items() for rule in rules]

#: Gives a file's lines as events, with the id of the examples: they read them from its capture.
REPLAY = """
from falcopy_sdk import Event, plugin, source


@plugin(name="replay", id=999, version="0.1.0", event_source="replay", description="Lines",
        contact="https://example.org")
class Replay:
    @source
    def events(self, params: str):
        with open(params, "rb") as lines:
            for line in lines:
                yield Event(line.strip())
"""

PROJECT = """
[project]
name = "replay"
version = "0.1.0"
dependencies = ["falcopy-sdk"]

[project.entry-points.falcopy]
replay = "replay:Replay"

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.hatch.build.targets.wheel]
include = ["replay.py"]
"""


def rules(name: str) -> Rules:
    return Rules.read(EXAMPLES / name / "rules" / f"{name}_rules.yaml")


def samples(name: str) -> list[bytes]:
    return (EXAMPLES / name / "samples" / "events.jsonl").read_bytes().splitlines()


@dataclass(frozen=True)
class Engine:
    """sysdig with a capture of samples, and the example that says what is in them."""

    sysdig: Sysdig
    plugin: Plugin
    #: Its init configuration, JSON.
    config: str

    def read(self, fields: list[str], *condition: str) -> dict[int, dict[str, Any]]:
        """The events that the condition lets through: number to fields."""
        more = ("-r", f"{FILES}/samples.scap", *condition)
        done = self.sysdig.run([(self.plugin, self.config)], None, ["evt.num", *fields], *more)
        assert done.returncode == 0, messages(done)
        return {event["evt.num"]: event for event in printed(done.stdout)}


@pytest.fixture(scope="module")
def replay(build_once: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replay")
    (folder / "replay.py").write_text(REPLAY)
    (folder / "pyproject.toml").write_text(PROJECT)
    return build_once("libreplay.so", folder)


@pytest.fixture(scope="module")
def engines(
    chroot: Chroot,
    replay: Path,
    example: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], Engine]:
    made: dict[str, Engine] = {}

    def engine(name: str) -> Engine:
        if name not in made:
            files = tmp_path_factory.mktemp(name)
            near = [json.dumps(event).encode() for event in NEARLY[name]]
            (files / "events.jsonl").write_bytes(b"\n".join([*samples(name), *near]))
            sysdig = Sysdig(chroot, files)
            lines = Plugin.install(replay, "replay", files, "replay")
            params = f"{FILES}/events.jsonl"
            done = sysdig.run([(lines, "")], params, [], "-q", "-w", f"{FILES}/samples.scap")
            assert done.returncode == 0, messages(done)
            project = example(name)
            (library,) = project.glob("dist/lib*.so")
            config = YAML(typ="safe").load(project / "samples" / "init_config.yaml")
            plugin = Plugin.install(library, name.replace("_", "-"), files)
            made[name] = Engine(sysdig, plugin, json.dumps(config))
        return made[name]

    return engine


@pytest.mark.real_host
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("name", "rule"), CASES)
def test_a_rule_fires_on_its_samples_and_on_nothing_else(
    engines: Callable[[str], Engine], name: str, rule: str
) -> None:
    assert engines(name).read([], rules(name).condition(rule)).keys() == FIRES[name][rule]


@pytest.mark.real_host
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("name", "rule"), CASES)
def test_every_field_of_an_output_is_printed_by_the_engine(
    engines: Callable[[str], Engine], name: str, rule: str
) -> None:
    fields = rules(name).output_fields(rule)
    assert fields
    events = engines(name).read(fields)
    assert len(events) == len(samples(name)) + len(NEARLY[name])
    values = {field: [events[number][field] for number in FIRES[name][rule]] for field in fields}
    assert all(any(found) for found in values.values()), values


@pytest.mark.parametrize("name", FIRES)
def test_the_rules_use_fields_that_the_example_has_and_need_it_alone(name: str) -> None:
    with load(str(EXAMPLES / name)) as library:
        facts = library.facts
    found = rules(name)
    assert found.rules.keys() == FIRES[name].keys()
    assert found.plugins == {facts.name: facts.version}
    declared = {field.name for field in facts.fields}
    for rule, text in found.rules.items():
        used = found.condition_fields(rule)
        assert used
        assert used | set(found.output_fields(rule)) <= declared
        assert text["source"] == facts.event_source
