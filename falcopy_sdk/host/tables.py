"""The tables that plugins and the host share: a registry, and one plugin's view of it.

A plugin that extracts or parses always gets these functions (libsinsp's plugin_table_api.cpp). A
table pointer is a number here, never an address, so that a wrong one fails instead of crashing;
and what would crash a real host, or is not allowed there, is kept as a ContractError.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from falcopy_sdk.abi import Rc, ffi
from falcopy_sdk.exceptions import ContractError
from falcopy_sdk.host.builtin import BuiltinTable, TableFailure
from falcopy_sdk.host.owner import owner_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from falcopy_sdk.host.owner import Owner

__all__ = ["TableHost", "TableRegistry"]


@dataclass
class _PluginTable:
    """A table of a plugin. The vtables are copies, as in libsinsp; name and table are not."""

    host: TableHost
    c_name: Any
    key_type: int
    pointer: Any
    functions: Mapping[str, Callable[..., Any]]

    def last_error(self) -> str:
        return self.host.last_error()


class TableRegistry:
    """The tables of one host (libsinsp: of one inspector), shared by all plugins in it."""

    def __init__(self, *tables: BuiltinTable) -> None:
        self._tables: dict[bytes, BuiltinTable | _PluginTable] = {}
        for table in tables:
            self._tables[table.name.encode()] = table

    def names(self) -> list[str]:
        """The names of all tables."""
        return [name.decode() for name in self._tables]

    def raw(self, name: str) -> tuple[Any, Mapping[str, Callable[..., Any]]]:
        """A plugin's table as the host has it: ``ss_plugin_table_t *`` and functions by name."""
        table = self._tables[name.encode()]
        assert isinstance(table, _PluginTable)
        return table.pointer, table.functions


@dataclass
class _Access:
    """One plugin's ``ss_plugin_table_t *``."""

    host: TableHost
    table: BuiltinTable | _PluginTable
    borrowed: Counter[int]

    def call(self, name: str, *arguments: Any) -> Any:
        pointer = getattr(self.table, "pointer", ffi.NULL)
        return self.table.functions[name](pointer, *arguments)


_accesses: Final[dict[int, _Access]] = {}
_hosts: Final[dict[int, TableHost]] = {}
_numbers: Final = itertools.count(1)

#: vtable -> names of its functions, in the header's order
_VTABLES: Final = {
    part: [name for name, _ in ffi.typeof(f"ss_plugin_table_{part}_vtable_ext").fields]
    for part in ("reader", "writer", "fields")
}
_PART_OF: Final = {name: part for part, names in _VTABLES.items() for name in names}
#: What a plugin is doing -> vtables that it may use meanwhile (plugin_api.h)
_ALLOWED: Final = {
    "init": ("fields", "reader", "writer"),
    "parse": ("reader", "writer"),
    "extract": ("reader",),
    "capture": ("reader", "writer"),
}
#: Functions whose first argument after the table is an entry
_OF_ENTRY: Final = (
    "read_entry_field",
    "release_table_entry",
    "destroy_table_entry",
    "write_entry_field",
)


def _check(access: _Access, name: str, arguments: tuple[Any, ...]) -> None:
    phase = access.host.phase
    if _PART_OF[name] not in _ALLOWED.get(phase, ()):
        raise ContractError(f"the plugin calls {name} of a table {access.host.when}")
    entry = arguments[0] if name in _OF_ENTRY else None
    if name == "add_table_entry":
        entry = arguments[1]
    if entry == ffi.NULL:
        raise ContractError(f"the plugin calls {name} of a table with a NULL entry: hosts crash")


def _forwarder(name: str, kind: Any, failure: Any) -> Any:
    """A C function that calls the table's own function of that name."""

    def forward(pointer: Any, *arguments: Any) -> Any:
        access = _accesses.get(int(ffi.cast("uintptr_t", pointer)))
        if access is None:
            return failure
        owner = access.host.owner
        try:
            _check(access, name, arguments)
            result = access.call(name, *arguments)
        except TableFailure as why:
            owner.set_last_error(str(why))
            return failure
        except Exception as error:  # noqa: BLE001 - raised again by the host
            owner.keep(error)
            return failure
        if result == failure and failure is not None:
            owner.set_last_error(access.table.last_error())
        elif name in ("get_table_entry", "add_table_entry"):
            access.borrowed[int(ffi.cast("uintptr_t", result))] += 1
        elif name == "release_table_entry":
            access.borrowed[int(ffi.cast("uintptr_t", arguments[0]))] -= 1
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


