"""What versions speak for does not go unnoticed, and the page on it tells what the code does."""

from __future__ import annotations

import re

from tests.docs.pages import DOCS
from tests.docs.promised import LIST, promised

PAGE = DOCS / "explanation" / "versions.md"


def test_nothing_goes_that_versions_speak_for() -> None:
    listed = LIST.read_text(encoding="utf-8").splitlines()
    assert len(listed) > 100
    assert listed == sorted(listed)
    gone = [name for name in listed if name not in set(promised())]
    assert not gone, f"deprecate it first: {PAGE.name}, 'What stays, and for how long'"


def test_each_kind_of_name_is_in_the_list_and_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8").partition("## What stays")[2]
    words = {"name": "__all__", "command": "commands", "exit": "exit codes"}
    words |= {"setting": "settings", "finding": "findings"}
    kinds = {line.split()[0] for line in LIST.read_text(encoding="utf-8").splitlines()}
    assert kinds == words.keys()
    assert not [kind for kind, word in words.items() if word not in page]


def test_projects_from_templates_make_a_deprecation_an_error() -> None:
    assert re.search(r"error in the tests of projects from `falcopy new`", PAGE.read_text())
    template = DOCS.parent / "templates" / "common" / "pyproject.toml.jinja"
    assert 'filterwarnings = ["error"]' in template.read_text(encoding="utf-8")
