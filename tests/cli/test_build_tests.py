"""``falcopy build --test``: a project's own tests, with what the bundle has and no more."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from falcopy_sdk.bundle.project import read_project
from falcopy_sdk.exceptions import BuildError
from falcopy_sdk.testing import suite

PLUGIN = """
    import importlib
    from importlib import metadata, resources

    from falcopy_sdk import Event, extract, plugin, source

    KINDS = {"sound": "wa" + "ve"}


    @plugin(
        name="lazy",
        id=999,
        version="0.1.0",
        event_source="lazy",
        description="Imports late",
        contact="https://example.org/lazy",
    )
    class Lazy:
        kind = extract.path("lazy.kind", "kind", desc="The kind")

        @source
        def events(self):
            yield Event({"kind": load("sound").__name__})


    def load(kind):
        return importlib.import_module(KINDS[kind])


    def optional():
        try:
            return __import__("wa" + "ve").__name__
        except ImportError:
            return "nothing"


    def tool_chain():
        return importlib.util.find_spec("pytest"), metadata.version("pytest")


    def table():
        return resources.files("lazy").joinpath("table.txt").read_text()
"""
TESTS = {
    "loads": """
        import wave

        from lazy import plugin


        def test_it_loads_what_it_needs():
            assert plugin.load("sound") is wave
    """,
    "optional": """
        from lazy import plugin


        def test_it_does_without():
            assert plugin.optional() == "nothing"
    """,
    "streams": """
        from falcopy_sdk.testing import standard_tests
        from lazy.plugin import Lazy


        def test_its_source_does_what_it_should(falco_plugin):
            assert falco_plugin.run(limit=1) == [{"lazy.kind": "wave"}]
    """,
    "tools": """
        import sys
        from importlib import import_module, metadata, util

        import pytest
        from lazy import plugin


        def test_tests_import_freely_and_the_plugin_does_not(monkeypatch):
            assert import_module("wave") and metadata.version("pytest") and util.find_spec("cmd")
            with pytest.raises(ModuleNotFoundError, match="wave") as caught:
                plugin.load("sound")
            assert caught.value.name == "wave"
            with pytest.raises(metadata.PackageNotFoundError):
                plugin.tool_chain()
            monkeypatch.setitem(sys.modules, "wave", type(sys)("wave"))
            assert plugin.load("sound").__name__ == "wave"
    """,
    "inside": """
        import _lsprof
        import json
        import subprocess
        import sys

        import pytest
        from lazy import plugin


        def test_what_the_bundle_has_comes_from_it_and_the_rest_from_here():
            root = json.__file__.partition("/lib/python")[0]
            for module in (json, plugin, sys.modules["falcopy_sdk.declare"]):
                assert module.__file__.startswith(root), module
                assert module.__file__.endswith(".pyc")
            assert sys.prefix == root
            for module in (_lsprof, pytest):
                assert not module.__file__.startswith(root)
            profile = _lsprof.Profiler()
            profile.enable()
            plugin.optional()
            profile.disable()
            assert profile.getstats()


        def test_the_process_has_the_libpython_of_the_bundle():
            maps = open("/proc/self/maps").read()
            root = sys.prefix
            assert [line for line in maps.splitlines() if f"{root}/lib/libpython" in line]
            assert "_json" not in sys.modules or sys.modules["_json"].__file__.startswith(root)


        def test_programs_that_tests_start_are_ordinary():
            told = subprocess.check_output(
                [sys.executable, "-c", "import sys, wave; print(sys.prefix)"], text=True
            )
            assert told.strip() != sys.prefix
    """,
    "data": """
        from lazy import plugin


        def test_it_reads_its_table():
            assert plugin.table() == "1"
    """,
}
PYPROJECT = """
    [build-system]
    requires = ["hatchling"]
    build-backend = "hatchling.build"

    [project]
    name = "falcopy-lazy"
    version = "0.1.0"
    requires-python = ">=3.11"
    dependencies = ["falcopy-sdk"]

    [project.entry-points.falcopy]
    lazy = "lazy.plugin:Lazy"

    [tool.hatch.build.targets.wheel]
    packages = ["lazy"]
