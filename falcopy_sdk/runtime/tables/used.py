"""Tables of the host and of other plugins, for the length of one call of the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from falcopy_sdk.abi import Rc, ffi
from falcopy_sdk.declare.names import did_you_mean
from falcopy_sdk.declare.tables import Table, TableEntry
from falcopy_sdk.exceptions import TableError
from falcopy_sdk.runtime.tables.values import load, new_data, store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from falcopy_sdk.declare.spec import TableSpec
    from falcopy_sdk.declare.tables import Key, StateKind
    from falcopy_sdk.runtime.tables.scope import Call, CallScope

__all__ = ["Field", "UsedTable"]

E = TypeVar("E", bound=TableEntry)


class Field(NamedTuple):
    """The accessor of one member, ``ss_plugin_table_field_t *``, and its type in the table."""

    accessor: Any
    kind: StateKind


class _Borrowed:
    """An entry of somebody else's table, as :class:`~falcopy_sdk.declare.tables.Members`."""

    __slots__ = ("_pointer", "_table")

    def __init__(self, table: UsedTable[Any], pointer: Any) -> None:
        self._table = table
        self._pointer: Any = pointer

    def __getitem__(self, name: str) -> Any:
        field = self._table.fields[name]
        if field is None:
            return None
        data = new_data()
        reader = self._table.call().reader
        rc = reader.read_entry_field(self._table.pointer, self._alive(), field.accessor, data)
        if rc != Rc.SUCCESS:
            raise self._table.failed(f"{name} cannot be read")
        return load(data, field.kind)

    def __setitem__(self, name: str, value: Any) -> None:
        self._table.write(self._alive(), name, value)

    def _alive(self) -> Any:
        if self._pointer is None:
            raise self._table.error(
                "the entry is not usable any more: the host's call, the iteration or the `with` "
                "it belongs to is over; get it again"
            )
        return self._pointer

    def release(self) -> None:
        """Give the entry back to the host; a second time does nothing."""
        if self._pointer is not None:
            call = self._table.call()
            # One from an iteration is not borrowed, and not given back (plugin_api.h).
            if self in call.borrowed:
                call.borrowed.discard(self)
                self.give_back(call.reader)

    def give_back(self, reader: Any) -> None:
        """Give the entry back by the reader of its call."""
        reader.release_table_entry(self._table.pointer, self._pointer)
        self._pointer = None

    def forget(self) -> None:
        self._pointer = None


class UsedTable(Table[E]):
    """A table by the host's functions.

    Args:
        spec: Its declaration.
        pointer: ``ss_plugin_table_t *``.
        key_kind: What type its keys have.
        fields: Accessors by member; None: the table lacks an optional one.
        scope: When it is usable.
    """

    __slots__ = ("_key_kind", "_scope", "fields", "pointer")

    def __init__(
        self,
        spec: TableSpec,
        pointer: Any,
        key_kind: StateKind,
        fields: Mapping[str, Field | None],
        scope: CallScope,
    ) -> None:
        super().__init__(spec.name, spec.entry, spec.key, spec.optional)  # type: ignore[arg-type]
        self.pointer = pointer
        self.fields = fields
        self._key_kind = key_kind
        self._scope = scope

    def call(self) -> Call:
        """Return the call that the table is used in; see :meth:`CallScope.call`."""
        return self._scope.call(self.name)

    def error(self, what: str) -> TableError:
        """Return an error that names the table."""
        return TableError(f'table "{self.name}": {what}')

    def failed(self, what: str) -> TableError:
        """Return the error of one of the host's functions."""
        return self._scope.failed(f'table "{self.name}": {what}')

    def _writer(self) -> Any:
        writer = self.call().writer
        if writer == ffi.NULL:
            raise self.error(
                "fields read tables and never write; write in @parse, @capture_open or "
                "@capture_close"
            )
        return writer

    def _key(self, key: Key) -> tuple[Any, Any]:
        data = new_data()
        return data, store(data, self._key_kind, key, f'table "{self.name}": key')

    def _borrow(self, pointer: Any) -> E:
        members = _Borrowed(self, pointer)
        self.call().borrowed.add(members)
        return self.entry(members)

    def write(self, pointer: Any, name: str, value: Any) -> None:
        """Write one member of an entry.

        Raises:
            TableError: The value does not fit, or the table refuses it or is not writable now.
        """
        if name not in self.fields:
            raise self.error(f"no member {name!r}{did_you_mean(name, self.fields)}")
        field = self.fields[name]
        if field is None:
            raise self.error(f"this host's table has no {name}, so it cannot be written")
        data = new_data()
        kept = store(data, field.kind, value, f'table "{self.name}": {name}')
        rc = self._writer().write_entry_field(self.pointer, pointer, field.accessor, data)
        del kept  # a text has to live until here
        if rc != Rc.SUCCESS:
            raise self.failed(f"{name} cannot be written")

    def __len__(self) -> int:
        size = int(self.call().reader.get_table_size(self.pointer))
        if size == 2**64 - 1:
            raise self.failed("its size cannot be had")
        return size

    def get(self, key: Key) -> E | None:
        """See :meth:`Table.get`; a failure of the host is no entry, the API has no difference."""
        data, kept = self._key(key)
        found = self.call().reader.get_table_entry(self.pointer, data)
        del kept
        return None if found == ffi.NULL else self._borrow(found)

    def add(self, key: Key, **members: Any) -> E:
        """See :meth:`Table.add`."""
        writer = self._writer()
        data, kept = self._key(key)
        created = writer.create_table_entry(self.pointer)
        if created == ffi.NULL:
            raise self.failed("an entry cannot be made")
        try:
            for name, value in members.items():
                self.write(created, name, value)
            added = writer.add_table_entry(self.pointer, data, created)
            if added == ffi.NULL:
                raise self.failed(f"no entry can be added under {key!r}")
        except BaseException:
            writer.destroy_table_entry(self.pointer, created)
            raise
        del kept
        return self._borrow(added)

    def erase(self, key: Key) -> None:
        """See :meth:`Table.erase`."""
        data, kept = self._key(key)
        rc = self._writer().erase_table_entry(self.pointer, data)
        del kept
        if rc != Rc.SUCCESS:
            raise self.failed(f"the entry under {key!r} cannot be erased")

    def clear(self) -> None:
        """See :meth:`Table.clear`."""
        if self._writer().clear_table(self.pointer) != Rc.SUCCESS:
            raise self.failed("it cannot be cleared")

    def each(self, visit: Callable[[E], object]) -> bool:
        """See :meth:`Table.each`."""
        stopped = False
        failure: BaseException | None = None

        def step(_state: Any, pointer: Any) -> int:
            nonlocal stopped, failure
            members = _Borrowed(self, pointer)
            try:
                stopped = visit(self.entry(members)) is False
            except BaseException as error:  # noqa: BLE001 - raised again beyond the host's frames
                failure, stopped = error, True
            finally:
                members.forget()
            return 0 if stopped else 1

        callback = ffi.callback("ss_plugin_table_iterator_func_t", step, error=0)
        whole = self.call().reader.iterate_entries(self.pointer, callback, ffi.NULL)
        if failure is not None:
            raise failure
        if not whole and not stopped:
            raise self.failed("its entries cannot be iterated over")
        return not stopped
