"""One initialised plugin: what the bridge calls, over the author's object."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from falcopy_sdk import hooks
from falcopy_sdk.abi.enums import FieldTypeCode, MetricType, MetricValueType
from falcopy_sdk.declare.config import load_config
from falcopy_sdk.declare.event import Event
from falcopy_sdk.declare.values import Metric
from falcopy_sdk.runtime import logs, masking
from falcopy_sdk.runtime.asynchronous import AsyncEventsDriver
from falcopy_sdk.runtime.source import Normalizer
from falcopy_sdk.runtime.source_asyncio import (
    AsyncioDriver,
    close_async_object,
    events_of_async_object,
)
from falcopy_sdk.runtime.source_thread import ThreadDriver, close_object, events_of_object
from falcopy_sdk.runtime.tables.attach import Tables

if TYPE_CHECKING:
    from falcopy_sdk.declare.spec import ArgumentKind, FieldSpec, PluginSpec
    from falcopy_sdk.runtime._bridge import Emitter, Feed, HostLink

__all__ = ["Instance"]

#: What the bridge expects of one field: name, type, is_list, memoised, argument, path, null,
#: whether lists on the path are mapped, call.
FieldRow = tuple[
    str, int, bool, bool, int, tuple[str, ...] | None, str | None, bool, Callable[..., Any] | None
]

_ARGUMENT_NONE, _ARGUMENT_KEY, _ARGUMENT_INDEX = range(3)
_NO_TIMESTAMP = (1 << 64) - 1


class Instance:
    """The Python half of an ``ss_plugin_t``.

    Args:
        spec: What the class declares.
        config: The init configuration as the host gave it.
        link: The way back to the host.

    Raises:
        ConfigError: The configuration does not fit.
    """

    def __init__(self, spec: PluginSpec, config: str, link: HostLink) -> None:
        self._spec = spec
        self._link = link
        self._captures = 0
        self._tables: Tables | None = None
        logs.attach(link)
        try:
            with logs.bound_to(link):
                self._plugin = self._make_plugin(config)
            self._decode: Callable[[bytes], Any] | None = self._method(spec.decode)
            #: Read by the bridge: fields in the order of their ids.
            self.field_table: tuple[FieldRow, ...] = tuple(self._row(f) for f in spec.fields)
        except BaseException:
            self._let_go()
            raise
        #: Read by the bridge: an event for which the author's decoder gives None has no field.
        self.decoded_first = spec.decode is not None
        link.end_init()

    def _make_plugin(self, config: str) -> Any:
        value = load_config(self._spec, config)
        masking.learn(value)
        hooks.notify("falcopy_config_loaded", spec=self._spec, config=value)
        arguments = () if value is None else (value,)
        if not self._spec.tables:
            return self._spec.cls(*arguments)
        self._tables = Tables(self._spec, self._link)
        # Before __init__, which may fill the plugin's own tables.
        plugin = self._spec.cls.__new__(self._spec.cls, *arguments)
        vars(plugin).update(self._tables.by_attribute)
        plugin.__init__(*arguments)
        return plugin

    def _during(self, input_type: str, address: int) -> contextlib.AbstractContextManager[None]:
        """Let the author use tables in a call of the host."""
        tables = self._tables
        return contextlib.nullcontext() if tables is None else tables.during(input_type, address)

    def _let_go(self) -> None:
        if self._tables is not None:
            self._tables.close()
        logs.detach(self._link)

    def _method(self, name: str | None) -> Any:
        return None if name is None else getattr(self._plugin, name)

    def _required(self, name: str | None, entry: str) -> Any:
        if name is None:
            raise NotImplementedError(f"{self._spec.name} does not declare {entry}")
        return getattr(self._plugin, name)

    def _row(self, field: FieldSpec) -> FieldRow:
        call = field.function if field.function is not None else self._method(field.method)
        if self._tables is not None and call is not None and not field.cache:
            # Others are computed ahead, where the host's table reader is not at hand.
            call = self._tables.extracting(call)
        return (
            field.name,
            int(FieldTypeCode[field.type.name]),
            field.is_list,
            field.cache,
            _argument(field.argument),
            field.path,
            field.null,
            field.each,
            call,
        )

    def received(self, data: bytes, ts: int, num: int, source: str) -> Event:
        """Make the event that the host handed over."""
        decode = self._decode if self._decode is not None else orjson.loads
        return Event.received(data, None if ts == _NO_TIMESTAMP else ts, num, source, decode)

    def open(self, params: str, feed: Feed) -> ThreadDriver | AsyncioDriver:
        """Start nothing yet: make the driver of the source (plugin_api.h, plugin_open).

        Raises:
            Exception: What a source that is an object raises when it is made.
        """
        source = self._spec.source
        method = self._required(source.method if source else None, "@source")
        arguments = (params,) if source is not None and source.takes_params else ()
        normalize = Normalizer(self._spec.event_source, self._decode)
        driver = self._driver(method, arguments, feed, normalize)
        hooks.notify("falcopy_opened", spec=self._spec, params=params)
        return driver

    def source_closed(self) -> None:
        """Note that the host has closed the source and its thread has ended."""
        hooks.notify("falcopy_closed", spec=self._spec)

    def _driver(
        self,
        method: Callable[..., Any],
        arguments: tuple[str, ...],
        feed: Feed,
        normalize: Normalizer,
    ) -> ThreadDriver | AsyncioDriver:
        kind = self._spec.source.kind if self._spec.source else ""

        def start() -> Any:
            return method(*arguments)

        if kind == "async generator":
            return AsyncioDriver(start, feed, normalize, self._link)
        if kind == "generator":
            return ThreadDriver(start, feed, normalize, self._link)
        return self._open_object(start, feed, normalize)

    def _open_object(
        self, make: Callable[[], Any], feed: Feed, normalize: Normalizer
    ) -> ThreadDriver | AsyncioDriver:
        # The first one is made here, so that open itself fails if it cannot be made.
        with logs.bound_to(self._link):
            made = [make()]

        def take() -> Any:
            return made.pop() if made else make()

        if hasattr(made[0], "__anext__"):
            return AsyncioDriver(take, feed, normalize, self._link)
        if hasattr(made[0], "__next__"):
            return ThreadDriver(take, feed, normalize, self._link)
        if inspect.iscoroutinefunction(made[0].next_batch):

            async def release_async() -> None:
                while made:
                    await close_async_object(made.pop())

            return AsyncioDriver(
                lambda: events_of_async_object(take), feed, normalize, self._link, release_async
            )

        def release() -> None:
            while made:
                close_object(made.pop())

        driver = ThreadDriver(
            lambda: events_of_object(take, driver.pause), feed, normalize, self._link, release
        )
        return driver

    def list_open_params(self) -> str:
        """Return the JSON array of plugin_list_open_params."""
        params = self._required(self._spec.open_params, "@open_params")()
        rows = [
            {
                "value": p.value,
                **({"desc": p.desc} if p.desc else {}),
                **({"separator": p.separator} if p.separator else {}),
            }
            for p in params
        ]
        return orjson.dumps(rows).decode()

    def progress(self) -> tuple[float, str]:
        """Return the share read so far, 0 to 1, and a text for it."""
        share, text = self._required(self._spec.progress, "@progress")()
        return float(share), str(text)

    def event_to_string(self, event: Event) -> str:
        """Return one event for a reader."""
        text = self._required(self._spec.event_to_string, "@event_to_string")(event)
        return str(text).replace("\0", "")

    def parse(self, event: Event, given: int) -> None:
        """Hand one event to the author's parser; ``given`` is where the host's input is."""
        with logs.bound_to(self._link), self._during("ss_plugin_event_parse_input", given):
            self._required(self._spec.parse, "@parse")(event)

    def set_config(self, text: str) -> None:
        """Check a new configuration and hand it over.

        Raises:
            ConfigError: It does not fit; the old one stays.
        """
        method = self._required(self._spec.set_config, "@set_config")
        with logs.bound_to(self._link):
            value = load_config(self._spec, text)
            masking.learn(value)
            method(value)

    def metrics(self) -> list[tuple[str, int, int, int | float]]:
        """Return rows of name, type, value type and value (plugin_types.h, ss_plugin_metric)."""
        spec = self._spec.metrics
        values = self._required(spec.method if spec else None, "@metrics")()
        return [_metric(name, value) for name, value in values.items()]

    def async_events(self, emitter: Emitter) -> AsyncEventsDriver:
        """Make the driver of the author's asynchronous events."""
        spec = self._spec.async_events
        method = self._required(spec.method if spec else None, "@async_events")
        return AsyncEventsDriver(method, emitter, self._link)

    def dump_state(self, emitter: Emitter) -> None:
        """Let the author write the plugin's state as asynchronous events."""
        with logs.bound_to(self._link):
            self._required(self._spec.dump_state, "@dump_state")(emitter)

    def capture_open(self, given: int) -> None:
        """Tell the author that a capture begins; ``given`` is where the host's input is."""
        self._captures += 1
        self._tell_capture(self._spec.capture_open, given)

    def capture_close(self, given: int) -> None:
        """Tell the author that a capture has ended; hosts also say so without a beginning."""
        if self._captures == 0:
            return
        self._captures -= 1
        self._tell_capture(self._spec.capture_close, given)

    def _tell_capture(self, name: str | None, given: int) -> None:
        method = self._method(name)
        if method is not None:
            with logs.bound_to(self._link), self._during("ss_plugin_capture_listen_input", given):
                method()

    def close(self) -> None:
        """Let go of everything (plugin_api.h, plugin_destroy); a ``close`` method is called."""
        try:
            close = getattr(self._plugin, "close", None)
            if callable(close):
                with logs.bound_to(self._link):
                    close()
        finally:
            self._let_go()


def _argument(kind: ArgumentKind) -> int:
    if kind.is_key:
        return _ARGUMENT_KEY
    return _ARGUMENT_INDEX if kind.is_index else _ARGUMENT_NONE


def _metric(name: str, value: Metric | int | float) -> tuple[str, int, int, int | float]:
    metric = value if isinstance(value, Metric) else Metric(value)
    number = metric.value
    kind = MetricType.MONOTONIC if metric.monotonic else MetricType.NON_MONOTONIC
    if isinstance(number, float):
        return name, kind, MetricValueType.D, number
    value_type = MetricValueType.U64 if number >= 0 else MetricValueType.S64
    return name, kind, value_type, int(number)
