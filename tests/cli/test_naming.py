"""What may be named as PLUGIN, and what is said about what may not."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ACME = Path(__file__).parents[1] / "testing" / "acme_plugins.py"
ONE = """
from falcopy_sdk import Event, extract, plugin, source

@plugin(name="one", id=999, version="0.1.0", event_source="one", description="For tests",
        contact="https://example.org")
class One:
    @source
    def events(self, params: str):
        yield Event({"a": params})

    a = extract.path("one.a", "a", desc="The parameters")
"""


def test_a_python_file_stands_for_the_plugin_in_it(falcopy: Any, tmp_path: Path) -> None:
    (tmp_path / "ok.py").write_text(ONE)
    done = falcopy("run", tmp_path / "ok.py", "--open-params", "x", "--fields", "one.a", "--json")
    assert done.returncode == 0, done.stderr
    assert '"one.a":"x"' in done.stdout


def test_a_configuration_may_be_yaml(falcopy: Any, tmp_path: Path) -> None:
    arguments = ("run", "acme_plugins:Acme", "--limit", "1", "--init-config")
    done = falcopy(*arguments, "region: eu", cwd=ACME.parent)
    assert done.returncode == 0, done.stderr
    done = falcopy(*arguments, "regoin: eu", cwd=ACME.parent)
    assert done.returncode != 0
    assert 'unknown key "regoin"; did you mean "region"?' in done.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("x = 1", "there is no class with @plugin(...) in it"),
        ("def f(:", "not valid Python"),
        (ONE + ONE.replace("class One", "class Two"), "declares 2 plugins: name one, as bad:One"),
    ],
)
def test_a_python_file_without_one_plugin_is_told(
    falcopy: Any, tmp_path: Path, content: str, words: str
) -> None:
    (tmp_path / "bad.py").write_text(content)
    done = falcopy("run", tmp_path / "bad.py")
    assert done.returncode == 2
    assert words in done.stderr


def test_a_folder_without_a_project_and_a_missing_file_are_told(
    falcopy: Any, tmp_path: Path
) -> None:
    done = falcopy("run", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no pyproject.toml in this folder" in done.stderr
    done = falcopy("run", "dist/libnone.so", cwd=tmp_path)
    assert "dist/libnone.so: no such file" in done.stderr


def test_breakpoint_opens_pdb_in_run(falcopy: Any, tmp_path: Path) -> None:
    (tmp_path / "ok.py").write_text(ONE.replace("yield", "breakpoint()\n        yield"))
    done = falcopy("run", tmp_path / "ok.py", "--open-params", "x", input="p params * 3\nc\n")
    assert done.returncode == 0
    assert "(Pdb) 'xxx'" in done.stderr


def test_an_unknown_command_gets_the_nearest_one(falcopy: Any) -> None:
    done = falcopy("chekc")
    assert done.returncode == 2
    assert "No such command 'chekc'. Did you mean check?" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_of_the_shell(falcopy: Any, shell: str, tmp_path: Path) -> None:
    done = falcopy("completion", shell)
    assert done.returncode == 0
    assert "_FALCOPY_COMPLETE" in done.stdout
    program = shutil.which(shell)
    if program:  # the shell itself takes it
        script = tmp_path / "script"
        script.write_text(done.stdout)
        subprocess.run([program, "-n", script], check=True, capture_output=True)


def test_bash_completes_commands_and_options(falcopy: Any) -> None:
    environment = {**os.environ, "COMP_WORDS": "falcopy che", "COMP_CWORD": "1"}
    environment["_FALCOPY_COMPLETE"] = "bash_complete"
    done = falcopy(env=environment)
    assert "plain,check" in done.stdout


def test_an_unknown_shell_is_told(falcopy: Any) -> None:
    done = falcopy("completion", env={**os.environ, "SHELL": "/bin/csh"})
    assert done.returncode == 2
    assert "$SHELL is 'csh': name one of bash, zsh, fish" in done.stderr


def test_colour_is_for_terminals_or_those_who_ask(falcopy: Any, tmp_path: Path) -> None:
    (tmp_path / "ok.py").write_text(ONE)
    plain = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    for more, coloured in (({}, False), ({"FORCE_COLOR": "1"}, True)):
        done = falcopy("run", tmp_path / "ok.py", env={**plain, **more})
        assert ("\x1b[" in done.stdout) == coloured
    done = falcopy("run", tmp_path / "ok.py", env={**plain, "FORCE_COLOR": "1", "NO_COLOR": "1"})
    assert "\x1b[" not in done.stdout


@pytest.mark.parametrize(
    ("flag", "severities"),
    [((), {"info"}), (("-v",), {"info", "debug"}), (("-q",), set())],
)
def test_how_much_of_the_log_is_shown_can_be_chosen(
    falcopy: Any, stub: Any, flag: tuple[str, ...], severities: set[str]
) -> None:
    done = falcopy("run", stub("good"), *flag, "--limit", "1", "--fields", "stub.num")
    assert done.returncode == 0
    assert {line[1:].partition("]")[0] for line in done.stderr.splitlines()} == severities
