"""Resolves the tables of a plugin in init, the only time when hosts allow it (plugin_api.h)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from falcopy_sdk.abi import Rc, ffi
from falcopy_sdk.declare.names import did_you_mean
from falcopy_sdk.declare.tables import StateKind
from falcopy_sdk.exceptions import TableError
from falcopy_sdk.runtime.tables.callbacks import input_of, register, unregister
from falcopy_sdk.runtime.tables.owned import OwnedTable
from falcopy_sdk.runtime.tables.scope import CallScope
from falcopy_sdk.runtime.tables.used import Field, UsedTable
from falcopy_sdk.runtime.tables.values import code_of, kind_of, shown_code

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from falcopy_sdk.declare.spec import PluginSpec, TableMember, TableSpec
    from falcopy_sdk.declare.tables import Table
    from falcopy_sdk.runtime._bridge import HostLink

__all__ = ["Tables"]


class Tables:
    """The tables of one plugin state, by attribute name of the plugin class.

    Args:
        spec: What the class declares.
        link: The way to the host; its ``tables`` are those of init.

    Raises:
        TableError: One cannot be had, and is not optional.
    """

    def __init__(self, spec: PluginSpec, link: HostLink) -> None:
        self._link = link
        self._scope = CallScope(link)
        self._registered: list[int] = []
        self.by_attribute: dict[str, Table[Any] | None] = {}
        self.during = self._scope.during
        self.extracting: Callable[..., Any] = self._scope.extracting
        try:
            host = _Init(link, self._scope)
            for table in spec.tables:
                attached = self._own(host, table) if table.owned else host.find(table)
                self.by_attribute[table.attribute] = attached
        except BaseException:
            self.close()
            raise

    def _own(self, host: _Init, spec: TableSpec) -> OwnedTable[Any]:
        table: OwnedTable[Any] = OwnedTable(spec)
        number = register(table, self._link)
        self._registered.append(number)
        host.add(spec, number)
        return table

    def close(self) -> None:
        """Forget the own tables; the functions that others call them by fail from now on."""
        while self._registered:
            unregister(self._registered.pop())


class _Init:
    """The host's ``ss_plugin_init_tables_input``."""

    def __init__(self, link: HostLink, scope: CallScope) -> None:
        self._scope = scope
        self._owner = ffi.cast("ss_plugin_owner_t *", link.owner)
        self._tables = None
        if link.tables:
            self._tables = ffi.cast("ss_plugin_init_tables_input *", link.tables)

    def add(self, spec: TableSpec, number: int) -> None:
        """Give an own table to the host.

        Raises:
            TableError: The host refuses it, or has no tables.
        """
        what = f'table "{spec.name}" of the plugin cannot be added'
        if self._tables is None:
            raise TableError(f"{what}: this host gives the plugin no tables")
        given, kept = input_of(number)
        rc = self._tables.add_table(self._owner, given)
        del kept
        if rc != Rc.SUCCESS:
            raise self._scope.failed(what)

    def find(self, spec: TableSpec) -> UsedTable[Any] | None:
        """Return a table of the host or of another plugin; None if an optional one is missing.

        Raises:
            TableError: It, its key's type or one of its fields is not as declared.
        """
        known = self._list()
        if spec.name not in known:
            if spec.optional:
                return None
            has = ", ".join(sorted(known)) or "none"
            raise TableError(
                f'this host has no table "{spec.name}"{did_you_mean(spec.name, known)} (it has: '
                f"{has}). Load the plugin that owns it before this one, or declare it with "
                "optional=True"
            )
        what = f'table "{spec.name}"'
        key_kind = _agreed(spec.key, known[spec.name], f"{what}: its key")
        assert self._tables is not None  # known is empty without
        pointer = self._tables.get_table(self._owner, spec.name.encode(), code_of(key_kind))
        if pointer == ffi.NULL:
            raise self._scope.failed(f"{what} cannot be had")
        fields = self._list_fields(pointer)
        accessors = {m.name: self._field(what, pointer, m, fields) for m in spec.members}
        return UsedTable(spec, pointer, key_kind, accessors, self._scope)

    def _list(self) -> Mapping[str, int]:
        if self._tables is None:
            return {}
        count = ffi.new("uint32_t *")
        infos = self._tables.list_tables(self._owner, count)
        if infos == ffi.NULL:
            raise self._scope.failed("the host's tables cannot be listed")
        return {_text(infos[i].name): infos[i].key_type for i in range(count[0])}

    def _list_fields(self, pointer: Any) -> Mapping[str, int]:
        count = ffi.new("uint32_t *")
        assert self._tables is not None
        infos = self._tables.fields_ext.list_table_fields(pointer, count)
        # A table without fields may well be a NULL list.
        return {
            _text(infos[i].name): infos[i].field_type
            for i in range(count[0] if infos != ffi.NULL else 0)
        }

    def _field(
        self, what: str, pointer: Any, member: TableMember, fields: Mapping[str, int]
    ) -> Field | None:
        assert self._tables is not None
        functions = self._tables.fields_ext
        name = member.name
        if member.added:
            assert member.kind is not None
            kind, get = member.kind, functions.add_table_field
        elif name in fields:
            kind = _agreed(member.kind, fields[name], f"{what}: {name}")
            get = functions.get_table_field
        elif member.optional:
            return None
        else:
            raise TableError(
                f"{what} has no field {name!r}{did_you_mean(name, fields)} (it has: "
                f"{', '.join(sorted(fields)) or 'none'}). Annotate it with `| None` if it may be "
                "missing, or write `= table.added()` to add it"
            )
        accessor = get(pointer, name.encode(), code_of(kind))
        if accessor == ffi.NULL:
            verb = "added" if member.added else "had"
            raise self._scope.failed(f"{what}: field {name!r} cannot be {verb}")
        return Field(accessor, kind)


def _agreed(declared: StateKind | None, code: int, what: str) -> StateKind:
    """Return the type that a key or field has, if it is the declared one."""
    found = kind_of(code)
    integer = found not in (StateKind.STRING, StateKind.BOOL)
    if found is None or (declared is None and not integer) or declared not in (None, found):
        wanted = "an integer" if declared is None else declared.value
        raise TableError(f"{what} is {shown_code(code)}, and the plugin declares {wanted}")
    return found


def _text(pointer: Any) -> str:
    return "" if pointer == ffi.NULL else str(ffi.string(pointer).decode(errors="replace"))
