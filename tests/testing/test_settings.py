"""Configurations and sample events as people write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from falcopy_sdk import Event
from falcopy_sdk.exceptions import RequestError
from falcopy_sdk.testing import read_events
from falcopy_sdk.testing.samples import payloads_of
from falcopy_sdk.testing.settings import read_config


def test_json_stays_as_it_is_and_a_yaml_map_becomes_json(tmp_path: Path) -> None:
    assert read_config('{"a":  1}') == '{"a":  1}'
    assert json.loads(read_config("region: eu\nsince: 2024-01-02\nlist: [1, x]")) == {
        "region": "eu",
        "since": "2024-01-02",
        "list": [1, "x"],
    }
    (tmp_path / "config.yaml").write_text("region: eu\n")
    assert read_config("@config.yaml", tmp_path) == '{"region": "eu"}'


@pytest.mark.parametrize("text", ["", "plain text", "a: [", "http://host/path"])
def test_other_text_reaches_the_plugin_unchanged(text: str) -> None:
    assert read_config(text) == text


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"none\.yaml: cannot read the configuration: No such"):
        read_config("@none.yaml", tmp_path)


def test_events_come_from_lines_arrays_documents_and_folders(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_bytes(b'{"a": 1}\r\n\n{"a": 2}\n')
    (tmp_path / "a.json").write_text('[{"a": 3}, "x"]')
    (tmp_path / "c.json").write_text('{\n "a": 4\n}\n')
    (tmp_path / ".hidden").write_text("no")
    assert read_events(tmp_path / "b.jsonl") == [b'{"a": 1}', b'{"a": 2}']
    assert read_events(tmp_path) == [b'{"a":3}', b'"x"', b'{"a": 1}', b'{"a": 2}', b'{\n "a": 4\n}']


def test_events_may_be_objects() -> None:
    given = [b"x", "y", {"a": 1}, [1], Event(b"z")]
    assert payloads_of(given) == [b"x", b"y", b'{"a":1}', b"[1]", b"z"]
    with pytest.raises(TypeError, match="not one dict"):
        payloads_of({"a": 1})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", '{"a": 1}\n{"a": 2}', "not valid JSON.*name it .jsonl"),
        ("a.jsonl", "\n\n", "there is no event in it"),
    ],
)
def test_a_file_without_events_is_told(tmp_path: Path, name: str, content: str, words: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(RequestError, match=words):
        read_events(tmp_path / name)
