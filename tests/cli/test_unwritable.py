"""Files that cannot be read or written, and full disks: sentences, and what was found is shown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ACME = Path(__file__).parents[1] / "testing"
PLUGIN = "acme_plugins:Acme"
RULES = """
- required_plugin_versions:
  - {name: acme-audit, version: 0.1.0}
- rule: Acme
  desc: Acme
  condition: acme.n = 1
  output: "%acme.user"
  priority: INFO
  source: acme_audit
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file, where a folder would be needed."""
    made = tmp_path / "file"
    made.write_bytes(b"\xff no text")
    return made


def test_a_report_that_cannot_be_written_is_shown_nevertheless(falcopy: Any, file: Path) -> None:
    done = falcopy("check", PLUGIN, "--only", "facts", "--junit", file / "x.xml", cwd=ACME)
    assert done.returncode == 4
    assert done.stdout.endswith("no finding in 1 check\n")
    assert f"falcopy: {file}/x.xml: cannot be written (" in done.stderr


def test_the_folder_of_a_report_is_made(falcopy: Any, tmp_path: Path) -> None:
    report = tmp_path / "some" / "folder" / "x.xml"
    done = falcopy("check", PLUGIN, "--only", "facts", "--junit", report, cwd=ACME)
    assert done.returncode == 0, done.stderr
    assert b"<testsuites>" in report.read_bytes()


def test_a_table_of_fields_for_what_is_no_text_is_refused(falcopy: Any, file: Path) -> None:
    done = falcopy("fields", PLUGIN, "--check", file, cwd=ACME)
    assert done.returncode == 5
    assert done.stderr.startswith(f"falcopy: {file}: cannot be read ('utf-8' codec")


def test_a_layout_beside_what_cannot_be_removed_is_told(falcopy: Any, tmp_path: Path) -> None:
    rules = tmp_path / "acme_rules.yaml"
    rules.write_text(RULES)
    out = tmp_path / "out"
    (out / "acme-rules.tar" / "not-empty").mkdir(parents=True)
    done = falcopy(
        "package", rules, "--rules-name", "acme-rules", "--rules-version", "0.1.0", "-o", out
    )
    assert done.returncode == 4
    assert f"falcopy: {out}/acme-rules.tar: cannot be written (Is a directory)" in done.stderr


@pytest.mark.parametrize("command", [("doctor",), ("run", PLUGIN, "--limit", "1", "--json")])
def test_a_full_disk_is_a_sentence(command: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "falcopy_sdk", *command],
            cwd=ACME,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        4,
        "falcopy: standard output: No space left on device\n",
    )
