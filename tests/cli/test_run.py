"""``falcopy run``, on plugins in C and on Python classes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

PLUGIN = """
from collections.abc import Iterator
from falcopy_sdk import Event, event_to_string, extract, plugin, source


@plugin(name="words", id=999, version="0.1.0", event_source="words", description="Words",
        contact="https://example.org")
class Words:
    @source
    def events(self, params: str) -> Iterator[Event]:
        for word in params.split():
            yield Event({"word": word})

    word = extract.path("words.word", "word", desc="The word")

    @event_to_string
    def text(self, event: Event) -> str:
        return "word " + event.json["word"]
"""


def _lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_json_is_an_object_a_line_with_the_wanted_fields(falcopy: Any, stub: Any) -> None:
    fields = "stub.num,stub.words,stub.param[a,b],stub.ip6,stub.odd,stub.none"
    before = time.time_ns()
    done = falcopy(
        "run", stub("good"), "--init-config", '{"prefix": "PP"}', "--open-params", "2",
        "--fields", fields, "--json",
    )  # fmt: skip
    first, second = _lines(done)
    assert list(first) == ["num", "ts", "source", "data", "fields"]
    assert before <= first["ts"] <= time.time_ns()
    assert (first["num"], first["source"], first["data"]) == (1, "stub", "line: 1 PP beta gamma")
    assert second["fields"] == {
        "stub.num": 2,
        "stub.words": ["PP", "beta", "gamma"],
        "stub.param[a,b]": "<a,b>",
        "stub.ip6": "fe00::2",
        "stub.odd": False,
        "stub.none": None,
    }


def test_without_fields_json_has_those_with_a_value(falcopy: Any, stub: Any) -> None:
    (line,) = _lines(falcopy("run", stub("good"), "--limit", "1", "--json"))
    assert line["fields"]["stub.num"] == 1
    assert line["fields"]["stub.words"] == ["alpha", "beta", "gamma"]
    assert {"stub.none", "stub.param"}.isdisjoint(line["fields"])


def test_without_a_text_of_the_plugin_json_has_the_whole_payload(
    falcopy: Any, tmp_path: Path
) -> None:
    (tmp_path / "words.py").write_text(PLUGIN.replace("    @event_to_string\n", ""))
    done = falcopy("run", "words:Words", "--open-params", "é" * 99, "--json", cwd=tmp_path)
    (line,) = _lines(done)
    assert json.loads(line["data"]) == {"word": "é" * 99}
    assert line["fields"] == {"words.word": "é" * 99}


def test_people_see_every_field_that_has_a_value(falcopy: Any, stub: Any) -> None:
    done = falcopy("run", stub("good"), "--limit", "1")
    head, *fields = done.stdout.splitlines()
    assert head.endswith(" stub line: 1 alpha beta gamma")
    shown = dict(line.split(maxsplit=1) for line in fields)
    assert shown["stub.words"] == "(alpha, beta, gamma)"
    assert shown["stub.odd"] == "true"
    assert shown["stub.took"] == "0.000001000s"
    assert "stub.none" not in shown
    assert "stub.param" not in shown
    asked = falcopy("run", stub("good"), "--limit", "1", "--fields", "stub.none").stdout
    assert asked.splitlines()[1] == "  stub.none <NA>"


def test_logs_go_to_standard_error(falcopy: Any, stub: Any) -> None:
    done = falcopy("run", stub("good"), "--limit", "1", "--json", "-v")
    assert done.stderr.splitlines() == [
        "[info] good-stub: initialised",
        "[debug] part: in detail",
    ]


def test_the_configuration_may_come_from_a_file(falcopy: Any, stub: Any, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"prefix": "filed"}')
    done = falcopy(
        "run", stub("good"), "--init-config", "@config.json", "--json", "--limit", "1", cwd=tmp_path
    )
    assert _lines(done)[0]["data"] == "line: 1 filed beta gamma"
    done = falcopy("run", stub("good"), "--init-config", "@none.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "none.json" in done.stderr


def test_asynchronous_events_are_shown(falcopy: Any, stub: Any) -> None:
    done = falcopy("run", stub("listener"), "--json", "--limit", "2")
    assert [(line["num"], line["data"]) for line in _lines(done)] == [
        (1, "tick: 3"),
        (2, "tick: 2"),
    ]


@pytest.mark.parametrize(
    ("macro", "message"),
    [
        ("INIT_FAILS", "could not initialize plugin: it broke, as asked"),
        ("OPEN_FAILS", "could not open source: it broke, as asked"),
        ("FAILS_AFTER_EVENT", "next_batch returned FAILURE: it broke, as asked"),
        ("LEAVES_NEVTS", "next_batch returned -1 without writing *nevts"),
    ],
)
def test_a_plugin_that_fails_exits_with_1_and_says_why(
    falcopy: Any, stub: Any, macro: str, message: str
) -> None:
    done = falcopy("run", stub("hostile", macro))
    assert done.returncode == 1
    assert message in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fields", "stub.nun"], "did you mean 'stub.num'?"),
        (["--init-config", '{"prefx": 1}'], "did you mean prefix?"),
    ],
)
def test_a_wrong_request_exits_with_2(
    falcopy: Any, stub: Any, arguments: list[str], message: str
) -> None:
    done = falcopy("run", stub("good"), *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_plugin_without_events_exits_with_3(falcopy: Any, stub: Any) -> None:
    done = falcopy("run", stub("answers"))
    assert done.returncode == 3
    assert "'answers-stub' has no events of its own" in done.stderr


def test_what_a_class_prints_stays_out_of_the_events(falcopy: Any, tmp_path: Path) -> None:
    source = PLUGIN.replace("            yield", '            print("aside")\n            yield')
    (tmp_path / "words.py").write_text(source)
    done = falcopy("run", "words:Words", "--open-params", "one two", "--json", cwd=tmp_path)
    assert [line["data"] for line in _lines(done)] == ["word one", "word two"]
    assert done.stderr.count("aside") == 2


def test_a_python_class_runs_without_a_build(falcopy: Any, tmp_path: Path) -> None:
    (tmp_path / "words_plugin.py").write_text(PLUGIN)
    done = falcopy(
        "run", "words_plugin:Words", "--open-params", "one two", "--fields", "words.word", "--json",
        cwd=tmp_path,
    )  # fmt: skip
    assert [(line["data"], line["fields"]) for line in _lines(done)] == [
        ("word one", {"words.word": "one"}),
        ("word two", {"words.word": "two"}),
    ]


def test_the_folder_of_a_project_runs_without_a_build(falcopy: Any, tmp_path: Path) -> None:
    project = tmp_path / "words"
    (project / "src").mkdir(parents=True)
    (project / "src" / "words_plugin.py").write_text(PLUGIN)
    (project / "pyproject.toml").write_text(
        '[project]\nname = "words"\nversion = "0.1.0"\n'
        '[project.entry-points.falcopy]\nwords = "words_plugin:Words"\n'
    )
    done = falcopy("run", "words", "--open-params", "x", "--json", cwd=tmp_path)
    assert [line["data"] for line in _lines(done)] == ["word x"]


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        ("no-such-plugin", 'no plugin is registered as "no-such-plugin"'),
        ("words_plugin:Wrods", "did you mean words_plugin:Words?"),
        ("broken_plugin:Words", "does not import: ZeroDivisionError"),
    ],
)
def test_a_plugin_that_cannot_be_found_exits_with_2(
    falcopy: Any, tmp_path: Path, plugin: str, message: str
) -> None:
    (tmp_path / "words_plugin.py").write_text(PLUGIN)
    (tmp_path / "broken_plugin.py").write_text("1 / 0")
    done = falcopy("run", plugin, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr


TROUBLED = """
import logging
from falcopy_sdk import Event, plugin, source


