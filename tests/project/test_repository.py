"""What every committed file must keep to."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = {".py", ".pyi", ".c", ".h", ".cmake", ".sh"}
MAX_LINES = 400
#: Longer for a reason: the reason.
LONGER: dict[str, str] = {}


def _files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    files = [ROOT / name for name in listed.split("\0") if name]
    return [file for file in files if file.is_file()]


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def test_no_source_file_is_too_long_to_have_one_reason_to_change() -> None:
    lengths = {
        str(file.relative_to(ROOT)): len(file.read_bytes().splitlines())
        for file in _files()
        if file.suffix in SOURCES
    }
    assert len(lengths) > 50
    too_long = {name: n for name, n in lengths.items() if n > MAX_LINES and name not in LONGER}
    assert not too_long
    assert set(LONGER) <= {name for name, n in lengths.items() if n > MAX_LINES}


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("a folder of the machine it was written on", r"/(root|home/[a-z]+|work)/[.\w]"),
        ("a versioned tool installation", r"[/.]pyenv/(versions|shims)"),
        (
            "a package registry's host",
            r"(deb|security)\.debian\.org|files\.pythonhosted|registry\.npmjs|//pypi\.",
        ),
        ("a note to somebody", r"\b(FIXME|XXX|TODO)\b"),
    ],
)
def test_no_committed_text_holds(what: str, pattern: str) -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in _files()
        if file != Path(__file__)
        for number, line in enumerate((_text(file) or "").splitlines(), 1)
        if re.search(pattern, line)
    ]
    assert not found, f"{what}:\n" + "\n".join(found)


def test_nothing_that_is_built_is_committed() -> None:
    built = {".so", ".whl", ".pyc", ".o", ".a", ".scap"}
    assert not [file for file in _files() if file.suffix in built]


def test_every_package_of_the_sdk_says_what_it_is() -> None:
    packages = list((ROOT / "falcopy_sdk").rglob("__init__.py"))
    assert len(packages) > 5
    undocumented = [p for p in packages if not p.read_text(encoding="utf-8").startswith('"""')]
    assert not undocumented
