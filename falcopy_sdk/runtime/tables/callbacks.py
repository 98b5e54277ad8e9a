"""What the host and other plugins call an own table by: the functions of its vtables.

A table, an entry and a field are numbers here, never addresses: a wrong or late one fails instead
of crashing. No exception leaves a function; its text waits in plugin_get_last_error. The functions
are made once and live as long as the process, since a host may keep them beyond a plugin's end.
"""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from falcopy_sdk.abi import UINT64_MAX, Rc, ffi
from falcopy_sdk.exceptions import TableError
from falcopy_sdk.runtime.logs import describe
from falcopy_sdk.runtime.tables.owned import OwnedTable, c_name
from falcopy_sdk.runtime.tables.values import code_of, load, store

if TYPE_CHECKING:
    from collections.abc import Callable

    from falcopy_sdk.runtime._bridge import HostLink

__all__ = ["input_of", "register", "unregister"]

logger = logging.getLogger(__name__)


class _Registered(NamedTuple):
    table: OwnedTable[Any]
    link: HostLink
    #: What functions returned last and others may still read.
    kept: dict[str, Any]


_registered: Final[dict[int, _Registered]] = {}
_numbers: Final = itertools.count(1)
_functions: Final[dict[str, Any]] = {}
_PARTS: Final = ("reader", "writer", "fields")
_TYPES: Final = {
    name: found.type
    for part in _PARTS
    for name, found in ffi.typeof(f"ss_plugin_table_{part}_vtable_ext").fields
}


def register(table: OwnedTable[Any], link: HostLink) -> int:
    """Make a table known to the functions, and return the number that stands for it."""
    number = next(_numbers)
    _registered[number] = _Registered(table, link, {})
    return number


def unregister(number: int) -> None:
    """Forget a table: functions called with its number fail from now on."""
    _registered.pop(number, None)


def input_of(number: int) -> tuple[Any, Any]:
    """Return ``ss_plugin_table_input *`` for a table, and what has to live during add_table."""
    table = _registered[number].table
    given = ffi.new("ss_plugin_table_input *")
    given.name = c_name(table.name)
    given.key_type = code_of(table.key_kind)
    given.table = _pointer(number)
    kept = []
    for part in _PARTS:
        # Hosts refuse a table whose two vtables differ (plugin_table_api.cpp).
        legacy = getattr(given, part)
        for name, _ in ffi.typeof(legacy).fields:
            setattr(legacy, name, _functions[name])
        ext = ffi.new(f"ss_plugin_table_{part}_vtable_ext *")
        for name, _ in ffi.typeof(ext).item.fields:
            setattr(ext, name, _functions[name])
        setattr(given, f"{part}_ext", ext)
        kept.append(ext)
    return given, kept


def _pointer(number: int) -> Any:
    return ffi.cast("void *", number)


def _number(pointer: Any) -> int:
    return int(ffi.cast("uintptr_t", pointer))


