"""The host's tables: those that the plugin itself adds in ``init``, nothing built in.

A plugin that extracts or parses always gets these functions (libsinsp's plugin_table_api.cpp). A
table pointer is a number here, never an address, so that a wrong one fails instead of crashing.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from falcopy_sdk.abi import Rc, ffi
from falcopy_sdk.host.owner import owner_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from falcopy_sdk.host.owner import Owner

__all__ = ["TableHost"]


@dataclass
class _Table:
    """One registered table. The vtables are copies, as in libsinsp; name and table are not."""

    owner: Owner
    name: Any
    key_type: int
    table: Any
    functions: dict[str, Any]
    #: Entries handed to the plugin and not yet released.
    borrowed: Counter[int] = field(default_factory=Counter)


_tables: dict[int, _Table] = {}
_numbers = itertools.count(1)

#: vtable type -> names of its functions, in the header's order
_VTABLES = {
    part: [name for name, _ in ffi.typeof(f"ss_plugin_table_{part}_vtable_ext").fields]
    for part in ("reader", "writer", "fields")
}


def _forwarder(name: str, kind: Any, failure: Any) -> Any:
    """A C function that calls the table's own function of that name."""

    def forward(pointer: Any, *arguments: Any) -> Any:
        table = _tables.get(int(ffi.cast("uintptr_t", pointer)))
        if table is None:
            return failure
        result = table.functions[name](table.table, *arguments)
        if name in ("get_table_entry", "add_table_entry") and result != ffi.NULL:
            table.borrowed[int(ffi.cast("uintptr_t", result))] += 1
        elif name == "release_table_entry":
            table.borrowed[int(ffi.cast("uintptr_t", arguments[0]))] -= 1
        return result

    if kind.result.kind == "void":
        return ffi.callback(kind, forward)
    return ffi.callback(kind, forward, error=failure)


def _failure_of(name: str, kind: Any) -> Any:
    if name == "get_table_size":
        return 2**64 - 1
    if kind.result.kind == "pointer":
        return ffi.NULL
    if kind.result.kind == "enum":
        return int(Rc.FAILURE)
    return None if kind.result.kind == "void" else 0


_functions: dict[str, Any] = {
    name: _forwarder(name, found.type, _failure_of(name, found.type))
    for part in _VTABLES
    for name, found in ffi.typeof(f"ss_plugin_table_{part}_vtable_ext").fields
}


def _vtable(part: str, ext: bool) -> Any:
    made = ffi.new(f"ss_plugin_table_{part}_vtable{'_ext' if ext else ''} *")
    for name, _ in ffi.typeof(made).item.fields:
        setattr(made, name, _functions[name])
    return made


_READER, _READER_EXT = _vtable("reader", False), _vtable("reader", True)
_WRITER, _WRITER_EXT = _vtable("writer", False), _vtable("writer", True)
_FIELDS, _FIELDS_EXT = _vtable("fields", False), _vtable("fields", True)


def _guarded(kind: str, error: Any) -> Callable[[Callable[..., Any]], Any]:
    """A C function whose first argument is an owner; an exception waits in that owner."""

    def decorate(function: Callable[..., Any]) -> Any:
        def call(pointer: Any, *arguments: Any) -> Any:
            owner = owner_of(pointer)
            if owner is None:
                return error
            try:
                return function(owner, *arguments)
            except Exception as failure:  # noqa: BLE001 - raised again by the host
                owner.keep(failure)
                return error

        return ffi.callback(kind, call, error=error)

    return decorate


@_guarded("ss_plugin_table_info *(ss_plugin_owner_t *, uint32_t *)", ffi.NULL)
def _list_tables(owner: Owner, count: Any) -> Any:
    own = [t for t in _tables.values() if t.owner is owner]
    infos = ffi.new("ss_plugin_table_info[]", max(len(own), 1))
    for info, table in zip(infos, own, strict=False):
        info.name, info.key_type = table.name, table.key_type
    count[0] = len(own)
    owner.keepalive = infos  # lives until the next call
    return infos


