"""The release, step by step, with a real registry and a key that is thrown away."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
WORKFLOWS = ROOT / ".github" / "workflows"
sys.path.insert(0, str(ROOT / "release"))

import assets  # noqa: E402 - found by the line above
import publishing  # noqa: E402


def _workflow(name: str) -> dict[str, Any]:
    return YAML(typ="safe").load((WORKFLOWS / name).read_text(encoding="utf-8"))


def _dry_run(built: Path, previous: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "release", "dry-run", "--built", built, "--previous", previous],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_dry_runs_publish_sign_index_and_verify_one_release_after_the_other(
    k8saudit_aks_library: Path, tmp_path: Path
) -> None:
    program = os.environ.get("FALCOPY_DOCKER_REGISTRY") or shutil.which("docker-registry")
    if program is None and os.environ.get("CI") != "true":
        pytest.skip("no docker-registry: apt install docker-registry")
    built, previous = tmp_path / "built", tmp_path / "previous"
    (built / "x86_64" / "licences").mkdir(parents=True)
    (built / "x86_64" / "libk8saudit-aks.so").symlink_to(k8saudit_aks_library)
    (built / "x86_64" / "licences" / "LICENSE").write_text("free")
    (built / "wheels").mkdir()
    (built / "wheels" / "falcopy_sdk-0-py3-none-any.whl").write_text("a wheel")
    previous.mkdir()
    done = _dry_run(built, previous, SOURCE_DATE_EPOCH="1767225600")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("checks, none failed") == 2
    assert "k8saudit-aks-rules" in done.stdout
    assert "failed" not in done.stdout.replace("none failed", "")
    assert done.stdout.endswith("dry run: all steps done; nothing was published\n")

    # What a user downloads, all of it into one folder, and checks there.
    page = Path(shutil.copytree(built / "assets", tmp_path / "downloads"))
    assert {path.name for path in page.iterdir()} == {
        *("SHA256SUMS", "falco.yaml", "falcoctl.yaml", "values.yaml"),
        *("falcopy_sdk-0-py3-none-any.whl", "k8saudit-aks-linux-x86_64.tar.gz"),
        *("index.yaml", "index.lock.json"),
    }
    check = ["sha256sum", "--check", "SHA256SUMS"]
    checked = subprocess.run(check, cwd=page, capture_output=True, text=True, check=True)
    assert sorted(line.partition(":")[0] for line in checked.stdout.splitlines()) == sorted(
        path.name for path in page.iterdir() if path.name != "SHA256SUMS"
    )
    with tarfile.open(page / "k8saudit-aks-linux-x86_64.tar.gz") as archive:
        assert archive.getnames() == ["libk8saudit-aks.so", "licences/LICENSE"]
        assert all(member.isreg() and member.uid == 0 for member in archive)

    # The next one goes on with this index, and refuses a version of it that comes back changed.
    names = {"k8saudit-aks", "k8saudit-aks-rules"}
    digests = json.loads((page / "index.lock.json").read_text())["digests"]
    assert {e["name"] for e in YAML(typ="safe").load(page / "index.yaml")} == names
    assert set(digests) == names
    again = _dry_run(built, page, SOURCE_DATE_EPOCH="1767225601")
    assert again.returncode == 1
    (version,) = digests["k8saudit-aks"]
    known = digests["k8saudit-aks"][version]
    assert f"k8saudit-aks {version} is there with digest {known}, and this is" in again.stderr


def test_an_archive_of_the_page_is_the_same_wherever_it_is_made(tmp_path: Path) -> None:
    made = []
    for name, mode in (("one", 0o600), ("another place", 0o777)):
        folder = tmp_path / name
        (folder / "licences").mkdir(parents=True)
        for file in ("licences/b" + "x" * 120, "liba.so", "licences/a"):
            (folder / file).write_text(file)
            (folder / file).chmod(mode)
            os.utime(folder / file, (mode, mode))
        assets.archive(folder, tmp_path / f"{name}.tar.gz", 1767225600)
        made.append((tmp_path / f"{name}.tar.gz").read_bytes())
    assert made[0] == made[1]
    with tarfile.open(tmp_path / "one.tar.gz") as archive:
        assert [(m.name[:10], m.mode, m.mtime) for m in archive] == [
            ("liba.so", 0o755, 1767225600),
            ("licences/a", 0o644, 1767225600),
            ("licences/b", 0o644, 1767225600),
        ]


def test_an_index_is_gone_on_with_only_with_its_record(tmp_path: Path) -> None:
    previous, index = tmp_path / "previous", tmp_path / "new" / "index.yaml"
    previous.mkdir()
    publishing.take_over(previous, index)  # the first release
    assert not index.exists()
    (previous / "index.lock.json").write_text("{}")
    (previous / "index.yaml").write_text("[]")
    publishing.take_over(previous, index)
    assert {path.name for path in index.parent.iterdir()} == {"index.yaml", "index.lock.json"}
    (previous / "index.lock.json").unlink()
    with pytest.raises(SystemExit, match=r"has index\.yaml alone"):
        publishing.take_over(previous, index)


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
    steps = ("release check --tag", "release build", "release publish --from")
    for step in (*steps, "--previous dist/previous", "dist/release/assets/*"):
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
