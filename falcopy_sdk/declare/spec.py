"""What a plugin class declares, as immutable data.

The decorators of this package produce a :class:`PluginSpec`; the bundle, the runtime and the
host harness read nothing else of the author's class before ``init``.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from falcopy_sdk.declare.records import Record
    from falcopy_sdk.declare.tables import StateKind, TableEntry

__all__ = [
    "ArgumentKind",
    "AsyncEventsSpec",
    "ConfigSpec",
    "EventScope",
    "FieldSpec",
    "FieldType",
    "MetricSpec",
    "PluginSpec",
    "SourceSpec",
    "TableMember",
    "TableSpec",
]


class FieldType(enum.Enum):
    """Falco field types by their name in ``get_fields`` (plugin_types.h, ss_plugin_field_type)."""

    UINT64 = "uint64"
    STRING = "string"
    RELTIME = "reltime"
    ABSTIME = "abstime"
    BOOL = "bool"
    IPADDR = "ipaddr"
    IPNET = "ipnet"


@dataclass(frozen=True, slots=True)
class ArgumentKind:
    """How a field takes its argument, ``field[argument]`` (plugin_api.h, get_fields)."""

    is_required: bool = False
    is_index: bool = False
    is_key: bool = False


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One extractable field.

    Exactly one of ``path``, ``method`` and ``function`` is set.
    """

    name: str
    type: FieldType
    is_list: bool
    desc: str
    display: str = ""
    argument: ArgumentKind = ArgumentKind()
    add_output: bool = False
    properties: tuple[str, ...] = ()
    #: False: never memoised within an event (for fields that read tables or mutable state).
    cache: bool = True
    #: Keys from the decoded event to the value, resolved by the bridge without a Python frame.
    path: tuple[str, ...] | None = None
    #: With ``path``: the text that a JSON null stands for; None: a null is no value.
    null: str | None = None
    #: With ``path``: lists on the way are mapped; an index argument picks one element instead.
    each: bool = False
    #: Name of the method on the plugin class: ``method(self, event[, argument])``.
    method: str | None = None
    #: A plain function: ``function(event[, argument])``.
    function: Callable[..., Any] | None = None


@dataclass(frozen=True, slots=True)
class EventScope:
    """Which events a capability wants. Empty tuples: the host's defaults."""

    sources: tuple[str, ...] = ()
    types: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """The sourcing capability."""

    #: Name of the method on the plugin class: ``method(self, params: str)``.
    method: str
    #: Whether the method takes ``params`` at all.
    takes_params: bool
    #: ``"generator"``, ``"async generator"``, or ``"object"`` for a method that returns its source:
    #: an iterator, an async iterator or an object with ``next_batch``.
    kind: str


@dataclass(frozen=True, slots=True)
class AsyncEventsSpec:
    """The asynchronous events capability: the method gets an emitter and runs on its own thread."""

    method: str
    names: tuple[str, ...]
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfigSpec:
    """The init configuration: a dataclass and the JSON Schema derived from it.

    Hosts are given :func:`falcopy_sdk.declare.schema.exported_schema`, not ``schema`` itself.
    """

    cls: type[Any]
    schema: Mapping[str, Any]
    #: What turns JSON into an instance.
    shape: Record


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """The metrics capability: a method that returns ``dict[str, Metric | int | float]``."""

    method: str


@dataclass(frozen=True, slots=True)
class TableMember:
    """One member of a table's entries, ``ss_plugin_table_fieldinfo``."""

    name: str
    #: None: an integer of whichever width the table has.
    kind: StateKind | None
    #: The table may lack it.
    optional: bool = False
    #: The plugin adds it to somebody else's table.
    added: bool = False
    #: Of new entries of an own table.
    default: int | str | bool = 0


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A table that the plugin uses, or owns."""

    #: Name of the attribute of the plugin class.
    attribute: str
    name: str
    entry: type[TableEntry]
    #: None: an integer of whichever width the table has.
    key: StateKind | None
    members: tuple[TableMember, ...]
    owned: bool
    optional: bool = False


@dataclass(frozen=True, slots=True)
class PluginSpec:
    """Everything a plugin class declares. Method members hold attribute names of ``cls``."""

    cls: type[Any]
    name: str
    version: str
    description: str
    contact: str
    #: 0 and "" when the plugin has no event source of its own.
    id: int = 0
    event_source: str = ""
    #: The plugin API version declared to hosts, computed or overridden; ``"3.6.0"``.
    api_version: str = "3.0.0"
    config: ConfigSpec | None = None
    source: SourceSpec | None = None
    #: In declaration order: a field's index is its ``field_id``.
    fields: tuple[FieldSpec, ...] = ()
    extract_scope: EventScope = field(default_factory=EventScope)
    decode: str | None = None
    parse: str | None = None
    parse_scope: EventScope = field(default_factory=EventScope)
    async_events: AsyncEventsSpec | None = None
    dump_state: str | None = None
    capture_open: str | None = None
    capture_close: str | None = None
    metrics: MetricSpec | None = None
    set_config: str | None = None
    event_to_string: str | None = None
    open_params: str | None = None
    progress: str | None = None
    #: Own ones first.
    tables: tuple[TableSpec, ...] = ()
    #: Event schema version, exported only when a scope asks for types other than 322.
    event_schema_version: str = ""

    @property
    def ref(self) -> str:
        """``module:Class``, how the runtime finds the class again."""
        return f"{self.cls.__module__}:{self.cls.__qualname__}"
