"""A plugin in the hands of a test: one interface for a class in process and a built ``.so``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from falcopy_sdk.host import Capability, HostEvent, Library
from falcopy_sdk.testing.battery.context import LogLine
from falcopy_sdk.testing.samples import Payload, Payloads, payload_of, payloads_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from falcopy_sdk.abi import LogSeverity
    from falcopy_sdk.host import Facts, Plugin, Value

__all__ = ["DrivenPlugin"]


class DrivenPlugin:
    """A plugin, driven by falcopy's host. What the fixture ``falco_plugin`` gives.

    The state is made when it is first needed, and ended with the test.

    Args:
        library: The loaded plugin.
        config: Its init configuration: a mapping, or text as is.

    Attributes:
        library: The loaded plugin, before ``init``.
        logs: Every line that it gave to the host's logger.
    """

    def __init__(self, library: Library, config: str | Mapping[str, Any] | None = None) -> None:
        self.library = library
        self.logs: list[LogLine] = []
        self._config = config
        self._plugin: Plugin | None = None
        self._number = 0

    # ---- life

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the state and unload the plugin."""
        self.library.close()

    def configure(self, config: str | Mapping[str, Any] | None) -> Self:
        """Start it anew with another configuration.

        Raises:
            ConfigError: It does not fit the plugin's schema.
            PluginFailedError: The plugin refuses it; the message has the plugin's own text.
        """
        if self._plugin is not None:
            self._plugin.close()
            self._plugin = None
        self._config = config
        self._plugin = self._start()
        return self

    def _start(self) -> Plugin:
        return self.library.init(self._config, log=self._log)

    def _log(self, component: str, message: str, severity: LogSeverity) -> None:
        self.logs.append(LogLine(component, message, severity))

    @property
    def facts(self) -> Facts:
        """Name, version, fields, capabilities and so on."""
        return self.library.facts

    @property
    def plugin(self) -> Plugin:
        """The initialised state (:class:`falcopy_sdk.host.Plugin`): metrics, tables and the rest.

        Raises:
            ConfigError: The configuration does not fit the plugin's schema.
            PluginFailedError: The plugin refuses to start.
        """
        if self._plugin is None:
            self._plugin = self._start()
        return self._plugin

    # ---- events and fields

    def event(self, data: Payload, *, ts: int | None = None, source: str = "") -> HostEvent:
        """Make an event of some data, as a host would have it from a capture file.

        Args:
            data: Bytes, text, a mapping or list (JSON), or an ``Event``.
            ts: Nanoseconds since the epoch; None: now.
            source: Name of its event source; "": the plugin's own.
        """
        self._number += 1
        when = getattr(data, "ts", None) if ts is None else ts
        made = self.plugin.event(payload_of(data), ts=when, num=self._number)
        if source:
            made.source = source
        self.plugin.parse(made)
        return made

    def extract(self, event: HostEvent | Payload, field: str) -> Value:
        """Return the value of a field, ``name`` or ``name[argument]``; None: no value.

        Args:
            event: From the fixture ``event``, or data to make one of.
            field: As rules write it.

        Raises:
            RequestError: Unknown field, or an argument that it cannot take.
            ContractError: The answer would stop a real host.
        """
        return self.plugin.extract(self._as_event(event), field)

    def fields(
        self, event: HostEvent | Payload, names: Iterable[str] | None = None
    ) -> dict[str, Value]:
        """Return the fields of an event by name.

        Args:
            event: From the fixture ``event``, or data to make one of.
            names: Fields to extract, those without a value as None; None: all that need no
                argument and have a value.
        """
        seen = self._as_event(event)
        if names is not None:
            return {name: self.plugin.extract(seen, name) for name in names}
        wanted = (field.name for field in self.facts.fields if not field.arg_required)
        values = ((name, self.plugin.extract(seen, name)) for name in wanted)
        return {name: value for name, value in values if value is not None}

    def _as_event(self, event: HostEvent | Payload) -> HostEvent:
        return event if isinstance(event, HostEvent) else self.event(event)

    def replay(
        self, events: Payloads, names: Iterable[str] | None = None
    ) -> list[dict[str, Value]]:
        """Run sample events through the plugin's fields, without its source.

        Args:
            events: A file or folder (:func:`falcopy_sdk.testing.read_events`), or payloads.
            names: See :meth:`fields`.

        Returns:
            For each event its fields by name.
        """
        wanted = None if names is None else list(names)
        return [self.fields(data, wanted) for data in payloads_of(events)]

    def events(
        self, open_params: str = "", *, limit: int | None = None, timeout: float = 10.0
    ) -> Iterator[HostEvent]:
        """Open the plugin's own source and yield its events until it ends.

        Args:
            open_params: The open parameters.
            limit: At most so many.
            timeout: Seconds within which the next event, or the end, has to come.

        Raises:
            PluginFailedError: The source does not open, or fails.
            TimeoutError: Nothing came in time.
        """
        with self.plugin.open(open_params) as instance:
            try:
                yield from instance.events(limit, timeout=timeout)
            except TimeoutError as error:
                raise TimeoutError(f"{error}; {self._last_words()}") from None

    def run(
        self,
        open_params: str = "",
        *,
        limit: int | None = None,
        timeout: float = 10.0,
        names: Iterable[str] | None = None,
    ) -> list[dict[str, Value]]:
        """Open the plugin's own source and return the fields of its events.

        Args:
            open_params: The open parameters.
            limit: At most so many.
            timeout: Seconds within which the next event, or the end, has to come.
            names: See :meth:`fields`.

        Raises:
            PluginFailedError: The source does not open, or fails.
            TimeoutError: Nothing came in time.
        """
        wanted = None if names is None else list(names)
        events = self.events(open_params, limit=limit, timeout=timeout)
        return [self.fields(event, wanted) for event in events]

    def _last_words(self) -> str:
        if not self.logs:
            return "it logged nothing"
        last = self.logs[-1]
        return f"its last log line was: {last.message}"

    @property
    def has_source(self) -> bool:
        """Whether it has a source of events."""
        return Capability.SOURCING in self.library.capabilities

    def __repr__(self) -> str:
        return f"<DrivenPlugin {self.facts.name} {self.facts.version}>"
