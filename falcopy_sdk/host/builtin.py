"""A table that the host itself has, such as libsinsp's "threads" (libsinsp's state/table.cpp)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from falcopy_sdk.abi import Rc, StateType, ffi
from falcopy_sdk.exceptions import ContractError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["BuiltinTable", "TableFailure"]

_PARTS = {
    StateType.INT8: "s8",
    StateType.INT16: "s16",
    StateType.INT32: "s32",
    StateType.INT64: "s64",
    StateType.UINT8: "u8",
    StateType.UINT16: "u16",
    StateType.UINT32: "u32",
    StateType.UINT64: "u64",
    StateType.STRING: "str",
    StateType.BOOL: "b",
}
#: libsinsp looks up its own tables by these alone.
_KEYS = (StateType.INT64, StateType.UINT64)


class TableFailure(Exception):  # noqa: N818 - not an error of the host: a function's failure
    """A function of a table fails; the text becomes the owner's last error."""


@dataclass
class _Slot:
    """An entry in the hands of a plugin, as libsinsp's shared_ptr slots."""

    entry: dict[str, Any]
    iterated: bool = False
    #: Made and not in the table.
    fresh: bool = False


@dataclass
class BuiltinTable:
    """Entries are dictionaries; change them as you like between calls of the plugin.

    Attributes:
        name: of the table.
        key_type: INT64 or UINT64.
        fields: types by name; plugins may add some.
        read_only: names of fields that plugins must not write.
        entries: by key.
        failures: functions that fail from now on, and what the owner's last error is then.
    """

    name: str
    key_type: StateType
    fields: dict[str, StateType]
    read_only: frozenset[str] = frozenset()
    entries: dict[int, dict[str, Any]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.key_type not in _KEYS:
            raise ValueError(f"table {self.name!r}: keys of built-in tables are INT64 or UINT64")
        self._slots: dict[int, _Slot] = {}
        self._numbers = itertools.count(0x1000)
        self._lent: list[Any] = []
        self._infos: Any = None
        self._names: dict[str, Any] = {}

    @property
    def c_name(self) -> Any:
        """The name as hosts give it out."""
        return self._c(self.name)

    @property
    def borrowed(self) -> int:
        """How many entries plugins have got and not given back."""
        return len(self._slots)

    @property
    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """The functions of the vtables by name; the table pointer that they get counts for nothing.

        They raise TableFailure where libsinsp's fail, and ContractError where those crash.
        """
        return {
            name: self._named(name, getattr(self, f"_{name}"))
            for part in ("fields", "reader", "writer")
            for name, _ in ffi.typeof(f"ss_plugin_table_{part}_vtable_ext").fields
        }

    def last_error(self) -> str:
        """Texts of failures come with TableFailure."""
        return ""

    def _named(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(_table: Any, *arguments: Any) -> Any:
            if name in self.failures:
                raise TableFailure(self.failures[name])
            return function(*arguments)

        return call

    def _c(self, text: str) -> Any:
        return self._names.setdefault(text, ffi.new("char[]", text.encode()))

    # ---- fields

    def _list_table_fields(self, count: Any) -> Any:
        self._infos = ffi.new("ss_plugin_table_fieldinfo[]", max(len(self.fields), 1))
        for info, (name, kind) in zip(self._infos, self.fields.items(), strict=False):
            info.name, info.field_type, info.read_only = self._c(name), kind, name in self.read_only
        count[0] = len(self.fields)
        return self._infos

    def _get_table_field(self, name: Any, kind: int) -> Any:
        wanted = ffi.string(name).decode()
        if wanted not in self.fields:
            raise TableFailure(f"undefined field '{wanted}' in table '{self.name}'")
        if self.fields[wanted] != kind:
            raise TableFailure(f"incompatible data types for field: {wanted}")
        return ffi.cast("void *", list(self.fields).index(wanted) + 1)

    def _add_table_field(self, name: Any, kind: int) -> Any:
        added = ffi.string(name).decode()
        if kind not in _PARTS:
            raise TableFailure(f"field {added} cannot be of type {kind}")
        self.fields.setdefault(added, StateType(kind))
        return self._get_table_field(name, kind)

    def _field(self, pointer: Any) -> tuple[str, StateType]:
        number = int(ffi.cast("uintptr_t", pointer))
        if not 1 <= number <= len(self.fields):
            raise ContractError(f"table {self.name!r}: {number} is the accessor of no field")
        return list(self.fields.items())[number - 1]

    # ---- reading

    def _get_table_name(self) -> Any:
        return self.c_name

    def _get_table_size(self) -> int:
        return len(self.entries)

    def _key(self, key: Any) -> int:
        return int(getattr(key, _PARTS[self.key_type]))

    def _get_table_entry(self, key: Any) -> Any:
        entry = self.entries.get(self._key(key))
        if entry is None:
            raise TableFailure("get_entry found no element at given key")
        return self._lend(_Slot(entry))

    def _lend(self, slot: _Slot) -> Any:
        number = next(self._numbers)
        self._slots[number] = slot
        return ffi.cast("void *", number)

    def _slot(self, pointer: Any) -> _Slot:
        slot = self._slots.get(int(ffi.cast("uintptr_t", pointer)))
        if slot is None:
            raise ContractError(
                f"table {self.name!r}: an entry is used that was given back or never lent"
            )
        return slot

    def _drop(self, pointer: Any) -> None:
        self._slot(pointer)
        del self._slots[int(ffi.cast("uintptr_t", pointer))]
        self._overwrite_lent()

    def _overwrite_lent(self) -> None:
        """Texts are of no use after the next read, or once their entry is given back."""
        for text in self._lent:
            ffi.memmove(text, b"\xa5" * (len(text) - 1), len(text) - 1)
        self._lent.clear()

    def _read_entry_field(self, entry: Any, accessor: Any, out: Any) -> int:
        values, (name, kind) = self._slot(entry).entry, self._field(accessor)
        self._overwrite_lent()
        value = values.get(name, "" if kind is StateType.STRING else 0)
        if kind is StateType.STRING:
            value = ffi.new("char[]", value.encode())
            self._lent.append(value)
        setattr(out, _PARTS[kind], value)
        return Rc.SUCCESS

    def _release_table_entry(self, entry: Any) -> None:
        if self._slot(entry).iterated:
            raise ContractError(f"table {self.name!r}: an entry of an iteration is given back")
        self._drop(entry)

    def _iterate_entries(self, visit: Any, state: Any) -> int:
        for values in list(self.entries.values()):
            pointer = self._lend(_Slot(values, iterated=True))
            go_on = visit(state, pointer)
            self._drop(pointer)
            if not go_on:
                return 0
        return 1

    # ---- writing

    def _clear_table(self) -> int:
        self.entries.clear()
        return Rc.SUCCESS

    def _erase_table_entry(self, key: Any) -> int:
        if self.entries.pop(self._key(key), None) is None:
            raise TableFailure("table entry not found")
        return Rc.SUCCESS

    def _create_table_entry(self) -> Any:
        return self._lend(_Slot({}, fresh=True))

    def _destroy_table_entry(self, entry: Any) -> None:
        self._drop(entry)

    def _add_table_entry(self, key: Any, entry: Any) -> Any:
        slot = self._slot(entry)
        if not slot.fresh:
            raise ContractError(f"table {self.name!r}: an entry is added that was not just made")
        slot.fresh = False
        self.entries[self._key(key)] = slot.entry
        return entry

    def _write_entry_field(self, entry: Any, accessor: Any, given: Any) -> int:
        values, (name, kind) = self._slot(entry).entry, self._field(accessor)
        if name in self.read_only:
            raise TableFailure(f"can't write a read-only field: {name}")
        value = getattr(given, _PARTS[kind])
        if kind is StateType.STRING:
            value = ffi.string(value).decode()
        values[name] = bool(value) if kind is StateType.BOOL else value
        return Rc.SUCCESS
