"""``standard_tests`` in an author's project: what passes, what fails, and how it reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["pytester"]

HERE = Path(__file__).parent
HEAD = """
    from falcopy_sdk.testing import standard_tests
    from acme_plugins import *

    GIVEN = dict(sample_events=EVENTS, config=CONFIG, open_params="3")
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs an author's tests in a pytest of their own."""
    monkeypatch.setenv("PYTHONPATH", str(HERE))

    def run(body: str, *arguments: str) -> pytest.RunResult:
        lines = "\n".join(line[4:] for line in (HEAD + body).splitlines())
        pytester.makepyfile(test_acme=lines)
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)

    return run


def test_a_good_plugin_passes_with_one_line(project: Any) -> None:
    result = project("    TestStandard = standard_tests(Acme, **GIVEN)", "-v")
    # It sends no asynchronous events.
    result.assert_outcomes(passed=12, skipped=1)
    result.stdout.fnmatch_lines(["*TestStandard::test_no_event_harms_the_host PASSED*"])


@pytest.mark.parametrize(
    ("name", "check", "sentences"),
    [
        ("FailingField", "fields", ["*FPY502*acme.upper*on sample 1*KeyError*acme_plugins.py:*"]),
        ("ChangingField", "fields", ["*FPY503*acme.call (uint64) on sample 1 is first*then*"]),
        ("OnceOnly", "source-errors", ["*FPY408*after SourceRetry*ValueError: I/O operation*"]),
        ("Talkative", "secrets", ["*FPY601*a log line of INFO*using the token [*][*][*]*"]),
        ("Leaking", "life", ["*FPY305*leave behind * Python objects a round*"]),
    ],
)
def test_a_defect_is_told_in_a_sentence(
    project: Any, name: str, check: str, sentences: list[str]
) -> None:
    body = f"    TestStandard = standard_tests({name}, only=['{check}'], **GIVEN)"
    result = project(body)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"acme_plugins:{name}:", *sentences])
    result.stdout.no_fnmatch_line("*standard.py*")


def test_findings_can_be_ignored_by_their_code(project: Any) -> None:
    body = (
        "    TestStandard = standard_tests(FailingField, only=['fields'], ignore=['FPY502'], "
        "**GIVEN)"
    )
    project(body).assert_outcomes(passed=1)


def test_an_unknown_check_is_refused_with_the_nearest_one(project: Any) -> None:
    result = project("    TestStandard = standard_tests(Acme, only=['field'])")
    result.stdout.fnmatch_lines(["*there is no check 'field': did you mean fields?*"])
