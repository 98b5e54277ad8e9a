"""The fixtures that authors inherit: ``falco_plugin``, ``event`` and ``replay``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["pytester"]

HERE = Path(__file__).parent
TESTS = """
import pytest
from acme_plugins import Acme, CONFIG, EVENTS

pytestmark = pytest.mark.falco_plugin({plugin}, config=CONFIG)

def test_a_field(falco_plugin, event):
    first = event(EVENTS[0])
    assert falco_plugin.extract(first, "acme.user") == "ann"
    assert falco_plugin.extract(first, "acme.tag[a]") == "1"
    assert falco_plugin.fields(EVENTS[1], ["acme.user", "acme.groups"]) == {{
        "acme.user": "bob", "acme.groups": None
    }}

def test_a_replay(replay):
    assert replay("events.jsonl") == [
        {{"acme.user": "ann", "acme.groups": ["admins", "staff"], "acme.n": 7}}, {{"acme.n": 8}}
    ]

def test_the_source(falco_plugin):
    assert [row["acme.n"] for row in falco_plugin.run("4")] == [0, 1, 2, 3]
    says = "of acme-audit gave nothing for 0.5 s; it last logged: .*invalid literal"
    with pytest.raises(TimeoutError, match=says):
        falco_plugin.run("many", timeout=0.5)
    assert any("invalid literal" in line.message for line in falco_plugin.logs)
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    lines = (
        '{"actor": {"login": "ann", "groups": ["admins", "staff"]}, "n": 7}\n'
        '{"actor": {}, "n": 8}\n'
    )
    Path(pytester.path, "events.jsonl").write_text(lines)
    return pytester


def run(project: pytest.Pytester, tests: str, *arguments: object) -> pytest.RunResult:
    project.makepyfile(test_acme=tests)
    return project.runpytest_subprocess("-p", "no:cacheprovider", "--strict-markers", *arguments)


def test_a_class_is_driven_in_this_process(project: pytest.Pytester) -> None:
    run(project, TESTS.format(plugin="Acme")).assert_outcomes(passed=3)


def test_a_built_plugin_has_the_same_interface(
    project: pytest.Pytester, stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tests = """
def test_a_field(falco_plugin, event, replay):
    assert falco_plugin.facts.name == "good-stub"
    assert falco_plugin.extract(event(b"7 alpha beta gamma"), "stub.num") == 7
    assert [row["stub.num"] for row in replay([b"1 a", b"2 b"])] == [1, 2]
    assert len(falco_plugin.run("3")) == 3
"""
    run(project, tests, f"--falco-plugin={stub('good')}").assert_outcomes(passed=1)


def test_the_command_line_puts_a_library_in_place_of_a_class(
    project: pytest.Pytester, stub: Any
) -> None:
    tests = """
from acme_plugins import Acme
from falcopy_sdk.testing import standard_tests
TestStandard = standard_tests(Acme, only=["facts", "threads"])
"""
    result = run(project, tests, f"--falco-plugin={stub('hostile', 'NULL_EVENT_SOURCE')}")
    result.assert_outcomes(failed=1, skipped=1)
    result.stdout.fnmatch_lines(["*FPY113*get_event_source returned NULL*"])


@pytest.mark.parametrize(
    ("files", "arguments"),
    [
        ({"pytest.ini": "[pytest]\nfalco_plugin = acme_plugins:Acme\n"}, ()),
        ({"pyproject.toml": '[project.entry-points.falcopy]\na = "acme_plugins:Acme"\n'}, ()),
        ({}, ("--falco-plugin", "acme_plugins:Acme")),
    ],
)
def test_the_plugin_may_be_named_elsewhere(
    project: pytest.Pytester, files: dict[str, str], arguments: tuple[str, ...]
) -> None:
    for name, text in files.items():
        Path(project.path, name).write_text(text)
    tests = 'def test_it(falco_plugin):\n    assert falco_plugin.facts.name == "acme-audit"\n'
    run(project, tests, "--rootdir", project.path, *arguments).assert_outcomes(passed=1)


def test_without_a_plugin_the_error_says_how_to_name_one(project: pytest.Pytester) -> None:
    result = run(project, "def test_it(falco_plugin):\n    pass\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*which plugin do these tests drive? Mark the test with*"])


def test_a_library_that_is_not_built_yet_is_told(project: pytest.Pytester) -> None:
    result = run(project, "def test_it(falco_plugin):\n    pass\n", "--falco-plugin=dist/libx.so")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*dist/libx.so: no such file; build it first: falcopy build*"])


def test_the_pytest_plugin_imports_nothing_that_drives_plugins() -> None:
    heavy = ("falcopy_sdk.host", "falcopy_sdk.runtime", "falcopy_sdk.bundle", "cffi", "jsonschema")
    code = (
        "import sys, falcopy_sdk.testing.pytest_plugin\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
