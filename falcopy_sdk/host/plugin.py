"""One initialised state of a plugin: extraction, parsing, metrics and all that needs no source."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from falcopy_sdk.abi import PLUGIN_EVENT_CODE, Rc, ffi
from falcopy_sdk.exceptions import ContractError, PluginFailedError, RequestError
from falcopy_sdk.host.answers import (
    Metric,
    OpenParam,
    payload_text,
    read_metrics,
    read_open_params,
)
from falcopy_sdk.host.asyncqueue import AsyncQueue
from falcopy_sdk.host.config import checked_config
from falcopy_sdk.host.events import HostEvent, encode_plugin_event, foreign_event
from falcopy_sdk.host.extraction import Extractor, Offsets, Value
from falcopy_sdk.host.facts import Capability, Facts, text_of
from falcopy_sdk.host.fields import FieldRequest, parse_request
from falcopy_sdk.host.instance import Instance
from falcopy_sdk.host.memory import GARBAGE32, scribble, transient
from falcopy_sdk.host.owner import LogSink, Owner, dump_handler, log_fn, owner_last_error
from falcopy_sdk.host.tables import TableHost, TableRegistry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from falcopy_sdk.host.entries import EntrySet

__all__ = ["Plugin"]


class Plugin:
    """A state that ``init`` made. Use as a context manager, or call :meth:`close`.

    Except for :meth:`metrics`, one thread at a time may use it, as in a host.
    """

    def __init__(
        self,
        entries: EntrySet,
        facts: Facts,
        config: str | Mapping[str, Any] | None,
        log: LogSink,
        tables: TableRegistry | None = None,
    ) -> None:
        self.facts = facts
        self.entries = entries
        self._owner = Owner(facts.name, log)
        self.tables = TableHost(self._owner, tables or TableRegistry(), self.last_error)
        self._fields = {field.name: field for field in facts.fields}
        self._requests: dict[str, FieldRequest] = {}
        self._sources = {name: self._sources_of(name) for name in ("extract", "parse")}
        self._instance: Instance | None = None
        self._state: Any = ffi.NULL
        self._closed = False
        try:
            self._init(checked_config(config, facts.init_schema, entries.where))
        except BaseException:
            self.close()
            raise

    def _init(self, config: str) -> None:
        rc = ffi.new("ss_plugin_rc *", GARBAGE32)
        with transient(config) as text:
            given = ffi.new("ss_plugin_init_input *")
            given.config = text
            given.owner = self._owner.pointer
            given.get_owner_last_error = owner_last_error
            given.log_fn = log_fn
            tables = None
            if self.facts.capabilities & (Capability.EXTRACTION | Capability.PARSING):
                given.tables = tables = TableHost.init_input()
            self.tables.phase = "init"
            self._state = self.entries["init"](given, rc)
            self.tables.end()
            for stack in (given, tables):  # gone with the caller's stack frame in a host
                if stack is not None:
                    scribble(stack)
        self._owner.reraise()
        self.check_rc_written("init", rc[0])
        if rc[0] != Rc.SUCCESS:
            raise PluginFailedError("init", f"could not initialize plugin: {self.last_error()}")
        self._extract_types = self._event_types("extract", Capability.EXTRACTION)
        self._parse_types = self._event_types("parse", Capability.PARSING)
        if Capability.EXTRACTION in self.facts.capabilities:
            self._extractor = Extractor(self.entries, self._state, self._owner, self.tables)

    # ---- life

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the open instance, if any, and destroys the state."""
        if self._closed:
            return
        try:
            if self._instance is not None:
                self._instance.close()
        finally:
            self._closed = True
            if self._state != ffi.NULL:
                self.entries["destroy"](self._state)
            self._state = ffi.NULL
            self.tables.close()
            self._owner.release()
        self._owner.reraise()

    def open(self, params: str = "") -> Instance:
        """Opens the event source, or listens for asynchronous events if there is no source.

        Args:
            params: the open parameters (open_params in falco.yaml).

        Raises:
            PluginFailedError: the plugin cannot open it.
            RequestError: an instance is open already, or there is nothing to open.
        """
        self._check_open()
        if self._instance is not None and not self._instance.closed:
            raise RequestError("an instance of this plugin state is open: close it first")
        self._instance = Instance(self, params)
        return self._instance

    # ---- errors, and what instances need

    @property
    def state(self) -> Any:
        """``ss_plugin_t *``.

        Raises:
            RequestError: it is closed.
        """
        self._check_open()
        return self._state

    @property
    def closed(self) -> bool:
        """Whether the state is destroyed."""
        return self._closed

    @property
    def owner(self) -> Owner:
        """The host's side of this state."""
        return self._owner

    def _check_open(self) -> None:
        if self._closed:
            raise RequestError(f"plugin {self.facts.name!r} is closed")

    def last_error(self) -> str:
        """The plugin's text for its last failure."""
        if self._state == ffi.NULL:
            return "plugin handle or 'get_last_error' function not defined"
        return text_of(self.entries["get_last_error"](self._state))

    def check_rc_written(self, entry: str, rc: int) -> None:
        """Raises ContractError if the plugin left ``*rc`` as the host's stack had it."""
        if rc == GARBAGE32:
            raise ContractError(f"{self.entries.where}: {entry} returned without writing *rc")

    def check(self, entry: str, rc: int) -> None:
        """Raises PluginFailedError unless ``rc`` is SUCCESS."""
        self._owner.reraise()
        if rc != Rc.SUCCESS:
            name = Rc(rc).name if rc in Rc._value2member_map_ else str(rc)
            raise PluginFailedError(entry, f"{entry} returned {name}: {self.last_error()}")

    # ---- events

    def _event_types(self, capability: str, needed: Capability) -> frozenset[int] | None:
        """The event types that a capability sees; None: all (libsinsp's plugin.cpp)."""
        if needed not in self.facts.capabilities:
            return frozenset()
        entry = f"get_{capability}_event_types"
        if entry in self.entries:
            count = ffi.new("uint32_t *", GARBAGE32)
            found = self.entries[entry](count, self._state)
            if found != ffi.NULL:
                if count[0] == GARBAGE32:
                    raise ContractError(
                        f"{self.entries.where}: {entry} returned without writing *numtypes"
                    )
                if count[0]:
                    return frozenset(found[i] for i in range(count[0]))
        sources = self._sources[capability]
        return None if sources is None or "syscall" in sources else frozenset({PLUGIN_EVENT_CODE})

    def _sources_of(self, capability: str) -> frozenset[str] | None:
        """The event sources that a capability sees; None: all."""
        listed: tuple[str, ...] = getattr(self.facts, f"{capability}_event_sources")
        own = (self.facts.event_source,) if self.facts.id else ()
        return frozenset((*listed, *own)) or None

    def _sees(self, event: HostEvent, capability: str, types: frozenset[int] | None) -> bool:
        if types is not None and event.type not in types:
            return False
        sources = self._sources[capability]
        return bool(event.source) and (sources is None or event.source in sources)

    def event(self, data: bytes, *, ts: int | None = None, num: int = 1) -> HostEvent:
        """An event of the plugin's own source in memory of the host, as from a capture file.

        Args:
            data: the payload.
            ts: nanoseconds since the epoch; None: now.
            num: its number; 0: not numbered.
        """
        raw = encode_plugin_event(
            data, plugin_id=self.facts.id, ts=time.time_ns() if ts is None else ts
        )
        source = self.facts.event_source or next(iter(self.facts.extract_event_sources), "")
        return foreign_event(raw, num=num, source=source)

    def parse(self, event: HostEvent) -> Rc | None:
        """Gives an event to ``parse_event``, as hosts do before extraction.

        Returns:
            What the plugin returned (hosts ignore it); None: it does not parse such events.
        """
        if Capability.PARSING not in self.facts.capabilities:
            return None
        if not self._sees(event, "parse", self._parse_types):
            return None
        source = ffi.new("char[]", event.source.encode())
        seen = ffi.new("ss_plugin_event_input *", (event.pointer, event.num, source))
        given = ffi.new("ss_plugin_event_parse_input *")
        given.owner = self._owner.pointer
        given.get_owner_last_error = owner_last_error
        self.tables.fill_reader(given)
        self.tables.fill_writer(given)
        self.tables.phase = "parse"
        rc = self.entries["parse_event"](self.state, seen, given)
        self.tables.end()
        self._owner.reraise()
        return Rc(rc) if rc in Rc._value2member_map_ else Rc.FAILURE

    def request(self, field: str) -> FieldRequest:
        """Reads ``name`` or ``name[argument]`` once, for many extractions.

        Raises:
            RequestError: unknown field or wrong argument.
        """
        return parse_request(self._fields, field)

    def _asked(self, field: str | FieldRequest) -> FieldRequest:
        self._check_open()
        if isinstance(field, FieldRequest):
            return field
        found = self._requests.get(field)
        if found is None:
            found = self._requests[field] = self.request(field)
        return found

    def extract(self, event: HostEvent, field: str | FieldRequest) -> Value:
        """Returns the value of a field of an event.

        Args:
            event: from an instance, from :meth:`event`, or of another plugin.
            field: ``name``, ``name[argument]``, or what :meth:`request` gave.

        Returns:
            A str, int (times in ns), bool, ipaddress object, a list of those; None: no value.

        Raises:
            RequestError: unknown field or wrong argument.
            ContractError: the answer would crash or stop a real host.
        """
        asked = self._asked(field)
        if not self._sees(event, "extract", self._extract_types):
            return None
        return self._extractor.extract(event, asked)

    def extract_with_offsets(
        self, event: HostEvent, field: str | FieldRequest
    ) -> tuple[Value, Offsets]:
        """Like :meth:`extract`, with the (start, length) of each value in the event's bytes."""
        asked = self._asked(field)
        if not self._sees(event, "extract", self._extract_types):
            return None, None
        return self._extractor.extract_with_offsets(event, asked)

    @property
    def extractor(self) -> Extractor:
        """The raw extraction, for tests of what a plugin's answers point at."""
        return self._extractor

    def event_to_string(self, event: HostEvent) -> str:
        """The plugin's one-line text of one of its own events; libsinsp's own if it has none.

        Raises:
            RequestError: the event is not of this plugin.
        """
        if event.type != PLUGIN_EVENT_CODE or event.plugin_id != self.facts.id:
            raise RequestError("event_to_string takes events of the plugin's own source only")
        text = ""
        if "event_to_string" in self.entries:
            source = ffi.new("char[]", event.source.encode())
            seen = ffi.new("ss_plugin_event_input *", (event.pointer, event.num, source))
            text = text_of(self.entries["event_to_string"](self.state, seen))
            self._owner.reraise()
        return text or payload_text(event.data)

    # ---- the rest of the API

    def metrics(self) -> list[Metric]:
        """``get_metrics``; hosts call it from any thread. Empty if the plugin has none."""
        if "get_metrics" not in self.entries:
            return []
        count = ffi.new("uint32_t *", GARBAGE32)
        found = self.entries["get_metrics"](self.state, count)
        if count[0] == GARBAGE32:
            raise ContractError(
                f"{self.entries.where}: get_metrics returned without writing *num_metrics"
            )
        self._owner.reraise()
        if count[0] and found == ffi.NULL:
            raise ContractError(
                f"{self.entries.where}: get_metrics gave {count[0]} metrics at NULL"
            )
        return read_metrics(found, count[0])

    def set_config(self, config: str | Mapping[str, Any] | None) -> None:
        """Gives a new configuration to the running plugin, checked like that of ``init``.

        Raises:
            PluginFailedError: the plugin rejects it.
            RequestError: the plugin has no ``set_config``.
        """
        if "set_config" not in self.entries:
            raise RequestError(f"plugin {self.facts.name!r} has no set_config")
        with transient(checked_config(config, self.facts.init_schema, self.entries.where)) as text:
            given = ffi.new("ss_plugin_set_config_input *", (text,))
            rc = self.entries["set_config"](self.state, given)
        self.check("set_config", rc)

    def list_open_params(self) -> list[OpenParam]:
        """``list_open_params``; empty if the plugin has none.

        Raises:
            PluginFailedError: the plugin says so, or its JSON is not what a host takes.
        """
        if "list_open_params" not in self.entries:
            return []
        rc = ffi.new("ss_plugin_rc *", GARBAGE32)
        text = text_of(self.entries["list_open_params"](self.state, rc))
        self.check_rc_written("list_open_params", rc[0])
        self.check("list_open_params", rc[0])
        return read_open_params(text)

    def dump_state(self) -> list[HostEvent]:
        """The asynchronous events that rebuild the plugin's state in a capture file.

        Raises:
            PluginFailedError: the plugin says so.
            RequestError: the plugin has no ``dump_state``.
        """
        if "dump_state" not in self.entries:
            raise RequestError(f"plugin {self.facts.name!r} has no dump_state")
        source = self.facts.event_source or "syscall"
        queue = AsyncQueue(
            self.facts.async_events, self.facts.async_event_sources, source, self.facts.id
        )
        self._owner.dump_sink = queue.push
        try:
            rc = self.entries["dump_state"](self.state, self._owner.pointer, dump_handler)
        finally:
            self._owner.dump_sink = None
        self.check("dump_state", rc)
        events: list[HostEvent] = []
        while (raw := queue.pop()) is not None:
            events.append(foreign_event(raw, num=len(events) + 1, source=source))
        return events
