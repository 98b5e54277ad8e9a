"""``falcopy inspect`` and ``falcopy run`` on what ``falcopy build`` made."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[1] / "bundle" / "projects" / "tiny"


@pytest.fixture(scope="module")
def bundle(falcopy: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "libtiny.so"
    done = falcopy("build", PROJECT, "-o", path, "-q")
    assert (done.returncode, done.stdout) == (0, f"{path}\n"), done.stderr
    assert all(line.startswith("note: ") for line in done.stderr.splitlines())
    return path


@pytest.fixture
def cache(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "cache"
    folder.mkdir()
    return {**os.environ, "FALCOPY_CACHE_DIR": str(folder)}


def test_a_bundle_is_read_and_not_loaded(falcopy: Any, bundle: Path, cache: dict[str, str]) -> None:
    done = falcopy("inspect", bundle, "--json", env=cache)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["name"], report["id"], report["event_source"]) == ("tiny", 999, "tiny")
    assert report["capabilities"] == ["sourcing", "extraction"]
    assert {"init", "open", "extract_fields"} <= set(report["exports"])
    assert [field["name"] for field in report["fields"]] == ["tiny.verb"]
    assert report["bundle"]["plugin_ref"] == "tiny.plugin:Tiny"
    assert "orjson" in report["bundle"]["manifest"]["packages"]
    assert report["bundle"]["files"] > 100
    loader, inside = (
        tuple(map(int, report["glibc_floor"][part].split("."))) for part in ("file", "bundle")
    )
    assert loader <= (2, 17)
    assert inside >= loader
    # Nothing was unpacked, so nothing of the plugin has run.
    assert list(Path(cache["FALCOPY_CACHE_DIR"]).iterdir()) == []


def test_people_see_the_contents_in_a_few_lines(falcopy: Any, bundle: Path) -> None:
    out = falcopy("inspect", bundle).stdout
    assert "  class          tiny.plugin:Tiny\n" in out
    assert "orjson 3." in out
    assert len(out.splitlines()) < 30


def test_inspecting_says_what_the_library_itself_says_when_loaded(
    falcopy: Any, bundle: Path
) -> None:
    from falcopy_sdk.host import Library

    report = json.loads(falcopy("inspect", bundle, "--json").stdout)
    with Library.load(bundle) as library:
        assert sorted(library.exports) == report["exports"]
        assert library.facts.name == report["name"]
        assert [field.desc for field in library.facts.fields] == [
            field["desc"] for field in report["fields"]
        ]


def test_a_bundle_that_was_cut_off_is_refused(falcopy: Any, bundle: Path, tmp_path: Path) -> None:
    short = tmp_path / "libshort.so"
    shutil.copyfile(bundle, short)
    os.truncate(short, bundle.stat().st_size - 1000)
    done = falcopy("inspect", short)
    assert done.returncode == 5
    assert "cut off" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_bundle_runs_like_any_plugin(falcopy: Any, bundle: Path, cache: dict[str, str]) -> None:
    done = falcopy("run", bundle, "--fields", "tiny.verb", "--json", env=cache)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["fields"]["tiny.verb"] for line in lines] == ["start", "libraries", "end"]
    assert {line["source"] for line in lines} == {"tiny"}
