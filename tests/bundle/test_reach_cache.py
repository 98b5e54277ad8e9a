"""What a plugin reaches is found out anew when, and only when, something decides otherwise."""

import os

import pytest

from falcopy_sdk.bundle import reach_cache
from falcopy_sdk.bundle.imports import Scans
from falcopy_sdk.bundle.modules import Module
from falcopy_sdk.bundle.reach_cache import Reached

OWN = {"site-packages/own.py", "site-packages/native.abi3.so"}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A bundle's folder: own modules, a dependency that is linked to a cache, one that is not."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "root"
    site = root / "site-packages"
    (site / "linked").mkdir(parents=True)
    (site / "own.py").write_text("import linked\n")
    (site / "native.abi3.so").write_bytes(b"\x7fELF")
    (site / "copied.py").write_text("import os\n")
    (site / "linked/data.json").write_text("{}")
    (tmp_path / "kept.py").write_text("import copied\n")
    os.link(tmp_path / "kept.py", site / "linked/__init__.py")
    return root


@pytest.fixture
def get(tree):
    """Asks; counts how often it was found out."""

    class Get:
        made = 0

        def __call__(self, *others):
            found = reach_cache.get(tree, OWN, Scans((3, 11)), self._make, *others)
            assert found == self._found
            return self.made

        def _make(self):
            self.made += 1
            return self._found

        @property
        def _found(self):
            site = tree / "site-packages"
            linked = Module("linked", site / "linked/__init__.py", None, (site / "linked",))
            native = Module("native", None, site / "native.abi3.so", ())
            return Reached({"linked": linked, "native": native}, frozenset({"os"}))

    return Get()


def test_a_change_that_imports_nothing_else_changes_nothing(get, tree):
    assert get() == 1
    (tree / "site-packages/own.py").write_text("# Why.\nimport linked\n\nx = 1\n")
    (tree / "site-packages/linked/data.json").write_text('{"other": 1}')
    assert get() == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("own.py", "import linked, copied\n"),
        ("own.py", "import linked\nname = 'linked.other'\n"),
        ("native.abi3.so", "\x7fELF2"),
        ("copied.py", "import io\n"),
        ("more.py", ""),
        ("linked/more.json", ""),
        ("linked.dist-info/entry_points.txt", "[group]\na = b\n"),
    ],
)
def test_a_change_that_may_decide_otherwise_is_noticed(get, tree, name, text):
    assert get() == 1
    path = tree / "site-packages" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert get() == 2


def test_another_file_in_the_place_of_a_linked_one_is_noticed(get, tree, tmp_path):
    assert get() == 1
    path = tree / "site-packages/linked/__init__.py"
    path.unlink()
    (tmp_path / "other.py").write_text("import copied\n")
    os.link(tmp_path / "other.py", path)
    assert get() == 2
    path.unlink()
    path.write_text("import copied\n")  # a copy: its contents count
    assert get() == 3
    os.utime(path, (1, 1))
    assert get() == 3


def test_settings_and_versions_count(get):
    assert [get(), get("3.11.7"), get("3.11.8"), get("3.11.7")] == [1, 2, 3, 3]