@_guarded("ss_plugin_table_t *(ss_plugin_owner_t *, const char *, ss_plugin_state_type)", ffi.NULL)
def _get_table(owner: Owner, name: Any, key_type: int) -> Any:
    wanted = ffi.string(name)
    for number, table in _tables.items():
        if table.owner is owner and ffi.string(table.name) == wanted:
            if table.key_type != key_type:
                owner.set_last_error(
                    f"table {wanted.decode()!r} has key type {table.key_type}, not {key_type}"
                )
                return ffi.NULL
            return ffi.cast("ss_plugin_table_t *", number)
    owner.set_last_error(f"this host has no table {wanted.decode(errors='replace')!r}")
    return ffi.NULL


@_guarded("ss_plugin_rc(ss_plugin_owner_t *, const ss_plugin_table_input *)", int(Rc.FAILURE))
def _add_table(owner: Owner, given: Any) -> int:
    functions: dict[str, Any] = {}
    for part, names in _VTABLES.items():
        ext = getattr(given, f"{part}_ext")
        if ext == ffi.NULL:
            owner.set_last_error(f"add_table: {part}_ext is NULL")
            return Rc.FAILURE
        legacy = getattr(given, part)
        for name in names:
            function = getattr(ext, name)
            if function == ffi.NULL or getattr(legacy, name, function) != function:
                owner.set_last_error(
                    f"add_table: {name} is NULL or differs between {part} and {part}_ext"
                )
                return Rc.FAILURE
            functions[name] = function
    if given.name == ffi.NULL or given.table == ffi.NULL:
        owner.set_last_error("add_table: name or table is NULL")
        return Rc.FAILURE
    taken = {ffi.string(t.name) for t in _tables.values() if t.owner is owner}
    if ffi.string(given.name) in taken:
        owner.set_last_error(f"add_table: {ffi.string(given.name).decode()!r} exists already")
        return Rc.FAILURE
    _tables[next(_numbers)] = _Table(owner, given.name, given.key_type, given.table, functions)
    return Rc.SUCCESS


class TableHost:
    """The tables of one plugin state."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    @staticmethod
    def init_input() -> Any:
        """A new ``ss_plugin_init_tables_input *``, of use during ``init`` only."""
        made = ffi.new("ss_plugin_init_tables_input *")
        made.list_tables, made.get_table, made.add_table = _list_tables, _get_table, _add_table
        made.fields = _FIELDS[0]
        made.fields_ext, made.reader_ext, made.writer_ext = _FIELDS_EXT, _READER_EXT, _WRITER_EXT
        return made

    @staticmethod
    def fill_reader(given: Any) -> None:
        """Sets ``table_reader`` and ``table_reader_ext`` of an extract or parse input."""
        given.table_reader = _READER[0]
        given.table_reader_ext = _READER_EXT

    @staticmethod
    def fill_writer(given: Any) -> None:
        """Sets ``table_writer`` and ``table_writer_ext`` of a parse input."""
        given.table_writer = _WRITER[0]
        given.table_writer_ext = _WRITER_EXT

    @staticmethod
    def fill_capture(given: Any) -> None:
        """Sets the two extended vtables of a capture listening input."""
        given.table_reader_ext, given.table_writer_ext = _READER_EXT, _WRITER_EXT

    def release_entries(self) -> None:
        """Gives back the entries that the plugin left borrowed, as libsinsp does after a call."""
        if not _tables:
            return
        for table in _tables.values():
            if table.owner is self._owner and table.borrowed:
                borrowed, table.borrowed = table.borrowed, Counter()
                for entry in borrowed.elements():
                    pointer = ffi.cast("ss_plugin_table_entry_t *", entry)
                    table.functions["release_table_entry"](table.table, pointer)

    def close(self) -> None:
        """Forgets the tables; their memory is the plugin's."""
        for number in [n for n, t in _tables.items() if t.owner is self._owner]:
            del _tables[number]
