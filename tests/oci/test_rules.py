"""What rules files and options ask for: read as Falco and falcoctl read it, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Falcopy


def test_all_documents_of_a_rules_file_count_as_for_falco(falcopy: Falcopy, tmp_path: Path) -> None:
    """falco, rule_loader_reader.cpp: YAML::LoadAll; empty documents and items are passed over."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "---\n- required_engine_version: 0.20.0\n-\n---\n---\n- required_engine_version: 0.31.0\n"
        "- required_plugin_versions: [{name: json, version: 0.7.0}]\n...\n"
    )
    done = falcopy(
        *("package", rules, "-o", tmp_path / "out", "--json"),
        *("--rules-name", "own-rules", "--rules-version", "1.0.0"),
    )
    assert done.returncode == 0, done.stderr
    config = json.loads(done.stdout)["artifacts"][0]["config"]
    assert config["requirements"] == [{"name": "engine_version_semver", "version": "0.31.0"}]
    assert [d["name"] for d in config["dependencies"]] == ["json"]
    rules.write_text("- required_engine_version: 0.31.0\n---\nrule: no list\n")
    done = falcopy("package", rules, "--rules-name", "own-rules", "--rules-version", "1.0.0")
    assert done.returncode == 5
    assert "no rules file" in done.stderr


def test_an_engine_version_may_have_build_metadata_as_for_falco_and_falcoctl(
    falcopy: Falcopy, tmp_path: Path
) -> None:
    """Falco reads three numbers (sinsp_version), falcoctl ignores the rest when it compares."""
    rules = tmp_path / "rules.yaml"
    rules.write_text("- required_engine_version: 0.31.0+b1\n")
    named = ("--rules-name", "own-rules", "--rules-version", "1.0.0", "--json")
    for asked, version in (
        ((), "0.31.0+b1"),
        (("--requires", "engine_version_semver:0.32.0+b2"), "0.32.0+b2"),
    ):
        done = falcopy("package", rules, "-o", tmp_path / "out", *named, *asked)
        assert done.returncode == 0, done.stderr
        (need,) = json.loads(done.stdout)["artifacts"][0]["config"]["requirements"]
        assert need["version"] == version


@pytest.mark.parametrize(
    "arguments",
    [("--requires", "engine_version_semver:0.31.0"), ("--depends-on", "json:0.7.0")],
)
def test_needs_of_a_plugin_and_its_rules_at_once_are_refused(
    falcopy: Falcopy, plugin: Path, rules: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = falcopy("package", plugin, rules, "-o", tmp_path / "out", *arguments)
    assert done.returncode == 2
    assert "are for one artifact, and a plugin and its rules become two" in done.stderr
    done = falcopy("package", plugin, "-o", tmp_path / "out", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    config = json.loads(done.stdout)["artifacts"][0]["config"]
    assert arguments[1] in [
        f"{need['name']}:{need['version']}"
        for need in (*config.get("dependencies", ()), *config["requirements"])
    ]


def test_the_plugin_api_is_the_plugins_own_word(
    falcopy: Falcopy, plugin: Path, tmp_path: Path
) -> None:
    command = ("package", plugin, "-o", tmp_path / "out", "--requires")
    done = falcopy(*command, "plugin_api_version:3.7.0")
    assert done.returncode == 5
    assert "plugin_api_version:3.7.0 is asked for, and the plugin itself asks" in done.stderr
    assert falcopy(*command, "plugin_api_version:3.6.0").returncode == 0


@pytest.mark.parametrize(
    "text",
    [
        *("a: b\n", "- [\n", "- required_engine_version: new\n"),
        *("- required_engine_version: -1\n", "- required_plugin_versions: 5\n"),
        *("- required_plugin_versions:\n", "- required_plugin_versions: [5]\n", "- 5\n", ""),
        "- required_plugin_versions: [{name: a, version: 1.0.0, alternatives: 5}]\n",
    ],
)
def test_rules_that_are_no_rules_are_refused(falcopy: Falcopy, tmp_path: Path, text: str) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(text)
    done = falcopy("package", rules, "--rules-name", "a", "--rules-version", "1.0.0")
    assert done.returncode == 5
    assert str(rules) in done.stderr
