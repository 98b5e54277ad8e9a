"""``standard_tests`` in an author's project: what passes, what fails, and how it reads."""

from __future__ import annotations

import socket
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
        ("OneSource", "threads", ["*FPY304*6 threads at once: *no event*a source runs already*"]),
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
        "    TestStandard = standard_tests(FailingField, only=['fields'], ignore=['fpy502'], "
        "**GIVEN)"
    )
    project(body).assert_outcomes(passed=1)


def test_a_code_that_there_is_not_cannot_be_ignored(project: Any) -> None:
    result = project("    TestStandard = standard_tests(Acme, ignore=['FPY5O2'])")
    result.stdout.fnmatch_lines(["*there is no code 'FPY5O2': did you mean FPY502?*"])


def test_sources_that_listen_on_one_address_take_turns(project: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    body = (
        "    TestStandard = standard_tests(Listening, only=['threads'], config=CONFIG, "
        f"open_params='{port}')"
    )
    result = project(body, "-rP")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["threads: sources cannot listen on one address at once*"])


def test_an_api_that_limits_the_rate_of_all_is_no_finding(project: Any) -> None:
    body = "    TestStandard = standard_tests(RateLimited, only=['threads'], config=CONFIG)"
    result = project(body, "-rP")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["threads: whether sources disturb *: asked too often*"])


def test_a_source_without_an_event_is_not_said_to_bear_a_slow_host(project: Any) -> None:
    body = (
        "    TestStandard = standard_tests(Quiet, only=['back-pressure'], config=CONFIG, "
        "open_params='')"
    )
    result = project(body, "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*the source gives no event that a slow host could leave"])


SERVER = """
    import pytest, socketserver, threading

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.sendall(b'{"actor": {"login": "ann"}}')

    @pytest.fixture
    def server():
        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as made:
            thread = threading.Thread(target=made.serve_forever, args=(0.01,))
            thread.start()
            yield made
            made.shutdown()
            thread.join()

    def config(server):
        return {"port": server.server_address[1], "token": "a-very-secret-token"}

    def open_params(server, count=100000):
        return str(count)
"""


def test_configuration_and_parameters_may_come_from_fixtures_of_each_test(project: Any) -> None:
    body = (
        SERVER
        + "    TestStandard = standard_tests(Fetching, config=config, open_params=open_params, "
        "only=['source', 'back-pressure', 'threads', 'source-errors', 'secrets'])"
    )
    project(body).assert_outcomes(passed=5)


def test_a_fixture_that_fails_or_is_not_there_is_an_error_not_a_failure(project: Any) -> None:
    body = "    TestStandard = standard_tests(Acme, config=lambda servr: {}, only=['facts'])"
    result = project(body)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'servr' not found"])


def test_every_example_of_the_schema_has_to_work(project: Any) -> None:
    body = (
        "    TestStandard = standard_tests(OddExample, config={'zone': 'a'}, "
        "only=['configuration'])"
    )
    result = project(body)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*FPY202 with example 2 of the schema: *there is no zone c*"])
    result.stdout.no_fnmatch_line("*example 1*")


def test_an_unknown_check_is_refused_with_the_nearest_one(project: Any) -> None:
    result = project("    TestStandard = standard_tests(Acme, only=['field'])")
    result.stdout.fnmatch_lines(["*there is no check 'field': did you mean fields?*"])
