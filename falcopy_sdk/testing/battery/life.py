"""States: made and destroyed over and over, and beside each other."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING

from falcopy_sdk.abi import ffi
from falcopy_sdk.exceptions import ContractError, FalcopyError, PluginFailedError
from falcopy_sdk.host import Capability
from falcopy_sdk.testing.battery.context import StopCheck
from falcopy_sdk.testing.battery.usage import leaks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from falcopy_sdk.host import Plugin
    from falcopy_sdk.testing.battery.context import Context

__all__ = ["life", "reload"]


def life(ctx: Context) -> None:
    """Init, open, close and destroy can be repeated, and leave nothing behind."""
    with ctx.state() as first:
        _second(ctx, first)
    openable = _openable(ctx)

    def work() -> None:
        ctx.logs.clear()  # of what grows, nothing may be the host's
        ctx.errors.clear()
        with ctx.state() as plugin:
            if openable:
                with contextlib.suppress(FalcopyError), ctx.opened(plugin) as instance:
                    ctx.at("next_batch")
                    instance.next()

    with _no_log():
        found = leaks(work, in_process=not ctx.subject.is_file)
    round_of = "init, open, close and destroy" if openable else "init and destroy"
    for what in found:
        ctx.find("FPY305", f"{round_of} leave behind {what}")


@contextlib.contextmanager
def _no_log() -> Iterator[None]:
    """Without log records of this process: pytest, for one, keeps them all."""
    before = logging.root.manager.disable
    logging.disable()
    try:
        yield
    finally:
        logging.disable(before)


def _second(ctx: Context, first: Plugin) -> None:
    ctx.at("a second init beside a live state")
    try:
        second = ctx.init()
    except (ContractError, PluginFailedError) as error:
        ctx.add_error("FPY302", error, "beside a live state")
        return
    if second.state == first.state:
        address = int(ffi.cast("uintptr_t", first.state))
        ctx.find("FPY303", f"two calls of init returned the same state, {address:#x}")
        # Destroying it twice would only show the same as a crash.
        second._state = ffi.NULL
    ctx.at("destroy beside a live state")
    second.close()


def _openable(ctx: Context) -> bool:
    if not ctx.library.capabilities & (Capability.SOURCING | Capability.ASYNC):
        return False
    try:
        with ctx.state() as plugin, ctx.opened(plugin):
            return True
    except StopCheck:
        return False


def reload(ctx: Context) -> None:
    """A trial state comes and goes beside a live one, as when Falco reloads."""
    with ctx.state() as live:
        source = Capability.SOURCING in ctx.library.capabilities
        with contextlib.ExitStack() as stack:
            instance = None
            if source:
                try:
                    instance = stack.enter_context(ctx.opened(live))
                except StopCheck as why:
                    ctx.note(f"the source was not open meanwhile: {why}")
            before = _values(ctx, live)
            for _ in range(3):
                ctx.at("init of a trial state")
                with ctx.finding("FPY302", "beside a live state"):
                    trial = ctx.init()
                    ctx.at("destroy of a trial state")
                    trial.close()
            if ctx.findings:
                return
            after = _values(ctx, live)
            for name in sorted(before):
                if before[name] != after[name]:
                    ctx.find("FPY308", f"{name} is another once a trial state was destroyed")
            if instance is not None:
                ctx.at("next_batch after a trial state was destroyed")
                with ctx.finding("FPY308", "after a trial state was destroyed"):
                    until = time.monotonic() + 0.5
                    while not instance.ended and time.monotonic() < until:
                        if instance.next() is not None:
                            break


def _values(ctx: Context, plugin: Plugin) -> dict[str, object]:
    values: dict[str, object] = {}
    for number, data in enumerate(ctx.subject.events[:3], 1):
        for field in ctx.library.facts.fields:
            if field.arg_required:
                continue
            ctx.at(f"extract_fields of {field.name} on sample {number}")
            with contextlib.suppress(ContractError):
                # Another number each time: nothing is answered from a cache.
                event = ctx.sample(plugin, data, time.monotonic_ns() % 2**32)
                event.pointer.ts = number
                values[f"{field.name} of sample {number}"] = plugin.extract(event, field.name)
    return values