def _function(failure: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make the function of that name in the vtables; ``failure`` is what it returns then."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        name = function.__name__.lstrip("_")
        kind = _TYPES[name]

        def guarded(pointer: Any, *arguments: Any) -> Any:
            registered = _registered.get(_number(pointer))
            if registered is None:
                return failure
            try:
                return function(registered, *arguments)
            except Exception as error:  # noqa: BLE001 - whatever it is, the host must not see it
                registered.link.set_last_error(describe(error))
                return failure

        def refused(*error: Any) -> None:
            logger.error("table function %s failed", name, exc_info=error)

        returns = {} if kind.result.kind == "void" else {"error": failure}
        _functions[name] = ffi.callback(kind, guarded, onerror=refused, **returns)
        return function

    return decorate


@_function(ffi.NULL)
def _list_table_fields(of: _Registered, count: Any) -> Any:
    _out(count)[0] = 0
    fields = of.table.fields()
    # The list before stays as it was, for those who still read it: fields are only ever added.
    infos = of.kept.get(f"fields {len(fields)}")
    if infos is None:
        infos = of.kept[f"fields {len(fields)}"] = ffi.new(
            "ss_plugin_table_fieldinfo[]", len(fields)
        )
        for info, (name, kind) in zip(infos, fields, strict=True):
            info.name, info.field_type, info.read_only = c_name(name), code_of(kind), 0
    count[0] = len(fields)
    return infos


@_function(ffi.NULL)
def _get_table_field(of: _Registered, name: Any, code: int) -> Any:
    return _pointer(of.table.field(_text(name), code))


@_function(ffi.NULL)
def _add_table_field(of: _Registered, name: Any, code: int) -> Any:
    return _pointer(of.table.add_field(_text(name), code))


@_function(ffi.NULL)
def _get_table_name(of: _Registered) -> Any:
    return c_name(of.table.name)


@_function(UINT64_MAX)
def _get_table_size(of: _Registered) -> int:
    return len(of.table)


@_function(ffi.NULL)
def _get_table_entry(of: _Registered, key: Any) -> Any:
    return _pointer(of.table.hold(load(_out(key), of.table.key_kind)).number)


@_function(int(Rc.FAILURE))
def _read_entry_field(of: _Registered, entry: Any, field: Any, out: Any) -> int:
    _out(out).u64 = 0
    row = of.table.row(_number(entry))
    name, kind = _field(of, field)
    if kind.value == "string":
        out.str = row.text(name)
    else:
        store(out, kind, row[name], name)
    return int(Rc.SUCCESS)


@_function(None)
def _release_table_entry(of: _Registered, entry: Any) -> None:
    of.table.give_back(of.table.row(_number(entry)))


@_function(0)
def _iterate_entries(of: _Registered, visit: Any, state: Any) -> int:
    for row in of.table.rows():
        if not row.listed:
            continue  # erased by a visit before
        # Held meanwhile, so that it stays readable if this visit erases it.
        row.held += 1
        try:
            go_on = _out(visit)(state, _pointer(row.number))
        finally:
            of.table.give_back(row)
        if not go_on:
            return 0
    return 1


@_function(int(Rc.FAILURE))
def _clear_table(of: _Registered) -> int:
    of.table.clear()
    return int(Rc.SUCCESS)


@_function(int(Rc.FAILURE))
def _erase_table_entry(of: _Registered, key: Any) -> int:
    of.table.erase(load(_out(key), of.table.key_kind))
    return int(Rc.SUCCESS)


@_function(ffi.NULL)
def _create_table_entry(of: _Registered) -> Any:
    return _pointer(of.table.new_row().number)


@_function(None)
def _destroy_table_entry(of: _Registered, entry: Any) -> None:
    of.table.give_back(of.table.row(_number(entry)))


@_function(ffi.NULL)
def _add_table_entry(of: _Registered, key: Any, entry: Any) -> Any:
    row = of.table.row(_number(entry))
    of.table.insert(load(_out(key), of.table.key_kind), row)
    # The holding since create_table_entry goes on as that of the entry that is returned.
    return _pointer(row.number)


@_function(int(Rc.FAILURE))
def _write_entry_field(of: _Registered, entry: Any, field: Any, given: Any) -> int:
    row = of.table.row(_number(entry))
    name, kind = _field(of, field)
    row[name] = load(_out(given), kind)
    return int(Rc.SUCCESS)


def _out(pointer: Any) -> Any:
    if pointer == ffi.NULL:
        raise TableError("called with NULL for a value or a function")
    return pointer


def _text(pointer: Any) -> str:
    return str(ffi.string(_out(pointer)).decode(errors="replace"))


def _field(of: _Registered, pointer: Any) -> Any:
    fields, number = of.table.fields(), _number(pointer)
    if not 1 <= number <= len(fields):
        raise TableError(f"{of.table}: no field has the accessor {number}")
    return fields[number - 1]
