"""What hosts may ask before ``init``, as the texts and numbers of the plugin API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from falcopy_sdk.declare.schema import exported_schema
from falcopy_sdk.declare.spec import ArgumentKind, FieldSpec, PluginSpec

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["StaticFacts", "static_facts"]


@dataclass(frozen=True, slots=True)
class StaticFacts:
    """The answers of a plugin's stateless symbols (plugin_api.h).

    Attributes:
        required_api_version: ``x.y.z``.
        version: ``x.y.z`` of the plugin.
        name: Of the plugin.
        description: Of the plugin.
        contact: Of its authors.
        id: Of its event source; 0: none.
        event_source: Name of its event source, or ``""``.
        init_schema: JSON Schema of the configuration, or ``""``.
        fields: JSON array for ``get_fields``, or ``""``.
        extract_event_sources: JSON array, or ``""`` for all.
        parse_event_sources: JSON array, or ``""`` for all.
        async_event_sources: JSON array, or ``""`` for all.
        async_events: JSON array, or ``""``.
        required_event_schema_version: ``x.y.z``, or ``""``.
        extract_event_types: Numbers of the event table.
        parse_event_types: Numbers of the event table.
        exports: Names of the optional symbols to export, without ``plugin_``.
        plugin_ref: ``module:Class``.
    """

    required_api_version: str
    version: str
    name: str
    description: str
    contact: str
    id: int
    event_source: str
    init_schema: str
    fields: str
    extract_event_sources: str
    parse_event_sources: str
    async_event_sources: str
    async_events: str
    required_event_schema_version: str
    extract_event_types: tuple[int, ...]
    parse_event_types: tuple[int, ...]
    exports: frozenset[str]
    plugin_ref: str


def static_facts(spec: PluginSpec) -> StaticFacts:
    """Return what a plugin answers before ``init``; the same spec gives the same texts."""
    async_events = spec.async_events
    return StaticFacts(
        required_api_version=spec.api_version,
        version=spec.version,
        name=spec.name,
        description=spec.description,
        contact=spec.contact,
        id=spec.id,
        event_source=spec.event_source,
        init_schema=_json(exported_schema(spec.config)) if spec.config else "",
        fields=_list(_field(field) for field in spec.fields),
        extract_event_sources=_list(spec.extract_scope.sources),
        parse_event_sources=_list(spec.parse_scope.sources),
        async_event_sources=_list(async_events.sources) if async_events else "",
        async_events=_list(async_events.names) if async_events else "",
        required_event_schema_version=spec.event_schema_version,
        extract_event_types=spec.extract_scope.types,
        parse_event_types=spec.parse_scope.types,
        exports=frozenset(_exports(spec)),
        plugin_ref=spec.ref,
    )


def _exports(spec: PluginSpec) -> Iterable[str]:
    if spec.config:
        yield "get_init_schema"
    if spec.source:
        yield from ("get_id", "get_event_source", "open", "close", "next_batch")
    if spec.open_params:
        yield "list_open_params"
    if spec.progress:
        yield "get_progress"
    if spec.event_to_string:
        yield "event_to_string"
    if spec.fields:
        yield from ("get_fields", "extract_fields")
        yield from ("get_extract_event_types", "get_extract_event_sources")
    if spec.parse:
        yield from ("parse_event", "get_parse_event_types", "get_parse_event_sources")
    if spec.async_events:
        yield from ("get_async_events", "get_async_event_sources", "set_async_event_handler")
    if spec.dump_state:
        yield "dump_state"
    if spec.set_config:
        yield "set_config"
    if spec.metrics:
        yield "get_metrics"
    if spec.capture_open or spec.capture_close:
        # Hosts refuse a plugin that has only one of them.
        yield from ("capture_open", "capture_close")
    if spec.event_schema_version:
        yield "get_required_event_schema_version"


def _field(field: FieldSpec) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": field.type.value, "name": field.name, "desc": field.desc}
    if field.display:
        entry["display"] = field.display
    if field.is_list:
        entry["isList"] = True
    argument = field.argument
    if argument != ArgumentKind():
        entry["arg"] = {
            "isRequired": argument.is_required,
            "isIndex": argument.is_index,
            "isKey": argument.is_key,
        }
    if field.add_output:
        entry["addOutput"] = True
    if field.properties:
        entry["properties"] = list(field.properties)
    return entry


def _list(items: Iterable[Any]) -> str:
    found = list(items)
    return _json(found) if found else ""


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
