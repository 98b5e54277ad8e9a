"""``falcopy inspect``, on plugins in C and on files that are none."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest


def test_json_has_every_fact(falcopy: Any, stub: Any) -> None:
    path = stub("good")
    done = falcopy("inspect", path, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["file"] == str(path)
    assert report["size"] == path.stat().st_size
    assert report["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    expected = {
        "name": "good-stub",
        "version": "1.2.3",
        "required_api_version": "3.12.0",
        "id": 999,
        "event_source": "stub",
        "capabilities": ["sourcing", "extraction"],
        "extract_event_sources": ["stub"],
        "async_events": [],
        "bundle": None,
    }
    assert {key: report[key] for key in expected} == expected
    assert {"init", "open", "get_metrics"} <= set(report["exports"])
    assert report["init_schema"]["properties"]["token"] == {"type": "string", "minLength": 4}
    assert report["glibc_floor"]["bundle"] is None
    assert report["glibc_floor"]["file"].startswith("2.")
    assert len(report["fields"]) == 13
    assert report["fields"][3] == {
        "id": 3,
        "name": "stub.param",
        "type": "string",
        "desc": "by key",
        "is_list": False,
        "display": "",
        "add_output": False,
        "arg_required": True,
        "arg_index": False,
        "arg_key": True,
        "properties": [],
    }


def test_people_read_the_same(falcopy: Any, stub: Any) -> None:
    lines = falcopy("inspect", stub("good")).stdout.splitlines()
    assert lines[0] == "good-stub 1.2.3"
    assert "  id             999, source stub" in lines
    assert "  not a falcopy bundle" in lines
    assert "13 fields" in lines
    assert "  stub.words               list of string  words" in lines
    assert "  stub.param[key]          string          by key" in lines
    assert "  stub.either[key/index?]  string          key or index" in lines


def test_it_is_not_initialised(falcopy: Any, stub: Any) -> None:
    done = falcopy("inspect", stub("hostile", "INIT_FAILS"))
    assert done.returncode == 0
    assert "hostile-stub 0.1.0" in done.stdout


def test_a_plugin_without_a_source_tells_what_it_listens_to(falcopy: Any, stub: Any) -> None:
    out = falcopy("inspect", stub("listener")).stdout
    assert "parsing, async, capture_listening" in out
    assert "parses         stub, syscall" in out
    assert "async events   tick, state" in out


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"text", "not a shared library"), (b"\x7fELF" + bytes(60), "not a readable ELF file")],
)
def test_a_file_of_another_kind_is_said_to_be_one(
    falcopy: Any, tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "libx.so"
    path.write_bytes(content)
    done = falcopy("inspect", path)
    assert done.returncode in (1, 5)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_plugin_that_hosts_would_refuse_is_a_finding(falcopy: Any, stub: Any) -> None:
    done = falcopy("inspect", stub("hostile", "NO_CLOSE"))
    assert done.returncode == 1
    assert "broken event sourcing" in done.stderr


def test_a_library_that_is_no_plugin_is_a_finding(falcopy: Any, tmp_path: Path) -> None:
    import _cffi_backend

    done = falcopy("inspect", _cffi_backend.__file__)
    assert done.returncode == 1
    assert "not a Falco plugin: it does not export plugin_get_required_api_version" in done.stderr
