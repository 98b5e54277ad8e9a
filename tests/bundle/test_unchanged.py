"""A build of the same inputs is given at once; one of other inputs never is."""

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from falcopy_sdk.bundle import build, cache
from falcopy_sdk.exceptions import PluginLoadError

TAKEN = "taking the result of the last build, whose inputs were the same"


@pytest.fixture(autouse=True)
def own_results(tmp_path, monkeypatch):
    """The steps' results are shared with other tests, those of whole builds are not."""
    shared = cache.home()
    home = tmp_path / "cache"
    (home / "falcopy").mkdir(parents=True)
    for kind in (
        "bytecode",
        "imports",
        "libraries",
        "looks",
        "named",
        "origins",
        "reached",
        "site-packages",
        "stdlib",
        "trace",
    ):
        (shared / kind).mkdir(parents=True, exist_ok=True)
        (home / "falcopy" / kind).symlink_to(shared / kind)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))


@pytest.fixture
def steps(project, tmp_path):
    """Builds the project; gives the steps and the result."""

    def run(**options):
        told = []
        result = build(project, tmp_path / "x.so", progress=told.append, **options)
        return told, result

    return run


def test_the_same_inputs_give_the_same_file_without_work(steps, tmp_path):
    _, first = steps()
    (tmp_path / "x.so").write_bytes(b"spoilt")
    told, second = steps()
    assert told[-1] == TAKEN
    assert second.sha256 == first.sha256
    assert cache.digest((tmp_path / "x.so").read_bytes()) == cache.digest(first.path.read_bytes())
    assert second.packages == first.packages
    assert second.notes == first.notes


def test_a_kept_result_that_was_damaged_is_made_again(steps, tmp_path):
    _, first = steps()
    (kept,) = (tmp_path / "cache/falcopy/results").iterdir()
    (kept / "plugin.so").write_bytes(b"spoilt")
    told, second = steps()
    assert told[-1] != TAKEN
    assert second.sha256 == first.sha256
    told, _ = steps()
    assert told[-1] == TAKEN


def test_a_library_of_this_machine_that_changed_is_noticed(steps, tmp_path):
    steps()
    (kept,) = (tmp_path / "cache/falcopy/results").iterdir()
    document = json.loads((kept / "result.json").read_text())
    assert any("libpython" in name for name, _, _ in document["system"])
    document["system"][0][2] -= 1
    (kept / "result.json").write_text(json.dumps(document))
    told, _ = steps()
    assert told[-1] != TAKEN


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_cache_disk_fails_no_build(project, tmp_path):
    """The other parts of the cache are elsewhere, so that the kept result alone finds no room."""
    disk = tmp_path / "cache/falcopy/results"
    disk.mkdir()
    script = f"""
        mount -t tmpfs -o size=1m tmpfs {disk}
        {sys.executable} -m falcopy_sdk build {project} -o {tmp_path}/x.so
    """
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "x.so").is_file()


def test_an_output_in_the_project_is_no_input(project):
    told = []
    build(project, project / "libtiny.so")
    build(project, project / "libtiny.so", progress=told.append)
    assert told[-1] == TAKEN


def test_a_changed_source_setting_or_lock_is_noticed(steps, project):
    steps()
    module = project / "src/tiny/plugin.py"
    module.write_text(module.read_text().replace('"end"', '"the end"'))
    told, changed = steps()
    assert TAKEN not in told
    (project / "src/tiny/data.json").write_text("{}")
    told, more = steps()
    assert TAKEN not in told
    assert len({changed.sha256, more.sha256}) == 2
    module.write_text(module.read_text().replace("import zlib", "import zlib\nimport nowhere"))
    with pytest.raises(PluginLoadError):
        steps()


def test_a_project_whose_wheel_depends_on_more_is_always_built(steps, project):
    path = project / "pyproject.toml"
    path.write_text(path.read_text() + '\n[tool.hatch.build.hooks.custom]\npath = "hook.py"\n')
    (project / "hook.py").write_text(
        "from hatchling.builders.hooks.plugin.interface import BuildHookInterface\n"
        "class Hook(BuildHookInterface):\n    pass\n"
    )
    steps()
    told, _ = steps()
    assert TAKEN not in told


def test_folders_are_made_once_shared_and_bounded(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    folders = cache.Folders("kind", kept=3)
    made = []

    def make(folder):
        made.append(folder)
        (folder / "file").write_text("x")

    with folders.get("first", make) as held:
        for number in range(5):
            with folders.get(f"k{number}", make) as folder:
                os.utime(folder, (time.time() + number,) * 2)
        assert (held / "file").read_text() == "x"
    names = {path.name for path in (tmp_path / "home/falcopy/kind").iterdir()}
    assert "first" in names
    assert "k4" in names
    assert len(names) <= 4
    with folders.get("k4", make):
        pass
    assert len(made) == 6


def test_builds_side_by_side_do_not_meet(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    barrier = threading.Barrier(4)
    seen = []

    def make(folder):
        barrier.wait(30)
        (folder / "file").write_text("x")

    def use():
        with cache.Folders("kind").get("key", make) as folder:
            seen.append((folder / "file").read_text())

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["x"] * 4
    assert [path.name for path in (tmp_path / "home/falcopy/kind").iterdir()] == ["key"]


def test_a_folder_that_another_build_takes_for_a_leftover_is_made_again(tmp_path, monkeypatch):
    """Between its making and its lock nothing tells that it is in use."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    taken, mkdtemp = [], cache.tempfile.mkdtemp

    def make_and_lose(**options):
        folder = mkdtemp(**options)
        if not taken:
            taken.append(folder)
            cache.Folders("kind")._tidy("another")
        return folder

    monkeypatch.setattr(cache.tempfile, "mkdtemp", make_and_lose)
    with cache.Folders("kind").get("key", lambda folder: (folder / "file").touch()) as folder:
        assert (folder / "file").exists()
    assert taken
    assert not os.path.exists(taken[0])


def test_a_folder_that_cannot_be_made_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))

    def fail(folder):
        (folder / "half").write_text("x")
        raise OSError("full")

    with pytest.raises(OSError, match="full"), cache.Folders("kind").get("key", fail):
        pass
    assert list((tmp_path / "home/falcopy/kind").iterdir()) == []


def test_no_build_writes_into_files_of_the_cache(project, tmp_path):
    """Bundles link to them."""
    kinds = ("site-packages", "stdlib")
    for kind in kinds:  # its own: other tests add to those that are shared
        (cache.home() / kind).unlink()

    def kept():
        files = [f for kind in kinds for f in (cache.home() / kind).rglob("*") if f.is_file()]
        return {file: (file.stat().st_mtime_ns, cache.digest(file.read_bytes())) for file in files}

    build(project, tmp_path / "x.so")
    before = kept()
    assert {file.relative_to(cache.home()).parts[0] for file in before} == set(kinds)
    # The project's sources change, and there is one of its dependency's name among them.
    (ours,) = (file for file in before if file.parts[-2:] == ("orjson", "__init__.py"))
    (project / "src/orjson").mkdir()
    for name, text in {
        "tiny/plugin.py": (project / "src/tiny/plugin.py").read_text(),
        "orjson/__init__.py": ours.read_text(),
    }.items():
        (project / "src" / name).write_text(f"{text}# changed\n")
    settings = project / "pyproject.toml"
    settings.write_text(settings.read_text().replace('["src/tiny"]', '["src/tiny", "src/orjson"]'))
    for keep_sources in (False, True):
        build(project, tmp_path / "x.so", keep_sources=keep_sources)
        after = kept()
        assert {file: after[file] for file in before} == before
