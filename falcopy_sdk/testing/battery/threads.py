"""States and sources on several threads at once, each thread with its own."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import dataclass
from errno import EADDRINUSE
from typing import TYPE_CHECKING

from falcopy_sdk.abi import LogSeverity, ffi
from falcopy_sdk.exceptions import FalcopyError
from falcopy_sdk.host import Capability
from falcopy_sdk.testing.battery.context import StopCheck

if TYPE_CHECKING:
    from collections.abc import Iterator

    from falcopy_sdk.host import Plugin
    from falcopy_sdk.testing.battery.context import Context

__all__ = ["threads"]

_THREADS = 6
#: Rounds of states alone, and of states with an open source, which cost more.
_ROUNDS, _SOURCE_ROUNDS = 8, 2
#: Seconds for a source to give its first event.
_FIRST = 2.0
_NOTHING = "the source gave no event"
#: What a source says that listens where another one does: only one can, whatever it does.
_TAKEN = os.strerror(EADDRINUSE).lower()


def threads(ctx: Context) -> None:
    """Init, open, next_batch, close and destroy work from several threads at once."""
    alone = _alone(ctx)
    trouble = _together(ctx, alone)
    if any(_TAKEN in text.lower() for text in trouble):
        ctx.note("sources cannot listen on one address at once, so the threads took turns")
        trouble = _together(ctx, alone, turns=True)
    elif trouble and all(text.startswith(_NOTHING) for text in trouble):
        # An API that limits the rate of its answers says no to one thread after another as well.
        in_turns = _together(ctx, alone, turns=True)
        if any(text.startswith(_NOTHING) for text in in_turns):
            ctx.note(
                "whether sources disturb each other cannot be told: on threads that took turns, "
                f"too, {in_turns[-1]}"
            )
            trouble = [text for text in in_turns if not text.startswith(_NOTHING)]
    for text in dict.fromkeys(trouble):
        ctx.find("FPY304", f"on {_THREADS} threads at once: {text}")


@dataclass(frozen=True)
class _Alone:
    """What one state does, so that what fails on threads fails because of the others."""

    opens: bool
    gives: bool = False


def _alone(ctx: Context) -> _Alone:
    with ctx.state() as plugin:
        if not ctx.library.capabilities & Capability.SOURCING:
            return _Alone(opens=False)
        try:
            with ctx.opened(plugin) as instance:
                return _Alone(opens=True, gives=ctx.first_event(instance, _FIRST) is not None)
        except (StopCheck, FalcopyError) as why:
            ctx.note(f"only states were made on threads, as the source alone does not work: {why}")
            return _Alone(opens=False)


class _Round:
    """What the threads of one round share.

    They go on together: once all states are made, once all sources are open, and once all have
    read. Where one of them fails there is a finding, and the rest need not wait for it.
    """

    def __init__(self, ctx: Context, alone: _Alone, turns: bool) -> None:
        self.trouble: list[str] = []
        self._ctx = ctx
        self._alone = alone
        self._states = threading.Barrier(_THREADS)
        self._sources = threading.Barrier(1 if turns else _THREADS)
        self._turn = threading.Lock() if turns else contextlib.nullcontext()
        self._lock = threading.Lock()
        #: Addresses of states that nobody has destroyed.
        self._live: set[int] = set()

    def work(self) -> None:
        """One thread: a state of its own, from init to destroy."""
        logged: list[str] = []
        self._meet(self._states)
        try:
            plugin = self._init(logged)
        except FalcopyError as error:
            self._failed(str(error))
            return
        own = self._is_own(plugin)
        self._meet(self._states)
        try:
            if own and self._alone.opens:
                self._read(plugin, logged)
        except FalcopyError as error:
            self._failed(str(error))
        with self._lock:
            if own:
                self._live.discard(_address(plugin))
            else:  # destroying it twice would only show the same as a crash
                plugin._state = ffi.NULL
        try:
            plugin.close()
        except FalcopyError as error:
            self._failed(str(error))

    def _init(self, logged: list[str]) -> Plugin:
        def log(component: str, message: str, severity: LogSeverity) -> None:
            self._ctx.log(component, message, severity)
            if severity <= LogSeverity.WARNING:
                logged.append(message)

        return self._ctx.library.init(self._ctx.config, log=log)

    def _is_own(self, plugin: Plugin) -> bool:
        address = _address(plugin)
        with self._lock:
            if address not in self._live:
                self._live.add(address)
                return True
            self._ctx.find("FPY303", f"init returned the state {address:#x} on two threads")
        self._states.abort()
        self._sources.abort()
        return False

    def _read(self, plugin: Plugin, logged: list[str]) -> None:
        params = self._ctx.subject.open_params or ""
        with self._turn, self._stage(), plugin.open(params) as instance:
            self._meet(self._sources)
            given = False
            until = time.monotonic() + _FIRST
            while not given and not instance.ended and time.monotonic() < until:
                given = instance.next() is not None
                if not self._alone.gives:
                    break
            self._meet(self._sources)
        if logged and self._alone.gives and not given:
            self._failed(f"{_NOTHING}, and logged: {logged[-1]}")

    @contextlib.contextmanager
    def _stage(self) -> Iterator[None]:
        """Tells of each thread, so that those who take turns have the whole patience each."""
        with self._lock:
            name = threading.current_thread().name
            self._ctx.at(f"{self._ctx.stage.partition(' (')[0]} ({name})")
        yield

    def _meet(self, barrier: threading.Barrier) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(timeout=self._ctx.subject.patience)

    def _failed(self, text: str) -> None:
        with self._lock:
            self._ctx.errors.append(text)
            self.trouble.append(text)
        self._states.abort()
        self._sources.abort()


def _address(plugin: Plugin) -> int:
    return int(ffi.cast("uintptr_t", plugin.state))


def _together(ctx: Context, alone: _Alone, *, turns: bool = False) -> list[str]:
    """Lets all threads work, a few rounds; returns what failed."""
    trouble: list[str] = []
    done = "init, open, next_batch, close and destroy" if alone.opens else "init and destroy"
    rounds = 1 if turns else _SOURCE_ROUNDS if alone.opens else _ROUNDS
    for number in range(rounds):
        ctx.at(f"{done} on {_THREADS} threads at once, round {number + 1}")
        shared = _Round(ctx, alone, turns)
        workers = [
            threading.Thread(target=shared.work, name=f"thread {i + 1}") for i in range(_THREADS)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        trouble += shared.trouble
    return trouble
