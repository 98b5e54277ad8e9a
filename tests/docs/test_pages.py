"""What the pages show works: files are written, commands run in order, data is well-formed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .blocks import blocks, check_data

if TYPE_CHECKING:
    from conftest import Author

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_a_page_does_what_it_says(page: Path, author: Author, tmp_path: Path) -> None:
    script = ["set -euo pipefail"]
    for block in blocks(page):
        if block.not_run is None or block.language != "python":
            check_data(block)
        if block.not_run is not None:
            continue
        if block.title is not None and "/" not in block.title:
            (tmp_path / block.title).write_text(block.text)
        if block.language == "sh":
            script += [f": line {block.line}", block.text]
    if len(script) == 1:
        return
    env = {
        name: value
        for name, value in os.environ.items()
        if name in ("HOME", "LD_LIBRARY_PATH") or name.startswith(("PIP_", "XDG_", "UV_"))
    }
    env["PATH"] = f"{author.venv / 'bin'}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-x", "-c", "\n".join(script)],
        cwd=tmp_path,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-6000:]
