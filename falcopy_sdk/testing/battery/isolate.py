"""Runs a check in a process of its own, so that a crash or a hang is a finding and no more."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from falcopy_sdk.exceptions import PluginLookupError
from falcopy_sdk.testing.battery.result import CheckResult, Finding

if TYPE_CHECKING:
    from falcopy_sdk.testing.battery.subject import Subject

__all__ = ["run_isolated"]

_POLL = 0.05
#: Of what the plugin printed last, so much is shown with a crash.
_TAIL = 300
_SHORTEST_SECRET = 6


def run_isolated(name: str, subject: Subject) -> CheckResult:
    """Run one check in a child process.

    Args:
        name: Of the check.
        subject: What is tested.

    Raises:
        PluginLookupError: A class cannot be found or imported there.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="falcopy-check-") as folder:
        stage, result, output = (Path(folder, part) for part in ("stage", "result", "output"))
        stage.touch()
        job = {
            "check": name,
            "subject": subject.to_json(),
            "stage": str(stage),
            "result": str(result),
        }
        with output.open("wb") as sink:
            child = subprocess.Popen(
                [sys.executable, "-m", "falcopy_sdk.testing.battery.child"],
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=sink,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
                start_new_session=True,
            )
            try:
                assert child.stdin is not None
                child.stdin.write(json.dumps(job).encode())
                child.stdin.close()
                hung = _wait(child, stage, subject.patience)
            finally:
                _end(child)
        said = output.read_text(errors="replace")
        found = _read(result)
        where = stage.read_text(errors="replace").partition("\n")[2] or "the start of the check"
        seconds = round(time.monotonic() - started, 3)
    if found is not None and "refused" in found:
        raise PluginLookupError(found["refused"])
    return _judged(name, found, _died(child, hung, where, subject, said), said, subject, seconds)


def _wait(child: subprocess.Popen[bytes], stage: Path, patience: float) -> bool:
    """Waits for the end; returns whether one stage took longer than a host's user would wait."""
    last, since = b"", time.monotonic()
    while True:
        try:
            child.wait(_POLL)
        except subprocess.TimeoutExpired:
            now = stage.read_bytes()
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > patience:
                return True
        else:
            return False


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ends the child and whatever it started, by their group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _read(result: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(result.read_text())
    except (FileNotFoundError, ValueError):  # it died before, or while, writing
        return None
    return found


def _died(
    child: subprocess.Popen[bytes], hung: bool, where: str, subject: Subject, said: str
) -> Finding | None:
    if hung:
        return Finding("FPY307", f"{where} did not return within {subject.patience:g} s")
    if child.returncode == 0:
        return None
    if child.returncode < 0:
        try:
            how = f"died of {signal.Signals(-child.returncode).name}"
        except ValueError:
            how = f"died of signal {-child.returncode}"
    else:
        how = f"ended with exit status {child.returncode}"
    tail = " ".join(said.split())[-_TAIL:]
    return Finding("FPY306", f"the process {how} in {where}" + (f" (it said: {tail})" * bool(tail)))


def _judged(
    name: str,
    found: dict[str, Any] | None,
    death: Finding | None,
    said: str,
    subject: Subject,
    seconds: float,
) -> CheckResult:
    findings = [Finding(f["code"], f["message"]) for f in (found or {}).get("findings", ())]
    if death is not None:
        findings.append(death)
    secrets = [*subject.secrets, *(found or {}).get("secrets", ())]
    if any(secret in said for secret in secrets if len(secret) >= _SHORTEST_SECRET):
        findings.append(Finding("FPY601", "what the plugin printed holds a secret"))
    masked = []
    for finding in findings:
        message = finding.message
        for secret in secrets:
            message = message.replace(secret, "***")
        masked.append(Finding(finding.code, message))
    about = (found or {}).get("about", ("", ""))
    return CheckResult(
        name,
        tuple(masked),
        tuple((found or {}).get("notes", ())),
        (found or {}).get("skipped", ""),
        seconds,
        about=(about[0], about[1]),
    )
