"""The source of events, driven as a host does it: in time, to its end, and against its will."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from falcopy_sdk.abi import LogSeverity
from falcopy_sdk.exceptions import ContractError, PluginFailedError
from falcopy_sdk.host import Capability
from falcopy_sdk.testing.battery.configuration import check_text
from falcopy_sdk.testing.battery.context import StopCheck, shown
from falcopy_sdk.testing.battery.usage import resident

if TYPE_CHECKING:
    from falcopy_sdk.host import Instance, Plugin
    from falcopy_sdk.testing.battery.context import Context

__all__ = ["back_pressure", "source"]

#: Seconds to watch a source, and at most so many events.
_WATCHED, _MOST_EVENTS = 1.5, 5000
#: Longest that next_batch may take; hosts handle signals in between only.
_LONGEST = 1.0
#: More timeouts a second than this come without waiting (30 ms each are 33 a second).
_SPIN = 1000
_NONSENSE = "\x01falcopy: no such parameters\x02"
_WORDS_OF_EVENTS = ("broken event", "of type", "of plugin id", "NULL event")
#: Bytes that a slow host may cost, in queues and allocators.
_SLACK = 32 * 2**20


def _needs_source(ctx: Context) -> None:
    if not ctx.library.capabilities & Capability.SOURCING:
        raise StopCheck("not run: the plugin has no source of events")


def source(ctx: Context) -> None:
    """The source opens, gives well-formed events in time, closes and opens again."""
    _needs_source(ctx)
    with ctx.state() as plugin:
        ctx.at("open with nonsense, and close")
        try:
            plugin.open(_NONSENSE).close()
        except PluginFailedError as error:
            ctx.errors.append(str(error))
            if error.entry == "open":
                check_text(ctx, error, f"open({shown(_NONSENSE)})")
        except ContractError as error:
            ctx.add_error("FPY405", error)
        instance = _open(ctx, plugin)
        try:
            nothing = _watch(ctx, instance)
        finally:
            ctx.at("close")
            started = time.monotonic()
            instance.close()
            _in_time(ctx, "close", time.monotonic() - started)
        for _ in range(3):
            again = _open(ctx, plugin, "again, ")
            ctx.at("close right after open")
            again.close()
    if nothing:
        raise StopCheck(f"it opens and closes, but {nothing}")


def _open(ctx: Context, plugin: Plugin, how: str = "") -> Instance:
    params = ctx.subject.open_params
    ctx.at(f"open({shown(params or '')})")
    try:
        return plugin.open(params or "")
    except ContractError as error:
        ctx.add_error("FPY405", error)
        raise StopCheck from error
    except PluginFailedError as error:
        check_text(ctx, error, "open")
        ctx.errors.append(str(error))
        if params is not None or how:
            ctx.add_error("FPY405", error, f"{how}with {shown(params or '')}")
            raise StopCheck from error
        raise StopCheck(
            f"the source was not tried: it does not open without parameters ({error})"
        ) from error


def _in_time(ctx: Context, entry: str, seconds: float) -> None:
    if seconds > ctx.subject.patience:
        ctx.find("FPY307", f"{entry} returned after {seconds:.1f} s only")


def _watch(ctx: Context, instance: Instance) -> str:
    """Reads for a while and looks at the time that the host's thread spends waiting.

    Returns:
        Why nothing can be said of its events; empty: there were some, or there is a finding.
    """
    until = time.monotonic() + _WATCHED
    events = timeouts = 0
    waited = 0.0
    while not instance.ended and events < _MOST_EVENTS and time.monotonic() < until:
        ctx.at("next_batch")
        started = time.monotonic()
        try:
            event = instance.next()
        except (ContractError, PluginFailedError) as error:
            _failed(ctx, error, events)
            return ""
        spent = time.monotonic() - started
        if spent > _LONGEST:
            ctx.find("FPY401", f"next_batch returned after {spent:.1f} s only")
            return ""
        if event is not None:
            events += 1
        elif not instance.ended:
            timeouts, waited = timeouts + 1, waited + spent
    if timeouts > _SPIN * max(waited, 0.05):
        each = waited / timeouts * 1e6
        ctx.find(
            "FPY402", f"next_batch returned TIMEOUT {timeouts} times, after {each:.0f} us each"
        )
    if events or ctx.findings:
        return ""
    warnings = [line.message for line in ctx.logs if line.severity <= LogSeverity.WARNING]
    end = "ended without an event" if instance.ended else f"gave no event in {_WATCHED} s"
    return f"{end}; it last logged: {warnings[-1]}" if warnings else end


def _failed(ctx: Context, error: ContractError | PluginFailedError, events: int) -> None:
    text = str(error)
    if isinstance(error, ContractError):
        of_event = any(words in text for words in _WORDS_OF_EVENTS)
        ctx.add_error("FPY404" if of_event else "FPY403", error)
        return
    ctx.errors.append(text)
    check_text(ctx, error, "next_batch")
    if "next_batch returned FAILURE" not in text:
        ctx.find("FPY403", f"{text} (known are SUCCESS, TIMEOUT, EOF and FAILURE)")
    elif ctx.subject.open_params is not None:
        ctx.find("FPY406", f"after {events} events: {text}")
    else:
        ctx.note(f"the source failed without parameters: {text}")


def back_pressure(ctx: Context) -> None:
    """A host that does not come for events does not make memory grow."""
    _needs_source(ctx)
    with ctx.state() as plugin, ctx.opened(plugin) as instance:
        try:
            event = ctx.first_event(instance)
        except (ContractError, PluginFailedError) as error:
            raise StopCheck(f"not run: the source fails at once ({error})") from error
        if event is None:
            # One that waits for its first event holds nothing that could grow.
            raise StopCheck("not run: the source gives no event that a slow host could leave")
        ctx.at("nothing: the host is slow")
        time.sleep(0.3)  # queues and arenas may fill up
        before = resident()
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            time.sleep(0.05)
            grown = resident() - before
            if grown > 8 * _SLACK:  # no need to wait until the machine has nothing left
                break
        if grown > _SLACK:
            ctx.find(
                "FPY407",
                f"{grown / 2**20:.0f} MiB more after {1.0 - max(until - time.monotonic(), 0):.1f} "
                "s in which next_batch was not called",
            )
