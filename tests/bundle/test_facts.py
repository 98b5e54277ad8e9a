"""Asking a plugin for its static facts, step by step."""

import sys
from pathlib import Path

import pytest

import falcopy_sdk
from falcopy_sdk.bundle import facts, interpreter

PLUGIN = """
from falcopy_sdk import extract, plugin

@plugin(name="acme", version="1.0.0", contact="https://example.org",
        description=" ".join({f"word{i}" for i in range(20)}))
class Acme:
    verb = extract.path("acme.verb", "verb", desc="What")
"""


@pytest.fixture
def root(tmp_path):
    """A folder in the form of a bundle, with links to what this environment has."""
    running = interpreter.running()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / running.folder).symlink_to(running.stdlib)
    site = tmp_path / "site-packages"
    site.mkdir()
    for path in Path(next(p for p in sys.path if p.endswith("site-packages"))).iterdir():
        (site / path.name).symlink_to(path)
    own = site / "falcopy_sdk"
    own.unlink(missing_ok=True)
    own.symlink_to(Path(falcopy_sdk.__file__).parent)
    return tmp_path


def test_the_facts_do_not_depend_on_the_order_of_sets(root, monkeypatch):
    (root / "site-packages" / "acme_plugin.py").write_text(PLUGIN)
    found = set()
    for seed in ("random", "1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        found.add(facts.ask(root, interpreter.running(), "acme_plugin:Acme").description)
    assert len(found) == 1


def test_the_process_sees_no_variable_meant_for_another_python(root, tmp_path, monkeypatch):
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "json.py").write_text("raise SystemExit('the wrong module')\n")
    monkeypatch.setenv("PYTHONPATH", str(strange))
    monkeypatch.setenv("PYTHONSTARTUP", str(strange / "json.py"))
    (root / "site-packages" / "acme_plugin.py").write_text(PLUGIN)
    assert facts.ask(root, interpreter.running(), "acme_plugin:Acme").name == "acme"
