"""The release, step by step, with a real registry and a key that is thrown away."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
WORKFLOWS = ROOT / ".github" / "workflows"


def _workflow(name: str) -> dict[str, Any]:
    return YAML(typ="safe").load((WORKFLOWS / name).read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_dry_run_publishes_signs_indexes_and_verifies(
    k8saudit_aks_library: Path, tmp_path: Path
) -> None:
    program = os.environ.get("FALCOPY_DOCKER_REGISTRY") or shutil.which("docker-registry")
    if program is None and os.environ.get("CI") != "true":
        pytest.skip("no docker-registry: apt install docker-registry")
    (tmp_path / "x86_64").mkdir()
    (tmp_path / "x86_64" / "libk8saudit-aks.so").symlink_to(k8saudit_aks_library)
    done = subprocess.run(
        [sys.executable, ROOT / "release", "dry-run", "--built", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("checks, none failed") == 2
    assert "k8saudit-aks-rules" in done.stdout
    assert "failed" not in done.stdout.replace("none failed", "")
    assert done.stdout.endswith("dry run: all steps done; nothing was published\n")
    sums = (tmp_path / "SHA256SUMS").read_text()
    assert "x86_64/libk8saudit-aks.so" in sums
    assert "snippets/falcoctl.yaml" in sums
    checked = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tmp_path)
    assert checked.returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_build_is_tested_on_the_python_and_the_packages_inside(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "release", "build", "--no-sdk-wheel", "--output", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"^(\d+) passed in ", done.stderr, re.MULTILINE)
    assert passed
    assert int(passed[1]) > 500
    assert "note: the tests" not in done.stderr
    (library,) = tmp_path.glob("*/libk8saudit-aks.so")
    assert (library.parent / "sbom.cdx.json").is_file()
    assert list((tmp_path / "wheels").glob("falcopy_k8saudit_aks-*.whl"))


def test_without_a_build_there_is_nothing_to_publish(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "release", "publish", "--from", tmp_path, "--to", "x/y"]
    keys = ["--key", __file__, "--public-key", __file__]
    done = subprocess.run([*command, *keys], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "there is no libk8saudit-aks.so" in done.stderr


def test_without_a_key_only_a_workflow_publishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_WORKFLOW_REF", raising=False)
    command = [sys.executable, ROOT / "release", "publish", "--from", tmp_path, "--to", "x/y"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no key was given, and this is no workflow" in done.stderr


@pytest.mark.parametrize("name", sorted(path.name for path in WORKFLOWS.glob("*.yml")))
def test_workflows_have_the_rights_they_need_and_no_more(name: str) -> None:
    workflow = _workflow(name)
    assert workflow["permissions"] in ({}, {"contents": "read"})
    writing = {
        (job, scope)
        for job, definition in workflow["jobs"].items()
        for scope, right in definition.get("permissions", {}).items()
        if right == "write"
    }
    allowed = {("publish", scope) for scope in ("contents", "packages", "id-token")}
    assert writing == (allowed if name == "release.yml" else set())
    for definition in workflow["jobs"].values():
        assert definition["timeout-minutes"] <= 60
        for step in definition["steps"]:
            action = step.get("uses")
            assert action is None or action.partition("@")[2] not in {"", "main", "master"}
            if action is not None and action.startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_the_workflow_runs_the_steps_of_the_dry_run() -> None:
    jobs = _workflow("release.yml")["jobs"]
    commands = "\n".join(step.get("run", "") for job in jobs.values() for step in job["steps"])
    for step in ("release check --tag", "release build", "release publish --from"):
        assert step in commands
    assert {entry["machine"] for entry in jobs["plugin"]["strategy"]["matrix"]["include"]} == {
        "x86_64",
        "aarch64",
    }
    # Each job waits for the one before.
    assert [jobs[name]["needs"] for name in ("wheels", "plugin", "publish")] == [
        "check",
        "wheels",
        "plugin",
    ]


def test_ci_runs_what_everybody_runs() -> None:
    (job,) = _workflow("ci.yml")["jobs"].values()
    assert any(step.get("run") == ".ci/run" for step in job["steps"])
