"""What a host learns about a plugin before ``init``: names, capabilities, fields, sources."""

from __future__ import annotations

import enum
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from falcopy_sdk.abi import API_VERSION, SchemaType, ffi
from falcopy_sdk.exceptions import ContractError, LibraryError
from falcopy_sdk.host.fields import FieldInfo, read_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from falcopy_sdk.host.entries import EntrySet

__all__ = ["Capability", "Facts", "read_facts", "text_of"]


class Capability(enum.Flag):
    """What a plugin can do, by its symbols (libs' plugin_loader.h, plugin_caps_t)."""

    SOURCING = 1
    EXTRACTION = 2
    PARSING = 4
    ASYNC = 8
    CAPTURE_LISTENING = 16


@dataclass(frozen=True)
class Facts:
    """The static facts. Sources and names as the plugin lists them, empty when it lists none."""

    required_api_version: str
    name: str
    version: str
    description: str
    contact: str
    id: int
    event_source: str
    capabilities: Capability
    #: JSON Schema of the init configuration; None: any text is accepted.
    init_schema: Mapping[str, Any] | None
    fields: tuple[FieldInfo, ...]
    extract_event_sources: tuple[str, ...]
    parse_event_sources: tuple[str, ...]
    async_event_sources: tuple[str, ...]
    async_events: tuple[str, ...]


REQUIRED = (
    "get_required_api_version",
    "get_version",
    "get_last_error",
    "get_name",
    "get_description",
    "get_contact",
    "init",
    "destroy",
)


def text_of(pointer: Any) -> str:
    """Copies a C string; NULL is "". Bytes that are no UTF-8 are replaced."""
    return "" if pointer == ffi.NULL else ffi.string(pointer).decode(errors="replace")


def read_facts(entries: EntrySet) -> Facts:
    """Calls the static entries, in the order of libsinsp, and checks the answers as it does.

    Args:
        entries: the plugin's entries.

    Raises:
        LibraryError: a host would refuse the plugin.
        ContractError: an entry broke the plugin API.
    """
    where = entries.where
    missing = [f"plugin_{name}" for name in REQUIRED if name not in entries]
    if "get_required_api_version" in entries:
        api_version = text_of(entries["get_required_api_version"]())
        _check_api_version(api_version, where)
    if missing:
        raise LibraryError(f"{where}: not a Falco plugin: it does not export {', '.join(missing)}")
    name, description, contact, version = (
        text_of(entries[f"get_{fact}"]()) for fact in ("name", "description", "contact", "version")
    )
    if not name:
        raise LibraryError(f"{where}: get_name returned no name")
    if not re.match(r"\d+\.\d+\.\d+", version):
        raise LibraryError(f"{where}: get_version returned {version!r}, expected major.minor.patch")
    plugin_id, event_source = _own_source(entries)
    capabilities = _capabilities(entries, plugin_id, event_source)
    fields: tuple[FieldInfo, ...] = ()
    if Capability.EXTRACTION in capabilities:
        fields = read_fields(text_of(entries["get_fields"]()), where)
    async_events: tuple[str, ...] = ()
    if Capability.ASYNC in capabilities:
        text = text_of(entries["get_async_events"]())
        if not text:
            raise LibraryError(f"{where}: get_async_events returned nothing, expected a JSON array")
        async_events = _names(text, "get_async_events", where)
    return Facts(
        required_api_version=api_version,
        name=name,
        version=version,
        description=description,
        contact=contact,
        id=plugin_id,
        event_source=event_source,
        capabilities=capabilities,
        init_schema=_init_schema(entries),
        fields=fields,
        extract_event_sources=_sources(entries, "extract"),
        parse_event_sources=_sources(entries, "parse"),
        async_event_sources=_sources(entries, "async"),
        async_events=async_events,
    )


