"""``falcopy check`` finds what is broken, names it by its code, and survives it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from falcopy_sdk.testing.battery import CATALOGUE, CHECKS, Subject, run, run_isolated

SECRET = {"url": "http://127.0.0.1", "password": "correct-horse-battery"}


ACME = Path(__file__).parents[1] / "testing"

#: A defect of stubs/broken.c, the check that finds it, and how.
DEFECTS = [
    ("BAD_NAME", "facts", "FPY105", "get_name returned 'Broken Plugin'"),
    ("BAD_VERSION", "facts", "FPY106", "get_version returned"),
    ("RESERVED_ID", "facts", "FPY107", "get_id returned 4000000000"),
    ("ID_WITHOUT_SOURCE", "facts", "FPY107", "id 0 and event source 'broken'"),
    ("NULL_CONTACT", "facts", "FPY108", "get_contact returned no text"),
    ("BAD_FIELDS", "facts", "FPY109", "get_fields is not valid JSON"),
    ("BAD_FIELD_NAME", "facts", "FPY110", "no condition of a rule can name 'text'"),
    ("BAD_EVENT_SOURCES", "facts", "FPY111", "get_extract_event_sources lists 'Other One'"),
    ("CHANGING_FACT", "facts", "FPY112", "asked a second time, description is another"),
    ("BAD_SCHEMA", "configuration", "FPY201", "get_init_schema is no JSON Schema"),
    ("REFUSES_TO_START", "configuration", "FPY202", "with the given .* no such host"),
    ("LAX_SCHEMA", "configuration", "FPY203", "the unknown key"),
    ("SAME_STATE", "life", "FPY303", "returned the same state"),
    ("ONE_INIT_ONLY", "life", "FPY302", "it runs already"),
    ("ONE_INIT_ONLY", "reload", "FPY302", "beside a live state"),
    ("NOT_THREAD_SAFE", "threads", "FPY304", "somebody else is here"),
    ("ONE_SOURCE_ONLY", "threads", "FPY304", "6 threads at once: .*a source is open already"),
    ("SAME_STATE", "threads", "FPY303", "on two threads"),
    ("BREAKS_OTHERS", "reload", "FPY308", "trial state was destroyed: .*queue was closed"),
    ("LEAKS_STATES", "life", "FPY305", r"bytes of memory a round"),
    ("LEAKS_MAPPINGS", "life", "FPY305", r"102\d KiB of memory a round"),
    ("LEAKS_FILES", "life", "FPY305", "1 open files a round"),
    ("CRASH_AT_DESTROY", "life", "FPY306", "died of SIGSEGV in destroy"),
    ("EXITS_IN_INIT", "life", "FPY306", "ended with exit status 3 in init"),
    ("CRASH_AT_CLOSE_OF_NOTHING", "source", "FPY306", "SIGSEGV in open with nonsense"),
    ("HANG_IN_CLOSE", "source", "FPY307", "close did not return within 2 s"),
    ("BLOCKS", "source", "FPY401", r"next_batch returned after 1\.\d s"),
    ("SPINS", "source", "FPY402", r"returned TIMEOUT \d{4,} times"),
    ("UNKNOWN_RC", "source", "FPY403", "next_batch returned 7"),
    ("WRONG_SIZE", "source", "FPY404", r"lengths \[4, 5\] do not make up its 46 bytes"),
    ("FOREIGN_ID", "source", "FPY404", "of plugin id 7, its own is 999"),
    ("OPEN_FAILS", "source", "FPY405", "no route to host"),
    ("NULL_ERROR", "source", "FPY204", "left no text"),
    ("SOURCE_FAILS", "source", "FPY406", "after 2 events: .*connection reset"),
    ("UNBOUNDED", "back-pressure", "FPY407", r"MiB more after \d\.\d s"),
    ("NULL_STRING", "fields", "FPY501", "a NULL string as value 0"),
    ("LEAVES_RES_LEN", "fields", "FPY301", "without writing res_len"),
    ("BAD_BOOL", "fields", "FPY501", "a bool with the value 42"),
    ("WRONG_FIELD_TYPE", "fields", "FPY306", r"SIGSEGV in extract_fields of broken.text \(str"),
    ("CHANGING_VALUE", "fields", "FPY503", r"broken.number \(uint64\) on sample 1 is first"),
    ("FREES_TOO_EARLY", "fields", "FPY504", "broken.text: string 0 of 1 changed"),
    ("SLOW_FIELD", "fields", "FPY506", r"broken.number \(uint64\) on sample 1 took 1\.\d s"),
    ("CRASH_ON_EMPTY_EVENT", "hostile", "FPY306", "SIGABRT in .* on an empty payload"),
    ("ENDLESS_ON_NESTING", "hostile", "FPY307", "on a deeply nested list did not return"),
    ("LOGS_SECRET", "secrets", "FPY601", r"a log line of INFO .*\*\*\*"),
    ("PRINTS_SECRET", "secrets", "FPY601", "printed"),
    ("BAD_METRIC", "extras", "FPY701", "a type that hosts do not know"),
    ("BAD_METRIC_NAME", "extras", "FPY701", "names a metric 'events per second'"),
    ("METRICS_OF_ONE_THREAD", "extras", "FPY702", "4 threads at once .*half_a_name"),
    ("NO_PARAMS_TO_LIST", "extras", "FPY703", "the folder is gone"),
    ("UNLISTED", "async", "FPY704", "an event was refused"),
    ("NOT_JOINED", "async", "FPY704", "had taken the handler away"),
]
#: Broken promises of the API: of tests/host/stubs/hostile.c.
PROMISES = [
    ("NO_VERSION", "FPY102"),
    ("NO_CLOSE", "FPY104"),
    ('API_VERSION="3.99.0"', "FPY103"),
    ('API_VERSION="3.12"', "FPY103"),
    ("NULL_EVENT_SOURCE", "FPY113"),
    ("INIT_LEAVES_RC", "FPY301"),
    ("INIT_FAILS_WITHOUT_STATE", "FPY204"),
    ("LEAVES_NEVTS", "FPY301"),
    ("LEAVES_EVTS", "FPY301"),
    ("SUCCESS_WITHOUT_EVENTS", "FPY403"),
    ("READS_TABLES", "FPY306"),
]
#: What else is found, each by the test that names it.
STRINGS_AND_OFFSETS = {"FPY301", "FPY501", "FPY504", "FPY505"}
NO_PLUGIN = "FPY101"
#: Of plugins in Python (tests/testing/acme_plugins.py).
IN_PYTHON = [("OnceOnly", "source-errors", "FPY408"), ("FailingField", "fields", "FPY502")]


@pytest.mark.parametrize(("macro", "check", "code", "words"), DEFECTS)
def test_a_defect_is_found(checked: Any, macro: str, check: str, code: str, words: str) -> None:
    macros = (macro, "ASYNC") if check == "async" else (macro,)
    patience = 2.0 if "not return" in words else 5.0
    result = checked(
        check, *macros, config=SECRET, open_params="", events=(b"{}", b"abc"), patience=patience
    )
    found = {finding.code for finding in result.findings}
    assert code in found, result
    messages = [f.message for f in result.findings if f.code == code]
    assert any(re.search(words, message) for message in messages), messages
    assert not any(SECRET["password"] in message for message in messages)


@pytest.mark.parametrize("check", CHECKS)
def test_a_good_plugin_passes(checked: Any, check: str) -> None:
    result = checked(check, "ASYNC", config=SECRET, open_params="", events=(b"{}", b"abc"))
    assert result.findings == ()
    assert bool(result.skipped) == (check == "source-errors")


@pytest.mark.parametrize(("macro", "code"), PROMISES)
def test_a_broken_promise_of_the_api_is_found(stub: Any, macro: str, code: str) -> None:
    subject = Subject(str(stub("hostile", macro)), open_params="")
    early = {"FPY102", "FPY103", "FPY104", "FPY113"}
    check = "facts" if code in early else "source"
    if macro.startswith("INIT") or code == "FPY306":
        check = "configuration"
    result = run_isolated(check, subject)
    assert code in {finding.code for finding in result.findings}, result


def test_strings_that_were_freed_and_offsets_beyond_the_event_are_found(stub: Any) -> None:
    subject = Subject(str(stub("answers")), events=(b"x",), source="stub")
    result = run_isolated("fields", subject)
    codes = {finding.code for finding in result.findings}
    assert codes >= STRINGS_AND_OFFSETS


@pytest.mark.parametrize(("name", "check", "code"), IN_PYTHON)
def test_a_defect_of_a_class_is_found(name: str, check: str, code: str) -> None:
    result = run_isolated(check, Subject(f"acme_plugins:{name}", import_paths=(str(ACME),)))
    assert code in {finding.code for finding in result.findings}, result


def test_what_is_no_plugin_stops_the_battery(tmp_path: Path) -> None:
    text = tmp_path / "text.so"
    text.write_text("not ELF" * 20)
    report = run(Subject(str(text)))
    assert [finding.code for finding in report.findings] == [NO_PLUGIN]
    assert [r.name for r in report.results if not r.skipped] == ["facts"]


def test_every_code_has_a_section_of_the_page_of_findings() -> None:
    from falcopy_sdk.testing.battery.catalogue import page

    written = Path(__file__).parents[2] / "docs" / "findings.md"
    assert written.read_text(encoding="utf-8") == page()
    documented = set(re.findall(r"^## (FPY\d+)$", page(), re.MULTILINE))
    assert documented == set(CATALOGUE)


def test_every_code_has_a_plugin_that_provokes_it() -> None:
    provoked = {row[2] for row in (*DEFECTS, *IN_PYTHON)} | {row[1] for row in PROMISES}
    provoked |= STRINGS_AND_OFFSETS | {NO_PLUGIN}
    assert provoked == set(CATALOGUE)
