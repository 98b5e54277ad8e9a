"""``falcopy bench``: figures of one plugin, and of two beside each other."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

PLUGINS = Path(__file__).parents[1] / "testing"


def test_json_has_the_source_and_every_field_with_percentiles(falcopy: Any, stub: Any) -> None:
    done = falcopy(
        "bench",
        stub("good"),
        "--open-params",
        "5000",
        "--rounds",
        "1",
        "--seconds",
        "0.1",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    assert (found["name"], found["version"]) == ("good-stub", "1.2.3")
    assert found["source"]["bare"]["events"] == 5000
    assert found["source"]["bare"]["events_per_s"] > 0
    assert found["source"]["with_fields"]["events_per_s"] > 0
    number = found["fields"]["stub.num"]
    assert (
        0 <= number["first_ns"]["p50"] <= number["first_ns"]["p99"] <= number["first_ns"]["p99.9"]
    )
    assert number["calls"] >= 100


def test_two_plugins_are_compared_and_the_clock_is_taken_off(falcopy: Any, stub: Any) -> None:
    done = falcopy(
        "bench", stub("good"), "acme_plugins:Acme", "--rounds", "2", "--seconds", "0.1", "--json",
        "--fields", "acme.user", cwd=PLUGINS,
    )  # fmt: skip
    assert done.returncode == 2
    assert "has no field 'acme.user'" in done.stderr
    done = falcopy(
        "bench", stub("good"), "acme_plugins:Acme", "--rounds", "2", "--seconds", "0.1",
        "--open-params", "2000", cwd=PLUGINS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["good-stub", "1.2.3", "acme-audit", "0.1.0"]
    assert [row for row in rows if row.startswith("source, every field") and " x" in row]
    assert done.stderr == ""
    # A field that gives back a number costs less than reading the clock does, twice.
    number = next(row.split() for row in rows if row.startswith("stub.num"))
    assert int(number[1].replace(",", "")) < 2000


def test_progress_is_shown_on_a_terminal(stub: Any) -> None:
    terminal, its_end = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "falcopy_sdk", "bench", stub("good"), "--rounds=2"],
            stdout=subprocess.PIPE,
            stderr=its_end,
            text=True,
            check=True,
        )
        seen = os.read(terminal, 4096).decode()
    finally:
        os.close(its_end)
        os.close(terminal)
    assert seen.count("round 1 of 2") == seen.count("round 2 of 2") == 1
    assert seen.endswith("\r\x1b[K")
    assert "round" not in done.stdout


def test_a_plugin_that_ends_the_process_is_told(falcopy: Any, stub: Any) -> None:
    done = falcopy("bench", stub("hostile", "READS_TABLES"), "--rounds", "1", "-q")
    assert done.returncode == 1
    assert "the process ended with -11 while it was measured; try falcopy check" in done.stderr
