"""The entries of one plugin, wherever they come from, by their names without ``plugin_``."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from falcopy_sdk.abi import ffi
from falcopy_sdk.exceptions import LibraryError, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from falcopy_sdk.declare.facts import StaticFacts

__all__ = ["ENTRY_TYPES", "EntrySet", "from_class", "from_file", "from_static_facts"]

log = logging.getLogger(__name__)


def _entry_types() -> dict[str, Any]:
    types: dict[str, Any] = {}
    for name, field in ffi.typeof("plugin_api").fields:
        if name:
            types[name] = field.type
        else:  # the capabilities are anonymous structs of the vtable
            types.update((inner, found.type) for inner, found in field.type.fields)
    return types


#: The 33 entries of the plugin API and their function pointer types, in the header's order.
ENTRY_TYPES: Mapping[str, Any] = _entry_types()

_libc = ffi.dlopen(None)
# Bound once: cffi resolves a function at its first use, and that would reset dlerror().
_dlopen, _dlsym, _dlclose, _dlerror = (
    _libc.dlopen,
    _libc.dlsym,
    _libc.dlclose,
    _libc.dlerror,
)


@dataclass(frozen=True)
class EntrySet:
    """What a host finds in a plugin.

    Attributes:
        functions: the entries that the plugin has, callable with cffi values.
        where: for messages: the file or the class.
        release: gives the library back (dlclose); the functions are dangling afterwards.
    """

    functions: Mapping[str, Callable[..., Any]]
    where: str
    release: Callable[[], None]

    def __contains__(self, name: str) -> bool:
        return name in self.functions

    def __getitem__(self, name: str) -> Callable[..., Any]:
        return self.functions[name]


def from_file(path: str | Path) -> EntrySet:
    """Loads a plugin as libs' plugin_loader.c does: ``RTLD_NOW | RTLD_LOCAL``, then 33 look-ups.

    Args:
        path: the shared library.

    Raises:
        LibraryError: the file is missing or the dynamic loader refuses it.
    """
    file = Path(path)
    if not file.is_file():
        raise LibraryError(f"{path}: no such file")
    # Absolute: a bare name would be searched in the library path instead.
    handle = _dlopen(str(file.absolute()).encode(), ffi.RTLD_NOW | ffi.RTLD_LOCAL)
    if handle == ffi.NULL:
        reason = _dlerror()
        text = ffi.string(reason).decode(errors="replace") if reason else "no reason given"
        raise LibraryError(f"{path}: the dynamic loader refuses it: {text}")
    functions = {}
    for name, kind in ENTRY_TYPES.items():
        # NULL is "absent", with or without an error: an IFUNC may resolve to NULL.
        address = _dlsym(handle, b"plugin_" + name.encode())
        if address != ffi.NULL:
            functions[name] = ffi.cast(kind, address)

    def release() -> None:
        if _dlclose(handle) != 0:
            reason = ffi.string(_dlerror()).decode(errors="replace")
            raise LibraryError(f"{path}: dlclose failed: {reason}")

    return EntrySet(functions, str(path), release)


def from_class(cls: type[Any]) -> EntrySet:
    """Drives a plugin class in this process: the bridge of the bundle without its loader.

    Args:
        cls: a class decorated with ``@plugin``.

    Raises:
        DeclarationError: the class declares no plugin.
    """
    # Late: the bridge is a native module, of no use to those who load files only.
    from falcopy_sdk.declare.facts import static_facts
    from falcopy_sdk.declare.plugin import plugin_spec
    from falcopy_sdk.runtime import _bridge

    spec = plugin_spec(cls)
    facts = static_facts(spec)
    table = ffi.cast("struct falcopy_bridge *", _bridge.table_address())
    if table.size != ffi.sizeof("struct falcopy_bridge"):
        raise LibraryError(
            f"the bridge's table has {table.size} bytes, this package knows "
            f"{ffi.sizeof('struct falcopy_bridge')}: reinstall falcopy-sdk"
        )
    functions: dict[str, Callable[..., Any]] = {
        name: getattr(table, name)
        for name in ENTRY_TYPES
        if hasattr(table, name) and (name in facts.exports or name in ("destroy", "get_last_error"))
    }
    reference = ffi.new("char[]", facts.plugin_ref.encode())
    version = ffi.new("char[]", facts.required_api_version.encode())
    functions["init"] = lambda given, rc: table.init(reference, version, given, rc)
    functions.update(_static_entries(facts))
    return EntrySet(functions, spec.ref, lambda: None)


def from_static_facts(facts: StaticFacts, where: str) -> EntrySet:
    """A plugin as far as its static facts go: enough to check and show it, nothing runs.

    Args:
        facts: what a bundle's loader would answer.
        where: for messages: the file.
    """

    def absent(*_: Any) -> Any:
        raise RequestError(f"{where} is not loaded: only its static facts were read")

    stateful = dict.fromkeys(("init", "destroy", "get_last_error", *facts.exports), absent)
    return EntrySet({**stateful, **_static_entries(facts)}, where, lambda: None)


#: Static entry -> member of StaticFacts; the first five every plugin has.
_STRINGS = {
    "get_required_api_version": "required_api_version",
    "get_name": "name",
    "get_version": "version",
    "get_description": "description",
    "get_contact": "contact",
    "get_event_source": "event_source",
    "get_fields": "fields",
    "get_extract_event_sources": "extract_event_sources",
    "get_parse_event_sources": "parse_event_sources",
    "get_async_event_sources": "async_event_sources",
    "get_async_events": "async_events",
}
_REQUIRED_STRINGS = frozenset(list(_STRINGS)[:5])


def _static_entries(facts: StaticFacts) -> dict[str, Callable[..., Any]]:
    """The entries that a bundle's loader answers itself."""
    entries: dict[str, Callable[..., Any]] = {}
    for name, member in _STRINGS.items():
        if name in _REQUIRED_STRINGS or name in facts.exports:
            text = ffi.new("char[]", getattr(facts, member).encode())
            entries[name] = lambda text=text: text
    if "get_id" in facts.exports:
        entries["get_id"] = lambda: facts.id
    if "get_init_schema" in facts.exports:
        schema = ffi.new("char[]", facts.init_schema.encode())

        def get_init_schema(kind: Any) -> Any:
            kind[0] = ffi.integer_const("SS_PLUGIN_SCHEMA_JSON")
            return schema

        entries["get_init_schema"] = get_init_schema
    if "get_required_event_schema_version" in facts.exports:
        needed = ffi.new("char[]", facts.required_event_schema_version.encode())
        entries["get_required_event_schema_version"] = lambda _state: needed
    for name in ("extract", "parse"):
        if f"get_{name}_event_types" in facts.exports:
            types = ffi.new("uint16_t[]", list(getattr(facts, f"{name}_event_types")))

            def get_event_types(num: Any, _state: Any, types: Any = types) -> Any:
                num[0] = len(types)
                return types

            entries[f"get_{name}_event_types"] = get_event_types
    return entries