"""


class _Project:
    """A project that imports a module under a name that it puts together."""

    def __init__(self, falcopy: Any, folder: Path) -> None:
        self.folder = folder
        self._falcopy = falcopy
        (folder / "lazy").mkdir()
        (folder / "tests").mkdir()
        (folder / "lazy/__init__.py").write_text("")
        (folder / "lazy/plugin.py").write_text(textwrap.dedent(PLUGIN))
        (folder / "pyproject.toml").write_text(textwrap.dedent(PYPROJECT))

    def add(self, *tests: str) -> None:
        for name in tests:
            text = textwrap.dedent(TESTS[name])
            (self.folder / "tests" / f"test_{name}.py").write_text(text)

    def say(self, text: str) -> None:
        path = self.folder / "pyproject.toml"
        path.write_text(path.read_text() + text)

    def build(self, *options: str, addopts: str = "-q") -> Any:
        environment = {
            **os.environ,
            "PYTEST_ADDOPTS": f"-p no:cacheprovider {addopts}",
            "PYTEST_DEBUG_TEMPROOT": str(self.folder),
        }
        return self._falcopy("build", *options, cwd=self.folder, env=environment)


@pytest.fixture
def project(falcopy: Any, tmp_path: Path) -> _Project:
    return _Project(falcopy, tmp_path)


def test_what_the_graph_misses_is_named_and_found_once_it_is_included(project: _Project) -> None:
    project.add("loads", "streams")
    plain = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    assert "2 passed" in subprocess.check_output(plain, cwd=project.folder, text=True)
    done = project.build("--test")
    assert done.returncode == 5, done.stderr
    assert "2 failed" in done.stderr
    assert "tests of lazy fail with what its bundle has" in done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("  wave, asked for by")]
    assert len(told) == 1
    assert "lazy.plugin, line" in told[0]
    assert '[tool.falcopy] include-modules = ["wave"]' in told[0]
    assert done.stdout == ""

    project.say('\n[tool.falcopy]\ninclude-modules = ["wave"]\n')
    done = project.build("--test")
    assert done.returncode == 0, done.stderr
    assert "2 passed" in done.stderr
    assert done.stdout == "dist/liblazy.so\n"


def test_tests_run_again_on_an_unchanged_build_also_in_parallel(project: _Project) -> None:
    project.add("loads", "tools")
    for addopts in ("-q", "-n 2"):
        done = project.build("--test", addopts=addopts)
        assert done.returncode == 5, done.stderr
        assert "1 failed, 1 passed" in done.stderr
        assert "wave, asked for by lazy.plugin" in done.stderr
    assert "taking the result of the last build" in done.stderr


@pytest.mark.parametrize("addopts", ["-q", "-q -n 2"])
def test_they_run_on_the_python_and_the_modules_inside(project: _Project, addopts: str) -> None:
    project.add("inside", "streams")
    project.say('\n[tool.falcopy]\ninclude-modules = ["wave"]\n')
    done = project.build("--test", addopts=addopts)
    assert done.returncode == 0, done.stderr
    assert "4 passed" in done.stderr
    assert "note: the tests ran" not in done.stderr


@pytest.mark.parametrize(
    ("function", "answer", "why"),
    [
        ("machine", "riscv64", "the plugin is for Linux on "),
        ("libc_ver", ("glibc", "2.17"), "and this is 2.17"),
    ],
)
def test_a_plugin_that_cannot_run_here_is_tested_by_its_contents(
    project: _Project, monkeypatch: pytest.MonkeyPatch, function: str, answer: Any, why: str
) -> None:
    project.add("loads")
    assert project.build().returncode == 0
    monkeypatch.setattr(platform, function, lambda *_: answer)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-q -p no:cacheprovider")
    library = project.folder / "dist/liblazy.so"
    with pytest.raises(BuildError, match=r"wave, asked for by lazy\.plugin"):
        suite.run_tests(read_project(project.folder), library)
    (project.folder / "tests/test_loads.py").unlink()
    project.add("optional")
    told = suite.run_tests(read_project(project.folder), library)
    assert told[0].startswith("the tests ran on this environment's Python: the plugin ")
    assert why in told[0]


def test_optional_modules_are_missing_as_in_the_bundle(project: _Project) -> None:
    project.add("optional")
    done = project.build("--test")
    assert done.returncode == 0, done.stderr
    assert "the tests pass though the plugin asks for what its bundle lacks: wave." in done.stderr


def test_files_that_the_wheel_leaves_out_are_missed(project: _Project) -> None:
    project.add("data")
    (project.folder / "lazy/table.txt").write_text("1")
    assert project.build("--test").returncode == 0
    project.say('\n[tool.hatch.build]\nexclude = ["*.txt"]\n')
    done = project.build("--test")
    assert done.returncode == 5
    assert "file lazy/table.txt, asked for by lazy.plugin" in done.stderr


def test_each_kind_of_missing_module_has_its_advice(project: _Project) -> None:
    project.say('\n[tool.falcopy]\nexclude-modules = ["imaplib", "email.mime"]\n')
    says = {
        "import pytest_timeout": "and its package in [project] dependencies and the lock",
        "import turtle": "no bundle has it (needs a display",
        "import imaplib": "[tool.falcopy] exclude-modules leaves it out",
        "from email import mime": "cannot import name 'mime' from 'email'",
    }
    code, tests = "", "from lazy import plugin\n"
    for number, line in enumerate(says):
        code += f"\n\ndef late{number}():\n    {line}\n"
        tests += f"\n\ndef test_{number}():\n    plugin.late{number}()\n"
    with (project.folder / "lazy/plugin.py").open("a") as module:
        module.write(code)
    (project.folder / "tests/test_late.py").write_text(tests)
    done = project.build("--test")
    assert done.returncode == 5
    assert "4 failed" in done.stderr
    for text in says.values():
        assert text in done.stderr


def test_a_project_without_tests_is_told_so(project: _Project) -> None:
    done = project.build("--test")
    assert done.returncode == 5
    assert "pytest found no tests to run" in done.stderr


def test_tests_that_fail_for_another_reason_are_not_blamed_on_the_bundle(
    project: _Project,
) -> None:
    (project.folder / "tests/test_no.py").write_text("def test_no():\n    assert False\n")
    done = project.build("--test")
    assert done.returncode == 5
    assert "They missed nothing that the bundle lacks: does plain pytest pass?" in done.stderr
