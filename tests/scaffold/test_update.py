"""``falcopy new --update``: a newer template, and what the author has changed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from falcopy_sdk.exceptions import AnswerError, NothingToDoError, ProjectError, StorageError
from falcopy_sdk.scaffold import Change, Names, create, project, record, update
from falcopy_sdk.scaffold.templates import Template

OLD = {"a.txt": "one\ntwo\nthree\nfour\nfive\n", "gone.txt": "old\n", "same.txt": "same\n"}


class _Templates:
    """Stands for the installed templates, so that a test can install a newer one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "templates"
        self.set(OLD)

    def set(self, files: dict[str, str]) -> None:
        for path in self.folder.glob("small/*"):
            path.unlink()
        (self.folder / "small").mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (self.folder / "small" / name).write_text(text)

    def find(self, name: str) -> Template:
        assert name == "small"
        return Template("small", "A small one", (), (), self.folder / "small")


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Templates:
    made = _Templates(tmp_path)
    monkeypatch.setattr(project, "find_template", made.find)
    return made


@pytest.fixture
def made(templates: _Templates, tmp_path: Path) -> Path:
    folder = tmp_path / "acme"
    create(templates.find("small"), Names("acme"), folder, description="d", contact="c")
    return folder


def test_what_only_the_template_changed_is_taken_over(templates: _Templates, made: Path) -> None:
    templates.set({"a.txt": OLD["a.txt"] + "six\n", "same.txt": "same\n", "new.txt": "n\n"})
    assert update(made) == {
        "a.txt": Change.UPDATED,
        "gone.txt": Change.REMOVED,
        "new.txt": Change.ADDED,
    }
    assert (made / "a.txt").read_text().endswith("six\n")
    assert not (made / "gone.txt").exists()
    with pytest.raises(NothingToDoError, match="up to date"):
        update(made)


def test_what_only_the_author_changed_stays(templates: _Templates, made: Path) -> None:
    (made / "same.txt").write_text("mine\n")
    (made / "gone.txt").write_text("mine too\n")
    (made / "a.txt").unlink()
    templates.set({"a.txt": "all new\n", "same.txt": "same\n"})
    assert update(made) == {"gone.txt": Change.KEPT}
    assert (made / "same.txt").read_text() == "mine\n"
    assert (made / "gone.txt").read_text() == "mine too\n"
    assert not (made / "a.txt").exists()


def test_changes_of_both_are_merged_by_lines(templates: _Templates, made: Path) -> None:
    (made / "a.txt").write_text("ONE\ntwo\nthree\nfour\nfive\n")
    templates.set(OLD | {"a.txt": "one\ntwo\nthree\nfour\nFIVE\n"})
    assert update(made) == {"a.txt": Change.MERGED}
    assert (made / "a.txt").read_text() == "ONE\ntwo\nthree\nfour\nFIVE\n"


def test_a_conflict_is_marked_and_neither_side_is_lost(templates: _Templates, made: Path) -> None:
    (made / "a.txt").write_text(OLD["a.txt"].replace("three", "mine"))
    templates.set(OLD | {"a.txt": OLD["a.txt"].replace("three", "theirs")})
    assert update(made) == {"a.txt": Change.CONFLICT}
    text = (made / "a.txt").read_text()
    assert "<<<<<<< yours\nmine\n=======\ntheirs\n>>>>>>> the template's\n" in text


def test_a_folder_that_is_no_project_of_falcopy_new_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="falcopy new has made"):
        update(tmp_path)


def test_nothing_is_written_into_a_folder_that_is_in_use(made: Path, templates: _Templates) -> None:
    with pytest.raises(AnswerError, match="not empty"):
        create(templates.find("small"), Names("acme"), made, description="d", contact="c")


@pytest.mark.parametrize(
    "text", ["", " ", 'say "x"', "two\nlines", "back\\slash", "a\ttab", "x" * 81, "\uff57" * 41]
)
def test_a_description_that_is_no_line_of_text_is_refused(
    text: str, tmp_path: Path, templates: _Templates
) -> None:
    with pytest.raises(AnswerError, match="--description"):
        create(templates.find("small"), Names("x-y"), tmp_path / "n", description=text, contact="c")


def test_what_the_author_has_removed_already_is_not_told_of(
    templates: _Templates, made: Path
) -> None:
    (made / "gone.txt").unlink()
    templates.set({"a.txt": OLD["a.txt"] + "six\n", "same.txt": "same\n"})
    assert update(made) == {"a.txt": Change.UPDATED}


def test_a_newer_template_may_use_what_an_older_falcopy_did_not_note(
    templates: _Templates, made: Path
) -> None:
    file = made / record.FILE
    noted = json.loads(file.read_text())
    del noted["values"]["title"]
    file.write_text(json.dumps(noted))
    templates.set(OLD | {"title.txt.jinja": "[[ title ]]\n"})
    assert update(made) == {"title.txt": Change.ADDED}
    assert (made / "title.txt").read_text() == "Acme\n"


def test_a_template_of_another_falcopy_is_an_error_before_anything_is_written(
    templates: _Templates, made: Path
) -> None:
    templates.set(OLD | {"a.txt": "new\n", "b.txt.jinja": "[[ tomorrow ]]\n"})
    with pytest.raises(ProjectError, match=r"b\.txt\.jinja: 'tomorrow' is undefined"):
        update(made)
    assert (made / "a.txt").read_text() == OLD["a.txt"]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ({"values": {}}, "has no 'name'"),
        ({"values": {"name": "Acme", "description": "d", "contact": "c"}}, "'Acme' cannot be"),
        ({"files": []}, "must be objects"),
        ({"template": None, "more": 1}, "more"),
    ],
)
def test_a_damaged_record_is_named(
    templates: _Templates, made: Path, damage: dict[str, object], says: str
) -> None:
    file = made / record.FILE
    file.write_text(json.dumps(json.loads(file.read_text()) | damage))
    with pytest.raises(ProjectError, match=says) as told:
        update(made)
    assert str(file) in str(told.value)


def test_what_cannot_be_written_is_named(templates: _Templates, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "acme"
    with pytest.raises(StorageError, match=re.escape(f"{folder}")):
        create(templates.find("small"), Names("acme"), folder, description="d", contact="c")
    (tmp_path / record.FILE).mkdir()
    with pytest.raises(StorageError, match=re.escape(record.FILE)):
        record.Record("small", "1", {}, {}).write(tmp_path)
