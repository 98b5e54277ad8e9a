"""The examples stay as short as they are meant to be."""

from __future__ import annotations

from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "docs" / "examples").glob("*/pyproject.toml"))


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
