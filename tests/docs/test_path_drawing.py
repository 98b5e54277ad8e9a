"""The drawing of an event's path agrees with the repository and with the table below it."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explanation" / "path-of-an-event.md").read_text(encoding="utf-8")
#: Where the code is that runs between the author's class and the host.
ON_THE_WAY = ("falcopy_sdk/runtime", "loader_c/bridge", "loader_c/loader")


def boxes() -> dict[str, str]:
    """Folder of each box to the texts in it, from top to bottom."""
    svg = ET.fromstring(PAGE[PAGE.index("<svg") : PAGE.index("</svg>") + 6])
    found = {}
    for group in svg.iter("g"):
        folder = group.get("data-folder")
        if folder is not None:
            title, *texts = [text.text or "" for text in group.iter("text")]
            assert title == folder, "what is drawn is not what is meant"
            found[folder] = " ".join(texts)
    return found


def stages() -> list[tuple[str, str]]:
    """Folder and file of each stage of the table; a name without folder is in the one before."""
    named: list[tuple[str, str]] = []
    rows = "\n".join(re.findall(r"(?m)^\| \d+ \|.*$", PAGE))
    for name in re.findall(r"`([\w/]+\.(?:py|c))`", rows):
        folder, _, file = name.rpartition("/")
        named.append((folder or named[-1][0], file))
    return named


def test_the_boxes_are_folders_of_the_repository() -> None:
    assert list(boxes()) == list(ON_THE_WAY)
    assert all((ROOT / folder).is_dir() for folder in boxes())
    # A further part in C would be on the way as well.
    sources = {path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("loader_c/*/*.c")}
    assert sources - {"loader_c/driver"} == {name for name in boxes() if name.startswith("loader")}


def test_the_files_in_a_box_are_in_its_folder() -> None:
    named = [
        (folder, file)
        for folder, texts in boxes().items()
        for file in re.findall(r"\w+\.(?:c|py)", texts)
    ]
    assert len(named) > 5
    assert not [each for each in named if not (ROOT / each[0] / each[1]).is_file()]


def test_every_stage_is_a_file_in_one_of_the_boxes() -> None:
    assert len(stages()) > 10
    assert {folder for folder, _ in stages()} == set(boxes())
    assert not [each for each in stages() if not (ROOT / each[0] / each[1]).is_file()]


def test_the_drawing_shows_every_file_of_c_that_the_table_names() -> None:
    drawn = boxes()
    assert not [(f, c) for f, c in stages() if c.endswith(".c") and c not in drawn[f]]


def test_the_table_of_folders_has_every_part() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.partition("## Folders")[2].partition("\n## ")[0]
    named = {each.rstrip("/") for each in re.findall(r"`([\w./]+)`", table)}
    parts = {
        path.parent.relative_to(ROOT).as_posix()
        for pattern in ("falcopy_sdk/*/__init__.py", "plugins/*/pyproject.toml")
        for path in ROOT.glob(pattern)
    } | {"loader_c/loader", "loader_c/bridge"}
    assert parts <= named
    assert not [name for name in named if "/" in name and not (ROOT / name).exists()]
