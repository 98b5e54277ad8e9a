"""The command itself: help, version, exit codes, and what an expected error looks like."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import pytest

from falcopy_sdk.cli import COMMANDS


def test_the_version_tells_sdk_python_and_api(falcopy: Any) -> None:
    done = falcopy("--version")
    assert done.returncode == 0
    assert done.stdout == (
        f"falcopy {version('falcopy-sdk')}, Python {platform.python_version()}, "
        "Falco plugin API 3.12.0\n"
    )


def test_help_lists_every_command_and_the_exit_codes(falcopy: Any) -> None:
    done = falcopy("--help")
    assert done.returncode == 0
    assert all(f"\n  {name} " in done.stdout for name in COMMANDS)
    assert "3 nothing to do" in " ".join(done.stdout.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(falcopy: Any, command: str) -> None:
    done = falcopy(command, "-h")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: falcopy {command} ")
    # A group's are with its commands.
    assert "Examples:" in done.stdout or "\nCommands:" in done.stdout


@pytest.mark.parametrize(
    "arguments", [["frobnicate"], ["check"], ["run", "x", "--limit", "0"], ["inspect", "/none"]]
)
def test_wrong_usage_exits_with_2(falcopy: Any, arguments: list[str]) -> None:
    done = falcopy(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: falcopy")
    assert done.stdout == ""


def test_the_version_needs_no_command_module() -> None:
    code = (
        "import sys, falcopy_sdk.cli as c\n"
        "try: c.main(['--version'])\n"
        "except SystemExit: print(sorted(m for m in sys.modules if m.startswith('falcopy_sdk')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "falcopy_sdk.cli" in done.stdout
    assert not any(f"falcopy_sdk.cli.{name}" in done.stdout for name in COMMANDS)
    assert "falcopy_sdk.host" not in done.stdout
