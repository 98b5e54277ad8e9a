"""One open event source: batches, events in order, asynchronous events, the capture's life."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from falcopy_sdk.abi import PLUGIN_EVENT_CODE, UINT64_MAX, Rc, ffi
from falcopy_sdk.exceptions import ContractError, PluginFailedError, RequestError
from falcopy_sdk.host.asyncqueue import AsyncQueue
from falcopy_sdk.host.events import Batch, HostEvent, check_event, foreign_event
from falcopy_sdk.host.facts import Capability, text_of
from falcopy_sdk.host.memory import GARBAGE32, scribble, transient
from falcopy_sdk.host.owner import async_handler, owner_last_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from falcopy_sdk.host.plugin import Plugin

__all__ = ["Instance"]

#: Seconds that a host without a source of events waits for an asynchronous one.
_IDLE = 0.03


# No thread pool, as in every host that is released today: subscribe returns NULL.
_ROUTINES = ffi.new("ss_plugin_routine_vtable *")
_subscribe = _ROUTINES.subscribe = ffi.callback(
    "ss_plugin_routine_t *(ss_plugin_owner_t *, ss_plugin_routine_fn_t, "
    "ss_plugin_routine_state_t *)",
    lambda *_: ffi.NULL,
)
_unsubscribe = _ROUTINES.unsubscribe = ffi.callback(
    "ss_plugin_rc(ss_plugin_owner_t *, ss_plugin_routine_t *)", lambda *_: int(Rc.FAILURE)
)


class Instance:
    """What ``open`` made. Use as a context manager, or call :meth:`close`.

    The calls and their order are those of libsinsp (sinsp.cpp, source_plugin.c): open, async
    handler, capture_open; next_batch, parse_event; close, async handler NULL, capture_close.
    """

    def __init__(self, plugin: Plugin, params: str) -> None:
        self._plugin = plugin
        self._facts = plugin.facts
        self._handle: Any = ffi.NULL
        self._batch = Batch()
        self._count = self._position = 0
        self._pending_rc = int(Rc.SUCCESS)
        self._nevts = ffi.new("uint32_t *")
        self._evts = ffi.new("ss_plugin_event ***")
        self._number = 0
        self._async: AsyncQueue | None = None
        self.closed = False
        #: Whether the source has given its last event (EOF).
        self.ended = False
        self._sourcing = Capability.SOURCING in self._facts.capabilities
        if not self._sourcing and Capability.ASYNC not in self._facts.capabilities:
            raise RequestError(
                f"plugin {self._facts.name!r} has no events of its own: it neither has a source "
                "nor sends asynchronous events"
            )
        try:
            self._open(params)
        except BaseException:
            self.close()
            raise

    # ---- life

    def _open(self, params: str) -> None:
        plugin = self._plugin
        plugin.owner.last_warning = ""
        if self._sourcing:
            rc = ffi.new("ss_plugin_rc *", GARBAGE32)
            with transient(params) as text:
                self._handle = plugin.entries["open"](plugin.state, text, rc)
            plugin.owner.reraise()
            plugin.check_rc_written("open", rc[0])
            if rc[0] != Rc.SUCCESS:
                raise PluginFailedError("open", f"could not open source: {plugin.last_error()}")
        if Capability.ASYNC in self._facts.capabilities:
            facts = self._facts
            source = facts.event_source or "syscall"
            self._async = AsyncQueue(
                facts.async_events, facts.async_event_sources, source, facts.id
            )
            # First: the plugin may send from within the call.
            plugin.owner.async_sink = self._async.push
            self._set_handler(async_handler)
        if Capability.CAPTURE_LISTENING in self._facts.capabilities:
            self._listen("capture_open")

    @property
    def handle(self) -> Any:
        """``ss_instance_t *``, for callers that drive it without this class."""
        return self._handle

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends it, also after a failed open: hosts then close what was never opened."""
        if self.closed:
            return
        self.closed = True
        self._batch.alive = False
        plugin = self._plugin
        failures: list[Exception] = []
        if self._sourcing:
            plugin.entries["close"](plugin.state, self._handle)
        if Capability.ASYNC in self._facts.capabilities:
            try:
                self._set_handler(ffi.NULL)
            except PluginFailedError as error:
                failures.append(error)
            plugin.owner.async_sink = None
        if Capability.CAPTURE_LISTENING in self._facts.capabilities:
            try:
                self._listen("capture_close")
            except PluginFailedError as error:
                failures.append(error)
        plugin.owner.reraise()
        if failures:
            raise failures[0]

    def _set_handler(self, handler: Any) -> None:
        plugin = self._plugin
        rc = plugin.entries["set_async_event_handler"](plugin.state, plugin.owner.pointer, handler)
        plugin.check("set_async_event_handler", rc)

    def _listen(self, entry: str) -> None:
        plugin = self._plugin
        given = ffi.new("ss_plugin_capture_listen_input *")
        given.owner = plugin.owner.pointer
        given.routine = _ROUTINES
        given.get_owner_last_error = owner_last_error
        plugin.tables.fill_capture(given)
        plugin.tables.phase = "capture"
        rc = plugin.entries[entry](plugin.state, given)
        plugin.tables.end()
        scribble(given)
        plugin.check(entry, rc)

    # ---- events

    def events(
        self,
        limit: int | None = None,
        *,
        stop: Callable[[], bool] | None = None,
        timeout: float | None = None,
    ) -> Iterator[HostEvent]:
        """Yields events until the source ends.

        Args:
            limit: at most so many.
            stop: asked after each event and each timeout of the source; true ends the iteration.
            timeout: seconds within which the next event, or the end, has to come; None: whenever.

        Raises:
            TimeoutError: nothing came in time; it tells the plugin's last warning.
            PluginFailedError: the source failed. A real host stops.
            ContractError: the plugin broke the plugin API.
        """
        given = 0
        since = time.monotonic()
        while not self.ended and (limit is None or given < limit):
            event = self.next()
            if event is not None:
                given += 1
                yield event
                since = time.monotonic()
            elif timeout is not None and not self.ended and time.monotonic() - since > timeout:
                warning = self._plugin.owner.last_warning
                raise TimeoutError(
                    f"after {given} events the source of {self._facts.name} gave nothing for "
                    f"{timeout:g} s" + (f"; it last logged: {warning}" if warning else "")
                )
            if stop is not None and stop():
                return

    def next(self) -> HostEvent | None:
        """One step of the host's loop: an event, parsed already, or None if there is none yet.

        Raises:
            PluginFailedError: the source failed.
            ContractError: the plugin broke the plugin API.
            RequestError: the instance is closed.
        """
        if self.closed:
            raise RequestError("the instance is closed")
        event = self._next_of_source() if self._sourcing else None
        if self.ended:
            return None
        if self._async is not None:
            until = event.ts if event is not None else None
            timeout = 0.0 if self._sourcing else _IDLE
            raw = self._async.pop(until, timeout)
            if raw is not None:
                if event is not None:  # comes again with the next step
                    self._position -= 1
                source = self._facts.event_source or "syscall"
                event = foreign_event(raw, num=0, source=source)
        self._plugin.owner.reraise()
        if event is None:
            return None
        self._number += 1
        event.num = self._number
        self._plugin.parse(event)
        return event

    def _next_of_source(self) -> HostEvent | None:
        if self._position >= self._count:
            # The rc that came with events is due once they are delivered.
            rc, self._pending_rc = self._pending_rc, int(Rc.SUCCESS)
            if rc == Rc.SUCCESS:
                rc = self._fetch()
            if self._position >= self._count:
                self._end_of_batch(rc)
                return None
            self._pending_rc = rc
        pointer = self._evts[0][self._position]
        self._position += 1
        return self._event(pointer)

    def _fetch(self) -> int:
        """Calls next_batch; returns its rc."""
        plugin = self._plugin
        self._batch.alive = False
        self._batch = Batch()
        self._nevts[0] = GARBAGE32
        self._evts[0] = ffi.NULL
        rc = int(plugin.entries["next_batch"](plugin.state, self._handle, self._nevts, self._evts))
        plugin.owner.reraise()
        if self._nevts[0] == GARBAGE32:
            raise self._broken(
                f"next_batch returned {rc} without writing *nevts: a host replays the last batch"
            )
        self._position, self._count = 0, self._nevts[0]
        if self._count and self._evts[0] == ffi.NULL:
            raise self._broken(f"next_batch gave {self._count} events without writing *evts")
        if not self._count and rc == Rc.SUCCESS:
            raise self._broken(
                "next_batch returned SUCCESS with no event: a host stops (return TIMEOUT)"
            )
        return rc

    def _end_of_batch(self, rc: int) -> None:
        if rc == Rc.EOF:
            self.ended = True
        elif rc != Rc.TIMEOUT:
            self.ended = True
            name = Rc(rc).name if rc in Rc._value2member_map_ else str(rc)
            raise PluginFailedError(
                "next_batch", f"next_batch returned {name}: {self._plugin.last_error()}"
            )

    def _event(self, pointer: Any) -> HostEvent:
        """Does what source_plugin.c does to an event: checks it, writes id, tid and time."""
        if pointer == ffi.NULL:
            raise self._broken("next_batch gave a NULL event")
        try:
            check_event(pointer)
        except ContractError as error:
            raise self._broken(f"next_batch gave a broken event: {error}") from error
        if pointer.ts == UINT64_MAX:
            pointer.ts = time.time_ns()
        source = self._facts.event_source
        if self._facts.id:
            if pointer.type != PLUGIN_EVENT_CODE:
                raise self._broken(
                    f"next_batch gave an event of type {pointer.type}: a plugin with an id gives "
                    f"type {PLUGIN_EVENT_CODE} only"
                )
            identifier = ffi.cast("uint32_t *", ffi.cast("char *", pointer) + 34)
            if identifier[0] == 0:
                identifier[0] = self._facts.id
            elif identifier[0] != self._facts.id:
                raise self._broken(
                    f"next_batch gave an event of plugin id {identifier[0]}, its own is "
                    f"{self._facts.id}"
                )
            pointer.tid = UINT64_MAX
        elif pointer.type != PLUGIN_EVENT_CODE:
            source = "syscall"
        return HostEvent(pointer, self._number + 1, source, self._batch)

    def _broken(self, what: str) -> ContractError:
        return ContractError(f"{self._plugin.entries.where}: {what}")

    # ---- the rest

    def progress(self) -> tuple[float, str]:
        """How far the source has come, 0 to 1, and the plugin's text for it.

        Raises:
            RequestError: the plugin does not tell.
            ContractError: it does not write the number.
        """
        plugin = self._plugin
        if "get_progress" not in plugin.entries:
            raise RequestError(f"plugin {self._facts.name!r} has no get_progress")
        share = ffi.new("uint32_t *", GARBAGE32)
        text = text_of(plugin.entries["get_progress"](plugin.state, self._handle, share))
        plugin.owner.reraise()
        if share[0] == GARBAGE32:
            raise self._broken("get_progress returned without writing *progress_pct")
        return share[0] / 10000, text
