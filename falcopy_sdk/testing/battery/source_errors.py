"""What errors of every class do to a source written in Python: tried on the author's own class."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from falcopy_sdk.declare.plugin import plugin_spec
from falcopy_sdk.exceptions import (
    FalcopyError,
    PluginFailedError,
    SourceEnd,
    SourceFatal,
    SourceRetry,
    SourceSkip,
)
from falcopy_sdk.hooks import find_plugin
from falcopy_sdk.testing.battery.context import StopCheck

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from falcopy_sdk.testing.battery.context import Context

__all__ = ["source_errors"]

_TEXT = "an outage, made by the tests"
_ERRORS: tuple[Callable[[], Exception], ...] = (
    lambda: SourceRetry(_TEXT, after=0),
    lambda: SourceSkip(_TEXT),
    lambda: RuntimeError(_TEXT),
    lambda: SourceEnd(_TEXT),
    lambda: SourceFatal(_TEXT),
)
#: Seconds: an unknown error waits for one before the source is started again.
_PATIENCE = 5.0


def source_errors(ctx: Context) -> None:
    """Errors of every class leave the source able to go on, or end it as they say."""
    if ctx.subject.is_file:
        raise StopCheck("not run: errors can be raised within a class only, not in a built plugin")
    cls = ctx.subject.cls or find_plugin(ctx.subject.target)
    spec = plugin_spec(cls)
    if spec.source is None:
        raise StopCheck("not run: the plugin has no source of events")
    if spec.source.kind == "object":
        raise StopCheck("not run: the source is an object, whose errors are its own")
    with ctx.state() as plugin, ctx.opened(plugin) as instance:
        try:
            if ctx.first_event(instance) is None:
                raise StopCheck("not run: the source gives no event to fail after")
        except FalcopyError as error:
            raise StopCheck(f"not run: the source fails at once ({error})") from error
    asynchronous = spec.source.kind == "async generator"
    for make in _ERRORS:
        outage = _Outage(make())
        method = getattr(cls, spec.source.method)
        wrapped = outage.asynchronous(method) if asynchronous else outage.threaded(method)
        own = spec.source.method in vars(cls)
        setattr(cls, spec.source.method, wrapped)
        try:
            _try(ctx, outage)
        finally:
            if own:
                setattr(cls, spec.source.method, method)
            else:
                delattr(cls, spec.source.method)


class _Outage:
    """Lets a source's first run fail after one event; the next runs are the author's own."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.runs = 0
        #: What a later run raised by itself.
        self.failure: Exception | None = None

    def threaded(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def events(plugin: Any, *params: str) -> Iterator[Any]:
            self.runs += 1
            first = self.runs == 1
            try:
                with contextlib.closing(method(plugin, *params)) as items:
                    for item in items:
                        yield item
                        if first:
                            raise self.error
            except Exception as error:
                self._raised(error)
                raise

        return events

    def asynchronous(self, method: Callable[..., Any]) -> Callable[..., Any]:
        async def events(plugin: Any, *params: str) -> AsyncIterator[Any]:
            self.runs += 1
            first = self.runs == 1
            try:
                async with contextlib.aclosing(method(plugin, *params)) as items:
                    async for item in items:
                        yield item
                        if first:
                            raise self.error
            except Exception as error:
                self._raised(error)
                raise

        return events

    def _raised(self, error: Exception) -> None:
        if error is not self.error and not isinstance(error, SourceEnd):
            self.failure = error


def _try(ctx: Context, outage: _Outage) -> None:
    name = type(outage.error).__name__
    events, failure = 0, ""
    with ctx.state() as plugin, ctx.opened(plugin) as instance:
        ctx.at(f"next_batch after {name}")
        until = time.monotonic() + _PATIENCE
        try:
            while not instance.ended and time.monotonic() < until and not outage.failure:
                if instance.next() is not None:
                    events += 1
                    if events > 1 and outage.runs > 1:
                        return
        except PluginFailedError as error:
            failure = str(error)
            ctx.errors.append(failure)
        ended = instance.ended
    _judge(ctx, outage, name, failure, ended)


def _judge(ctx: Context, outage: _Outage, name: str, failure: str, ended: bool) -> None:
    if outage.failure is not None:
        again = type(outage.failure).__name__
        frames = outage.failure.__traceback__
        place = ""
        while frames is not None:
            code = frames.tb_frame.f_code
            place = f" ({code.co_filename.rsplit('/', 1)[-1]}:{frames.tb_lineno})"
            frames = frames.tb_next
        ctx.find(
            "FPY408",
            f"started again after {name}, the source raises {again}: {outage.failure}{place}",
        )
    elif isinstance(outage.error, SourceFatal):
        if _TEXT not in failure:
            ctx.find("FPY408", f"after {name} the host is not told why: {failure or 'no failure'}")
    elif isinstance(outage.error, SourceEnd):
        if not ended or failure:
            ctx.find("FPY408", f"after {name} the source goes on: {failure or 'no end of file'}")
    elif failure:
        ctx.find("FPY408", f"after {name} the source fails: {failure}")
    elif outage.runs < 2:
        ctx.find("FPY408", f"{_PATIENCE:g} s after {name} the source was not started again")
    elif not ended:
        ctx.note(f"started again after {name}, the source gave no event in {_PATIENCE:g} s")
