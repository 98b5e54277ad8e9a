"""What type checkers see of an author's file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import falcopy_sdk

AUTHOR = """
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from falcopy_sdk import (
    Batch, Event, Length, Metric, OpenParam, Pattern, Range, Secret, capture_open, decode,
    event_to_string, extract, init_schema, metrics, open_params, parse, plugin, progress,
    set_config, source,
)


@plugin(
    name="acme", version="0.1.0", description="Acme", contact="acme@example", id=999,
    event_source="acme",
)
class Acme:
    @init_schema
    @dataclass
    class Config:
        token: Annotated[Secret, "API token"]
        interval: Annotated[float, "seconds", Range(min=1)] = 10.0
        name: Annotated[str, Pattern("x"), Length(max=3)] = "x"

    def __init__(self, config: Config) -> None:
        self.config = config

    @source
    async def events(self, params: str) -> AsyncIterator[Event | Batch]:
        async def delivered() -> None: ...

        yield Event({"user": "u"}, ts=1)
        yield Batch([Event(b""), b"", ""], delivered=delivered)
        yield Batch([], delivered=lambda: None)

    user = extract.path("acme.user", "actor", "login", desc="Who acted")
    family = extract.group(extract.function("acme.n", lambda event: 1, desc="N", type=int))

    @extract("acme.groups")
    def groups(self, event: Event) -> list[str] | None:
        return list(event.json["groups"])

    @extract("acme.param", add_output=True, properties=("info",))
    def param(self, event: Event, key: str) -> str | None:
        return None

    @decode
    def decode(self, data: bytes) -> object:
        return data

    @parse(types=(322,))
    def look(self, event: Event) -> None: ...

    @parse
    def look_again(self, event: Event) -> None: ...

    @metrics
    def count(self) -> dict[str, Metric | int | float]:
        return {"n": Metric(1, monotonic=True)}

    @open_params
    def suggest(self) -> list[OpenParam]:
        return [OpenParam("x")]

    @progress
    def share(self) -> tuple[float, str]:
        return 0.5, "half"

    @event_to_string
    def show(self, event: Event) -> str:
        return str(event.num)

    @capture_open
    def begin(self) -> None: ...

    @set_config
    def configure(self, config: Config) -> None: ...


acme = Acme(Acme.Config(Secret("x")))
reveal_type(acme)
reveal_type(acme.config)
reveal_type(acme.events)
reveal_type(acme.groups)
reveal_type(acme.param)
reveal_type(acme.look)
reveal_type(acme.look_again)
reveal_type(acme.count)
reveal_type(Event(b"").data)
reveal_type(Event(b"").ts)
reveal_type(Secret("x").reveal())
"""

REVEALED = [
    "acme.Acme",
    "acme.Acme.Config",
    "def (params: str) -> AsyncIterator[Event | Batch]",
    "def (event: Event) -> list[str] | None",
    "def (event: Event, key: str) -> str | None",
    "def (event: Event)",
    "def (event: Event)",
    "def () -> dict[str, Metric | int | float]",
    "bytes",
    "int | None",
    "str",
]

STANDARD_TESTS = """
from falcopy_sdk.testing import standard_tests


def config(api: str) -> dict[str, str]:
    return {"token": api}


TestStandard = standard_tests(Acme, config=config, open_params=lambda: "")
TestBuilt = standard_tests("libacme.so", sample_events=[{"a": 1}, b"x"], config={"a": 1})
"""

WRONG = """
from falcopy_sdk import Batch, Event, Secret, extract, plugin

Event(3)
Event(b"", ts="now")
Batch(Event(b""))
Batch([], delivered=3)
"token: " + Secret("x")
extract.path("acme.user", 1)
plugin(name="acme")
"""


def mypy(folder, name, source):
    (folder / f"{name}.py").write_text(source)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-pretty",
        "--no-color-output",
        "--cache-dir",
        str(folder / "cache"),
        f"{name}.py",
    ]
    # An editable install is found by an import hook, which mypy does not run.
    home = Path(falcopy_sdk.__file__).parents[1]
    path = {} if home.name == "site-packages" else {"MYPYPATH": str(home)}
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={**os.environ, **path}
    )


def pyright(folder, name, source):
    (folder / f"{name}.py").write_text(source)
    home = Path(falcopy_sdk.__file__).parents[1]
    # What Pyright calls strict: basedpyright's own rules are stricter.
    settings = {
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "extraPaths": [str(home)],
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [
        *(sys.executable, "-m", "basedpyright", "--outputjson"),
        *("--pythonpath", sys.executable, f"{name}.py"),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return json.loads(done.stdout)["generalDiagnostics"]


def test_decorators_keep_the_signatures_of_what_they_decorate(tmp_path):
    result = mypy(tmp_path, "acme", AUTHOR + STANDARD_TESTS)
    notes = [line for line in result.stdout.splitlines() if "Revealed type" in line]
    plain = [
        note.partition('"')[2]
        .rstrip('"')
        .replace("builtins.", "")
        .replace("typing.", "")
        .replace("falcopy_sdk.declare.event.", "")
        .replace("falcopy_sdk.declare.values.", "")
        for note in notes
    ]
    assert (plain, result.returncode, result.stderr) == (REVEALED, 0, ""), result.stdout


def test_an_authors_file_is_clean_to_pyright(tmp_path):
    found = pyright(tmp_path, "acme", AUTHOR + STANDARD_TESTS)
    problems = [line for line in found if line["severity"] != "information"]
    assert problems == []
    shown = [line["message"] for line in found if line["message"].startswith("Type of ")]
    assert 'Type of "acme" is "Acme"' in shown
    assert 'Type of "acme.param" is "(event: Event, key: str) -> (str | None)"' in shown


def test_wrong_use_is_an_error_to_pyright(tmp_path):
    found = pyright(tmp_path, "wrong", WRONG)
    lines = {line["range"]["start"]["line"] + 1 for line in found if line["severity"] == "error"}
    assert lines == {4, 5, 6, 7, 8, 9, 10}, found


def test_wrong_use_is_an_error_to_type_checkers(tmp_path):
    result = mypy(tmp_path, "wrong", WRONG)
    lines = {int(line.split(":")[1]) for line in result.stdout.splitlines() if ": error:" in line}
    assert lines == {4, 5, 6, 7, 8, 9, 10}, result.stdout