_functions: Final[dict[str, Any]] = {
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


def _guarded(kind: str, failure: Any) -> Callable[[Callable[..., Any]], Any]:
    """A C function whose first argument is an owner; an exception waits in that owner."""

    def decorate(function: Callable[..., Any]) -> Any:
        def call(pointer: Any, *arguments: Any) -> Any:
            owner = owner_of(pointer)
            host = _hosts.get(id(owner))
            if owner is None or host is None:
                return failure
            try:
                if host.phase != "init":
                    raise ContractError(f"the plugin looks for or adds a table {host.when}")
                return function(host, *arguments)
            except TableFailure as why:
                owner.set_last_error(str(why))
                return failure
            except Exception as error:  # noqa: BLE001 - raised again by the host
                owner.keep(error)
                return failure

        return ffi.callback(kind, call, error=failure)

    return decorate


@_guarded("ss_plugin_table_info *(ss_plugin_owner_t *, uint32_t *)", ffi.NULL)
def _list_tables(host: TableHost, count: Any) -> Any:
    tables = list(host.registry._tables.values())
    infos = ffi.new("ss_plugin_table_info[]", max(len(tables), 1))
    for info, table in zip(infos, tables, strict=False):
        info.name, info.key_type = table.c_name, table.key_type
    count[0] = len(tables)
    host.owner.keepalive = infos  # lives until the next call
    return infos


@_guarded("ss_plugin_table_t *(ss_plugin_owner_t *, const char *, ss_plugin_state_type)", ffi.NULL)
def _get_table(host: TableHost, name: Any, key_type: int) -> Any:
    wanted = ffi.string(name)
    table = host.registry._tables.get(wanted)
    if table is None:
        raise TableFailure(f"this host has no table {wanted.decode(errors='replace')!r}")
    if table.key_type != key_type:
        raise TableFailure(
            f"table {wanted.decode()!r} has key type {int(table.key_type)}, not {key_type}"
        )
    return ffi.cast("ss_plugin_table_t *", host.access(table))


@_guarded("ss_plugin_rc(ss_plugin_owner_t *, const ss_plugin_table_input *)", int(Rc.FAILURE))
def _add_table(host: TableHost, given: Any) -> int:
    functions: dict[str, Any] = {}
    for part, names in _VTABLES.items():
        ext = getattr(given, f"{part}_ext")
        if ext == ffi.NULL:
            raise TableFailure(f"add_table: {part}_ext is NULL")
        legacy = getattr(given, part)
        for name in names:
            function = getattr(ext, name)
            if function == ffi.NULL or getattr(legacy, name, function) != function:
                raise TableFailure(
                    f"add_table: {name} is NULL or differs between {part} and {part}_ext"
                )
            functions[name] = function
    if given.name == ffi.NULL or given.table == ffi.NULL:
        raise TableFailure("add_table: name or table is NULL")
    name = ffi.string(given.name)
    if name in host.registry._tables:
        raise TableFailure(f"add_table: {name.decode()!r} exists already")
    host.registry._tables[name] = _PluginTable(
        host, given.name, given.key_type, given.table, functions
    )
    return Rc.SUCCESS


class TableHost:
    """The tables as one plugin state has them.

    Args:
        owner: of that state.
        registry: the tables.
        last_error: asks the plugin for the text of its last failure.
    """

    def __init__(
        self, owner: Owner, registry: TableRegistry, last_error: Callable[[], str]
    ) -> None:
        self.owner = owner
        self.registry = registry
        self.last_error = last_error
        #: Which of its entries the plugin is in; "" : none that may use tables.
        self.phase = ""
        self._own: dict[int, int] = {}  # id of a table -> number of the access
        _hosts[id(owner)] = self

    @property
    def when(self) -> str:
        """What the plugin is doing, for messages."""
        return f"in {self.phase}" if self.phase else "outside the entries where it may"

    def access(self, table: BuiltinTable | _PluginTable) -> int:
        """The number that stands for a table in this plugin."""
        number = self._own.get(id(table))
        if number is None:
            number = self._own[id(table)] = next(_numbers)
            _accesses[number] = _Access(self, table, Counter())
        return number

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

    @property
    def borrowed(self) -> int:
        """How many entries the plugin has got and not given back."""
        return sum(_accesses[number].borrowed.total() for number in self._own.values())

    def end(self) -> None:
        """Ends an entry; takes what the plugin left borrowed, as libsinsp does after some."""
        phase, self.phase = self.phase, ""
        if phase == "capture" or not self._own:
            return
        for access in (_accesses[number] for number in self._own.values()):
            borrowed, access.borrowed = access.borrowed, Counter()
            for entry in borrowed.elements():
                access.call("release_table_entry", ffi.cast("ss_plugin_table_entry_t *", entry))

    def close(self) -> None:
        """Forgets the plugin's tables; their memory is the plugin's."""
        _hosts.pop(id(self.owner), None)
        for number in self._own.values():
            del _accesses[number]
        self._own.clear()
        tables = self.registry._tables
        for name, table in list(tables.items()):
            if isinstance(table, _PluginTable) and table.host is self:
                del tables[name]
