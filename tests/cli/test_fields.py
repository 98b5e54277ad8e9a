"""``falcopy fields``: the table in a README, and files that it cannot be put into."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest

TABLE = "<!-- falcopy fields: begin -->\n<!-- falcopy fields: end -->\n"
PLUGIN = """
from falcopy_sdk import extract, plugin

@plugin(name="acme", version="0.1.0", description="d", contact="c", extract_sources=("s",))
class Acme:
    user = extract.path("acme.user", "user", desc="Who | what")
"""


@pytest.fixture
def readme(tmp_path: Path) -> Path:
    (tmp_path / "acme.py").write_text(PLUGIN)
    file = tmp_path / "README.md"
    file.write_text(f"# Acme\n\n{TABLE}\nmore\n")
    return file


def test_the_table_is_written_and_then_right(falcopy: Any, readme: Path) -> None:
    folder = readme.parent
    wrong = falcopy("fields", "acme.py", "--check", readme, cwd=folder)
    assert wrong.returncode == 1
    assert f"falcopy fields --write {readme}" in wrong.stderr
    assert falcopy("fields", "acme.py", "--write", readme, cwd=folder).returncode == 0
    assert "| `acme.user` | string | Who \\| what |" in readme.read_text()
    assert readme.read_text().endswith("\nmore\n")
    assert falcopy("fields", "acme.py", "--check", readme, cwd=folder).returncode == 0


@pytest.mark.parametrize("option", ["--check", "--write"])
def test_a_file_that_is_no_text_is_named(falcopy: Any, readme: Path, option: str) -> None:
    readme.write_bytes(b"\xff" + TABLE.encode())
    done = falcopy("fields", "acme.py", option, readme, cwd=readme.parent)
    assert done.returncode == 5
    assert f"{readme}: cannot be read ('utf-8'" in done.stderr
    assert readme.read_bytes() == b"\xff" + TABLE.encode()


def test_a_file_that_cannot_be_written_is_named(falcopy: Any, readme: Path) -> None:
    # For root too, as a full disk would be.
    limit = (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    done = falcopy(
        "fields",
        "acme.py",
        "--write",
        readme,
        cwd=readme.parent,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )
    assert done.returncode == 4
    assert f"{readme}: cannot be written (File too large)" in done.stderr