def _check_api_version(text: str, where: str) -> None:
    # As sscanf("%u.%u.%u") does: text after the numbers is ignored.
    match = re.match(r"(\d+)\.(\d+)\.(\d+)", text)
    if match is None:
        raise LibraryError(
            f"{where}: get_required_api_version returned {text!r}, expected major.minor.patch"
        )
    major, minor, patch = (int(part) for part in match.groups())
    own_major, own_minor, own_patch = (int(part) for part in API_VERSION.split("."))
    if major != own_major or (minor, patch) > (own_minor, own_patch):
        raise LibraryError(
            f"{where}: needs plugin API {match[0]}, this host has {API_VERSION}: the major version "
            "must be equal and the rest not newer"
        )


def _own_source(entries: EntrySet) -> tuple[int, str]:
    if "get_id" not in entries or "get_event_source" not in entries:
        return 0, ""
    plugin_id = int(entries["get_id"]())
    pointer = entries["get_event_source"]()
    if pointer == ffi.NULL:
        raise ContractError(
            f'{entries.where}: get_event_source returned NULL; hosts take its strlen: return ""'
        )
    return plugin_id, text_of(pointer)


def _capabilities(entries: EntrySet, plugin_id: int, event_source: str) -> Capability:
    """The rules of libs' plugin_loader.c, plugin_get_capabilities."""
    where = entries.where
    found = Capability(0)
    sourcing = [name in entries for name in ("open", "close", "next_batch")]
    if any(sourcing):
        if not all(sourcing):
            raise LibraryError(
                f"{where}: broken event sourcing: plugin_open, plugin_close and plugin_next_batch "
                "come together or not at all"
            )
        if bool(plugin_id) != bool(event_source):
            raise LibraryError(
                f"{where}: broken event sourcing: id {plugin_id} and event source "
                f"{event_source!r} must both be set or both be empty"
            )
        found |= Capability.SOURCING
    for needed, alone, capability in (
        ("get_fields", "extract_fields", Capability.EXTRACTION),
        ("get_async_events", "set_async_event_handler", Capability.ASYNC),
        ("capture_close", "capture_open", Capability.CAPTURE_LISTENING),
    ):
        if alone in entries:
            if needed not in entries:
                raise LibraryError(f"{where}: plugin_{alone} is exported without plugin_{needed}")
            found |= capability
    if "parse_event" in entries:
        found |= Capability.PARSING
    if not found:
        raise LibraryError(
            f"{where}: the plugin has no capability: no set of its symbols makes one"
        )
    if event_source == "syscall" and plugin_id:
        raise LibraryError(f"{where}: the event source name 'syscall' is reserved")
    return found


def _sources(entries: EntrySet, capability: str) -> tuple[str, ...]:
    entry = f"get_{capability}_event_sources"
    if entry not in entries:
        return ()
    text = text_of(entries[entry]())
    return _names(text, entry, entries.where) if text else ()


def _names(text: str, entry: str, where: str) -> tuple[str, ...]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise LibraryError(f"{where}: {entry} is not valid JSON: {error}") from error
    if not isinstance(found, list) or any(isinstance(item, (list, dict)) for item in found):
        raise LibraryError(f"{where}: {entry} must be a JSON array of strings")
    return tuple(str(item) for item in found if item not in ("", None))


def _init_schema(entries: EntrySet) -> Mapping[str, Any] | None:
    if "get_init_schema" not in entries:
        return None
    kind = ffi.new("ss_plugin_schema_type *", SchemaType.NONE)
    text = text_of(entries["get_init_schema"](kind))
    if kind[0] == SchemaType.NONE:
        return None
    if kind[0] != SchemaType.JSON:
        raise LibraryError(f"{entries.where}: get_init_schema gave the unknown type {kind[0]}")
    try:
        schema = json.loads(text)
    except ValueError as error:
        raise LibraryError(
            f"{entries.where}: get_init_schema is not valid JSON: {error}"
        ) from error
    if not isinstance(schema, dict):
        raise LibraryError(f"{entries.where}: get_init_schema must be a JSON object")
    return schema
