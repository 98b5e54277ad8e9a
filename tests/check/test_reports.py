"""``falcopy check`` as a command: reports for people and for CI, exit codes, other plugins."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

ACME = Path(__file__).parents[1] / "testing" / "acme_plugins.py"


def falcopy(*arguments: object, **given: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "falcopy_sdk", "check", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **given)


def test_findings_are_sentences_on_stdout_and_exit_with_1(broken: Any) -> None:
    library = broken("NULL_CONTACT")
    done = falcopy(library, "--only", "facts")
    assert done.returncode == 1
    first, fix, total = done.stdout.splitlines()
    assert first == "FPY108 get_contact returned no text"
    assert fix.strip() == "Return a line of text and an URL or an address."
    assert total == f"{library} (broken 0.1.0): 1 finding in 1 check"
    assert "FAIL  facts are well-formed" in done.stderr


def test_json_holds_every_check_and_where_its_finding_is_explained(broken: Any) -> None:
    done = falcopy(broken("BAD_FIELD_NAME"), "--only", "facts", "--only", "threads", "--json")
    assert done.returncode == 1
    assert done.stderr == ""
    report = json.loads(done.stdout)
    assert (report["plugin"], report["version"], report["passed"]) == ("broken", "0.1.0", False)
    facts, threads = report["checks"]
    assert facts["findings"][0]["code"] == "FPY110"
    assert facts["findings"][0]["docs"] == "findings.md#fpy110"
    assert (threads["name"], threads["findings"]) == ("threads", [])


def test_junit_xml_has_a_case_a_check(broken: Any, tmp_path: Path) -> None:
    file = tmp_path / "report.xml"
    done = falcopy(
        broken("CRASH_AT_DESTROY"), "--only", "life", "--only", "source-errors", "--junit", file
    )
    assert done.returncode == 1
    suite = ElementTree.parse(file).getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("2", "1", "1")
    assert suite[0][0].get("type") == "FPY306"
    assert "SIGSEGV in destroy" in str(suite[0][0].text)


@pytest.mark.parametrize("code", ["FPY108", "fpy108"])
def test_an_ignored_finding_does_not_count(broken: Any, code: str) -> None:
    library = broken("NULL_CONTACT")
    done = falcopy(library, "--only", "facts", "--ignore", code, "-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{library} (broken 0.1.0): no finding in 1 check\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.so"], "none.so: no such file"),
        (["--only", "fact"], "there is no check 'fact': did you mean facts?"),
        (["--ignore", "FPY99"], "there is no code 'FPY99': did you mean FPY109?"),
        (["--ignore", "leak"], "there is no code 'LEAK': all of them are in findings.md"),
        (["--argument", "acme.tag"], "'acme.tag' is not FIELD=ARGUMENT"),
        (["--init-config", "@none.yaml"], "none.yaml: cannot read the configuration"),
    ],
)
def test_wrong_usage_exits_with_2(broken: Any, arguments: list[str], words: str) -> None:
    given = arguments if arguments[0] == "none.so" else [broken(), *arguments]
    done = falcopy(*given)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_class_is_checked_without_a_build_and_in_a_process_of_its_own() -> None:
    done = falcopy(
        "acme_plugins:OnceOnly", "--only", "source-errors", "--init-config", "region: eu",
        cwd=ACME.parent,
    )  # fmt: skip
    assert done.returncode == 1
    assert "FPY408 started again after SourceRetry, the source raises ValueError" in done.stdout


def test_a_finding_can_be_explained() -> None:
    done = falcopy("--explain", "fpy407")
    assert done.returncode == 0
    assert done.stdout.startswith("FPY407: memory grows while the host is slow\n")
    assert falcopy("--explain", "FPY4070").stderr.endswith("did you mean FPY407?\n")
