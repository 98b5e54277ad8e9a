"""Each version stands in one place, and the changelog tells of every change."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest

from falcopy_sdk import plugin_spec

ROOT = Path(__file__).parents[2]


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "release" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


versions = _script("versions")
changelog = _script("changelog")


def test_the_plugin_and_its_package_have_one_version() -> None:
    from k8saudit_aks.plugin import K8sAuditAks

    found = versions.read(ROOT)
    assert plugin_spec(K8sAuditAks).version == found.plugin
    assert metadata.version("falcopy-k8saudit-aks") == found.plugin
    project = tomllib.loads((ROOT / "plugins/k8saudit_aks/pyproject.toml").read_text())["project"]
    assert "version" not in project
    assert project["dynamic"] == ["version"]


def test_the_sdk_says_the_version_of_its_package() -> None:
    found = versions.read(ROOT)
    assert metadata.version("falcopy-sdk") == found.sdk
    command = [sys.executable, "-m", "falcopy_sdk", "--version"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"falcopy, version {found.sdk}" in shown or f"falcopy {found.sdk}," in shown
    written = [
        path
        for path in (ROOT / "falcopy_sdk").rglob("*.py")
        if f'__version__ = "{found.sdk}"' in path.read_text(encoding="utf-8")
    ]
    assert not written


def test_this_checkout_has_a_changelog_that_fits() -> None:
    assert changelog.problems(ROOT, versions.read(ROOT), None) == []


FIRST = "# Changelog\n\n## [Unreleased]\n\n- First\n"
RELEASED = (
    "# Changelog\n\n## [Unreleased]\n\n## [1.0.0] - 2026-01-31\n\n- First; k8saudit-aks 0.7.0\n"
)
FOUND = versions.Versions("1.0.0", "0.7.0")


@pytest.fixture
def checkout(tmp_path: Path) -> Callable[..., None]:
    """A small repository: ``checkout("git arguments", ...)`` runs git, after files were written."""

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(
            ["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True
        )

    (tmp_path / "falcopy_sdk").mkdir()
    (tmp_path / "falcopy_sdk" / "a.py").write_text("1\n")
    (tmp_path / "CHANGELOG.md").write_text(RELEASED)
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-q", "-m", "First")
    git("tag", "v1.0.0")
    return git


def test_changed_sources_need_a_line_under_unreleased(
    checkout: Callable[..., None], tmp_path: Path
) -> None:
    assert changelog.problems(tmp_path, FOUND, None) == []
    (tmp_path / "falcopy_sdk" / "a.py").write_text("2\n")
    checkout("commit", "-q", "-a", "-m", "Second")
    (problem,) = changelog.problems(tmp_path, FOUND, None)
    assert "sources changed since v1.0.0, and nothing stands under Unreleased" in problem
    told = RELEASED.replace("[Unreleased]\n", "[Unreleased]\n\n### Changed\n\n- It is 2 now\n")
    (tmp_path / "CHANGELOG.md").write_text(told)
    assert changelog.problems(tmp_path, FOUND, None) == []


def test_other_files_need_no_line(checkout: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("new\n")
    checkout("add", ".")
    checkout("commit", "-q", "-m", "Second")
    assert changelog.problems(tmp_path, FOUND, None) == []


@pytest.mark.parametrize(
    ("text", "tag", "problem"),
    [
        (RELEASED, "v1.0.1", "the tag v1.0.1 is not v1.0.0"),
        (FIRST, "v1.0.0", 'there is no "## [1.0.0] - YYYY-MM-DD"'),
        (FIRST, "v1.0.0", "move what stands under Unreleased to 1.0.0"),
        (RELEASED.replace(" - 2026-01-31", ""), "v1.0.0", "the section 1.0.0 has no date"),
        (RELEASED.replace("2026-01-31", "soon"), "v1.0.0", "the section 1.0.0 has no date"),
        (RELEASED.replace("- First;", ""), "v1.0.0", "the section 1.0.0 says nothing"),
        (RELEASED.replace("0.7.0", "0.6.0"), "v1.0.0", "does not name k8saudit-aks 0.7.0"),
        (RELEASED.replace("[Unreleased]", "[Next]"), "v1.0.0", 'there is no "## [Unreleased]"'),
    ],
)
def test_a_release_is_refused(text: str, tag: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "CHANGELOG.md").write_text(text)
    assert any(problem in found for found in changelog.problems(tmp_path, FOUND, tag))


def test_a_release_that_fits(tmp_path: Path) -> None:
    (tmp_path / "CHANGELOG.md").write_text(RELEASED)
    assert changelog.problems(tmp_path, FOUND, "v1.0.0") == []


def test_before_the_first_tag_something_must_be_told(tmp_path: Path) -> None:
    (tmp_path / "CHANGELOG.md").write_text(FIRST)
    assert changelog.problems(tmp_path, FOUND, None) == []
    (tmp_path / "CHANGELOG.md").write_text(FIRST.replace("- First\n", ""))
    (problem,) = changelog.problems(tmp_path, FOUND, None)
    assert "nothing was ever released" in problem
