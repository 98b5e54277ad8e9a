"""Metrics, progress, asynchronous events and whatever else a plugin may offer."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from falcopy_sdk.abi import ffi
from falcopy_sdk.exceptions import ContractError, FalcopyError, PluginFailedError
from falcopy_sdk.host import Capability
from falcopy_sdk.testing.battery.configuration import check_text
from falcopy_sdk.testing.battery.context import StopCheck, shown

if TYPE_CHECKING:
    from falcopy_sdk.host import Plugin
    from falcopy_sdk.testing.battery.context import Context

__all__ = ["asynchronous", "extras"]

_METRIC = re.compile(r"[A-Za-z0-9_.:]+")
_READERS, _READINGS = 4, 200
#: Seconds in which a sender that was not joined would show itself.
_LATE = 0.3


def extras(ctx: Context) -> None:
    """Optional functions answer what hosts can read, metrics from any thread."""
    exports = ctx.library.exports
    with ctx.state() as plugin:
        if "get_metrics" in exports:
            _metrics(ctx, plugin)
        if "list_open_params" in exports:
            ctx.at("list_open_params")
            with ctx.finding("FPY703"):
                plugin.list_open_params()
        if "set_config" in exports:
            ctx.at("set_config with the configuration that init took")
            try:
                plugin.set_config(ctx.config)
            except PluginFailedError as error:
                check_text(ctx, error, "set_config")
                ctx.note(f"set_config refuses what init took: {error}")
        if "dump_state" in exports:
            ctx.at("dump_state")
            with ctx.finding("FPY703"):
                plugin.dump_state()
        if "get_progress" in exports and Capability.SOURCING in ctx.library.capabilities:
            _progress(ctx, plugin)


def _progress(ctx: Context, plugin: Plugin) -> None:
    with contextlib.suppress(StopCheck), ctx.opened(plugin) as instance:
        ctx.at("get_progress")
        with ctx.finding("FPY703"):
            share, _ = instance.progress()
            if not 0 <= share <= 1:
                ctx.find("FPY703", f"get_progress says {share * 100:g} %, not 0 to 100")


def _metrics(ctx: Context, plugin: Plugin) -> None:
    ctx.at("get_metrics")
    try:
        found = plugin.metrics()
    except ValueError as error:
        ctx.find("FPY701", f"get_metrics gave a type that hosts do not know: {error}")
        return
    except ContractError as error:
        ctx.add_error("FPY701", error)
        return
    for name, count in Counter(metric.name for metric in found).items():
        if not _METRIC.fullmatch(name):
            ctx.find("FPY701", f"get_metrics names a metric {shown(name)}")
        if count > 1:
            ctx.find("FPY701", f"get_metrics names {count} metrics {shown(name)}")
    names = [metric.name for metric in found]
    others: list[str] = []

    def read() -> None:
        for _ in range(_READINGS):
            try:
                again = [metric.name for metric in plugin.metrics()]
            except (FalcopyError, ValueError) as error:
                others.append(str(error))
                return
            if again != names:
                others.append(f"{shown(str(again))} instead of {shown(str(names))}")
                return

    ctx.at(f"get_metrics on {_READERS} threads at once")
    readers = [threading.Thread(target=read) for _ in range(_READERS)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    if others:
        ctx.find("FPY702", f"on {_READERS} threads at once get_metrics gave {others[0]}")


def asynchronous(ctx: Context) -> None:
    """Asynchronous events are those that are listed, and end when the host says so."""
    if not ctx.library.capabilities & Capability.ASYNC:
        raise StopCheck("not run: the plugin sends no asynchronous events")
    refused: list[str] = []
    late: list[str] = []
    with ctx.state() as plugin:
        with ctx.opened(plugin) as instance:
            push = plugin.owner.async_sink

            def watch(event: Any) -> str | None:
                why = push(event) if push is not None else None
                if why is not None:
                    refused.append(why)
                return why

            plugin.owner.async_sink = watch
            until = time.monotonic() + 1.0
            ctx.at("waiting for asynchronous events")
            with contextlib.suppress(PluginFailedError):
                while not instance.ended and time.monotonic() < until:
                    instance.next()
        for why in refused:
            ctx.find("FPY704", f"an event was refused: {why}")

        def too_late(event: Any) -> str:
            late.append(f"{ffi.cast('uint64_t', event.ts)}")
            return "the handler was taken away"

        plugin.owner.async_sink = too_late
        ctx.at("nothing: the asynchronous handler was taken away")
        time.sleep(_LATE)
        plugin.owner.async_sink = None
        if late:
            ctx.find(
                "FPY704",
                f"{len(late)} events came after set_async_event_handler had taken the handler away",
            )
