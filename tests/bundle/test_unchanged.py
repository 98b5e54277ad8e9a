"""A build of the same inputs is given at once; one of other inputs never is."""

import os
import threading
import time

import pytest

from falcopy_sdk.bundle import build, cache
from falcopy_sdk.exceptions import PluginLoadError

TAKEN = "taking the result of the last build, whose inputs were the same"


@pytest.fixture(autouse=True)
def own_results(tmp_path, monkeypatch):
    """The steps' results are shared with other tests, those of whole builds are not."""
    shared = cache._home()
    home = tmp_path / "cache"
    (home / "falcopy").mkdir(parents=True)
    for kind in ("bytecode", "imports", "libraries", "named", "origins", "site-packages", "trace"):
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


def test_a_folder_that_cannot_be_made_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))

    def fail(folder):
        (folder / "half").write_text("x")
        raise OSError("full")

    with pytest.raises(OSError, match="full"), cache.Folders("kind").get("key", fail):
        pass
    assert list((tmp_path / "home/falcopy/kind").iterdir()) == []
