"""The battery: every check by its name, and how one is run in this process."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from falcopy_sdk.exceptions import ContractError, FalcopyError, LibraryError, PluginFailedError
from falcopy_sdk.testing.battery.configuration import configuration
from falcopy_sdk.testing.battery.context import Context, StopCheck
from falcopy_sdk.testing.battery.extras import asynchronous, extras
from falcopy_sdk.testing.battery.facts import code_of_refusal, facts
from falcopy_sdk.testing.battery.fields import fields, hostile
from falcopy_sdk.testing.battery.life import life, reload
from falcopy_sdk.testing.battery.result import CheckResult, Finding
from falcopy_sdk.testing.battery.secrets import CANARY, secrets
from falcopy_sdk.testing.battery.source import back_pressure, source
from falcopy_sdk.testing.battery.source_errors import source_errors
from falcopy_sdk.testing.battery.threads import threads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from falcopy_sdk.testing.battery.subject import Subject

__all__ = ["CHECKS", "Check", "run_here"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        name: ``"fields"``.
        title: What it makes sure of, a clause.
        run: Finds what is wrong.
    """

    name: str
    title: str
    run: Callable[[Context], None]


_ALL = (
    Check("facts", "facts are well-formed and fit the registry", facts),
    Check("configuration", "the documented configuration works, others are refused", configuration),
    Check("life", "states come and go and leave nothing behind", life),
    Check("threads", "states and sources work on several threads at once", threads),
    Check("reload", "a live state stands a trial state beside it", reload),
    Check("source", "the source gives well-formed events in time", source),
    Check("back-pressure", "a slow host does not make memory grow", back_pressure),
    Check("source-errors", "errors of the source end or restart it", source_errors),
    Check("fields", "each field has its declared type on each sample", fields),
    Check("hostile", "no event harms the host", hostile),
    Check("secrets", "no secret appears in a log or an error", secrets),
    Check("async", "asynchronous events are those that are listed", asynchronous),
    Check("extras", "optional functions answer what hosts can read", extras),
)

#: In the order in which they run.
CHECKS: Final[Mapping[str, Check]] = {check.name: check for check in _ALL}


def run_here(
    name: str,
    subject: Subject,
    note_stage: Callable[[str], None] = lambda _stage: None,
    keep: Callable[[CheckResult], None] = lambda _result: None,
) -> CheckResult:
    """Run one check in this process: what crashes takes the process with it.

    Args:
        name: Of the check.
        subject: What is tested.
        note_stage: Told what is about to be called.
        keep: Given the result before the plugin is unloaded, which may take the process with it.

    Raises:
        FalcopyError: A class cannot be found or imported, or declares no plugin.
    """
    started = time.monotonic()
    try:
        note_stage("loading the plugin")
        library = subject.load()
    except (LibraryError, ContractError) as error:
        finding = Finding(code_of_refusal(error), str(error))
        found = (finding,) if name == "facts" else ()
        return CheckResult(name, found, skipped="" if found else "the plugin does not load")
    with library:
        ctx = Context(subject, library, note_stage)
        skipped = _run(CHECKS[name], ctx)
        result = CheckResult(
            name,
            tuple(_without_secrets(finding, ctx) for finding in ctx.findings),
            tuple(ctx.notes),
            skipped,
            seconds=round(time.monotonic() - started, 3),
            about=(library.facts.name, library.facts.version),
            secrets=(*ctx.secrets, CANARY),
        )
        keep(result)
        ctx.at("unloading the plugin")
    return result


def _run(check: Check, ctx: Context) -> str:
    """Runs it; returns why it was skipped."""
    try:
        check.run(ctx)
    except StopCheck as why:
        text = str(why)
        if text.startswith("not run: "):
            return text.removeprefix("not run: ")
        if text:
            ctx.note(text)
    except ContractError as error:
        ctx.add_error("FPY703", error, ctx.stage)
    except PluginFailedError as error:
        ctx.add_error("FPY406" if error.entry == "next_batch" else "FPY703", error, ctx.stage)
    except FalcopyError as error:
        if check.name != "secrets":
            raise
        ctx.errors.append(str(error))
    return ""


def _without_secrets(finding: Finding, ctx: Context) -> Finding:
    message = finding.message
    for secret in ctx.secrets:
        message = message.replace(secret, "***")
    return replace(finding, message=message)