@plugin(name="troubled", id=999, version="0.1.0", event_source="troubled", description="Troubled",
        contact="https://example.org")
class Troubled:
    def __init__(self) -> None:
        self.tries = 0

    @source
    def events(self):
        self.tries += 1
        logging.info("try %d", self.tries)
        if self.tries == 1:
            raise ValueError("not yet")
        yield Event({})
"""


@pytest.mark.parametrize("option", ["-q", "", "-v"])
def test_a_class_logs_as_a_built_plugin_does_and_verbose_tells_where_it_failed(
    tmp_path: Path, option: str
) -> None:
    (tmp_path / "troubled.py").write_text(TROUBLED)
    with _started(tmp_path / "troubled.py", *filter(None, [option])) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "[warning] troubled: the source failed, trying again in 1 s: ValueError" in errors
    assert ("[info] troubled: try 2" in errors) is (option != "-q")
    assert ('raise ValueError("not yet")' in errors) is (option == "-v")


METRICS = """
    def __init__(self) -> None:
        self.given = 0

    @metrics
    def counters(self) -> dict[str, Metric]:
        return {"given": Metric(self.given, monotonic=True), "rate": Metric(0.5, monotonic=False)}
"""


@pytest.mark.parametrize("as_json", [False, True])
def test_metrics_come_after_the_events_while_the_source_is_open(
    falcopy: Any, tmp_path: Path, as_json: bool
) -> None:
    counting = PLUGIN.replace("import Event,", "import Event, Metric, metrics,").replace(
        "            yield", "            self.given += 1\n            yield"
    )
    (tmp_path / "words.py").write_text(counting + METRICS)
    command = ["run", "words.py", "--open-params", "one two", "--metrics"]
    done = falcopy(*command, *(["--json"] if as_json else []), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    if as_json:
        assert json.loads(lines[1])["data"] == "word two"
        assert [json.loads(line) for line in lines[2:]] == [{"metrics": {"given": 2, "rate": 0.5}}]
    else:
        assert lines[-3:] == ["metrics", "  given 2 (counter)", "  rate  0.5 (gauge)"]


def test_metrics_of_a_plugin_without_any_are_a_wrong_request(falcopy: Any, tmp_path: Path) -> None:
    (tmp_path / "words.py").write_text(PLUGIN)
    done = falcopy("run", "words.py", "--open-params", "one", "--metrics", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "plugin 'words' has no metrics" in done.stderr


def _started(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "falcopy_sdk", "run", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_live_source_cleanly(stub: Any, number: signal.Signals) -> None:
    with _started(stub("good"), "--open-params", "forever", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        out = process.stdout.readline()
        process.send_signal(number)
        out += process.stdout.read()
        errors = process.stderr.read()
    assert process.returncode == 0
    assert "without closing" not in errors
    assert "Traceback" not in errors
    numbers = [json.loads(line)["num"] for line in out.splitlines()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert out.endswith("\n")  # no line is cut off


def test_a_signal_ends_a_plugin_that_blocks_for_ever(stub: Any) -> None:
    with _started(stub("good"), "--open-params", "block", "-v") as process:
        assert process.stderr is not None
        while "in detail" not in process.stderr.readline():  # the last line before open
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert errors == (
        "falcopy: the plugin does not return from next_batch; ended without closing it\n"
    )


def test_a_second_signal_does_not_wait(stub: Any) -> None:
    with _started(stub("good"), "--open-params", "block", "-v") as process:
        assert process.stderr is not None
        while "in detail" not in process.stderr.readline():
            assert process.poll() is None
        begun = time.monotonic()
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.05)  # the pace of an impatient user
        assert time.monotonic() - begun < 2.5
    assert process.returncode == 0


def test_a_reader_that_leaves_ends_it_quietly(stub: Any) -> None:
    reader, writer = os.pipe()
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "falcopy_sdk",
            "run",
            stub("good"),
            "--open-params",
            "forever",
            "--json",
            "-v",
        ],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(writer)
        os.read(reader, 10)
        os.close(reader)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "BrokenPipe" not in errors
    assert errors.splitlines()[-1] == "[debug] part: in detail"
