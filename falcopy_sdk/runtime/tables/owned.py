"""A table of the plugin's own: the entries, as Python and as other plugins see them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from falcopy_sdk.abi import ffi
from falcopy_sdk.declare.names import did_you_mean
from falcopy_sdk.declare.tables import OwnTable, TableEntry
from falcopy_sdk.exceptions import TableError
from falcopy_sdk.runtime.tables.values import checked, code_of, kind_of, load, shown_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from falcopy_sdk.declare.spec import TableSpec
    from falcopy_sdk.declare.tables import Key, StateKind

__all__ = ["OwnedTable", "Row", "c_name"]

E = TypeVar("E", bound=TableEntry)

#: Hosts keep the pointer to a table's name beyond the plugin's end (plugin_table_api.cpp).
_names: Final[dict[str, Any]] = {}


def c_name(name: str) -> Any:
    """Return a name as a C string that lives as long as the process."""
    return _names.setdefault(name, ffi.new("char[]", name.encode()))


class Row:
    """An entry, as :class:`~falcopy_sdk.declare.tables.Members` and as others hold it.

    Attributes:
        number: Stands for its address; others get nothing that could be followed.
        values: Of its members and of those that others added.
        listed: Whether it is in the table.
        held: How often it was handed out and not given back.
    """

    __slots__ = ("_table", "_texts", "held", "listed", "number", "values")

    def __init__(self, table: OwnedTable[Any], number: int) -> None:
        self._table = table
        self._texts: dict[str, Any] = {}
        self.number = number
        self.values: dict[str, Key] = {}
        self.listed = False
        self.held = 0

    def __getitem__(self, name: str) -> Key:
        return self.values.get(name, self._table.default(name))

    def __setitem__(self, name: str, value: object) -> None:
        self.values[name] = checked(self._table.kind(name), value, f"{self._table}: {name}")

    def release(self) -> None:
        """Nothing: an own entry is not borrowed."""

    def text(self, name: str) -> Any:
        """Return a text in C; it lives until it is asked for again or the entry is gone."""
        text = self._texts[name] = ffi.new("char[]", str(self[name]).encode(errors="replace"))
        return text


class OwnedTable(OwnTable[E]):
    """The entries of an own table. Usable from any thread: each step is one under the GIL.

    Args:
        spec: Its declaration.
    """

    __slots__ = ("_defaults", "_kinds", "_numbered", "_numbers", "_rows", "key_kind")

    def __init__(self, spec: TableSpec) -> None:
        super().__init__(spec.name, spec.entry, spec.key, False)  # type: ignore[arg-type]
        assert spec.key is not None  # plain int is refused for own tables
        self.key_kind: StateKind = spec.key
        self._kinds: dict[str, StateKind] = {}
        self._defaults: dict[str, Key] = {}
        for member in spec.members:
            assert member.kind is not None
            self._kinds[member.name] = member.kind
            self._defaults[member.name] = checked(
                member.kind, member.default, f"{self}: {member.name}"
            )
        self._rows: dict[Key, Row] = {}
        #: Every row that others may name: listed ones, and those they hold.
        self._numbered: dict[int, Row] = {}
        self._numbers = itertools.count(1)

    def __str__(self) -> str:
        return f'table "{self.name}"'

    def _fail(self, what: str) -> NoReturn:
        raise TableError(f"{self}: {what}")

    # ---- as the author has it

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._rows))

    def get(self, key: Key) -> E | None:
        """See :meth:`Table.get`."""
        row = self._rows.get(self._key(key))
        return None if row is None else self.entry(row)

    def add(self, key: Key, **members: Any) -> E:
        """See :meth:`Table.add`."""
        key = self._key(key)
        row = self.new_row()
        try:
            for name, value in members.items():
                row[name] = value
            self.insert(key, row)
        finally:
            self.give_back(row)
        return self.entry(row)

    def erase(self, key: Key) -> None:
        """See :meth:`Table.erase`."""
        row = self._rows.pop(self._key(key), None)
        if row is None:
            self._fail(f"there is no entry under {key!r}")
        row.listed = False
        self._tidy(row)

    def clear(self) -> None:
        """See :meth:`Table.clear`."""
        # One step, whichever thread adds meanwhile.
        rows, self._rows = self._rows, {}
        for row in rows.values():
            row.listed = False
            self._tidy(row)

    def each(self, visit: Callable[[E], object]) -> bool:
        """See :meth:`Table.each`."""
        return all(visit(self.entry(row)) is not False for row in self.rows() if row.listed)

    def _key(self, key: object) -> Key:
        return checked(self.key_kind, key, f"{self}: key")

    # ---- fields

    def kind(self, name: str) -> StateKind:
        """Return the type of a member.

        Raises:
            TableError: There is no such member.
        """
        if name not in self._kinds:
            self._fail(f"no member {name!r}{did_you_mean(name, self._kinds)}")
        return self._kinds[name]

    def default(self, name: str) -> Key:
        """Return what a member is that was never written."""
        return self._defaults[name]

    def fields(self) -> list[tuple[str, StateKind]]:
        """Return every member, those that others added last."""
        return list(self._kinds.items())

    def field(self, name: str, code: int) -> int:
        """Return the number of a member, from 1.

        Raises:
            TableError: There is none of that name and type.
        """
        kind = self.kind(name)
        if code_of(kind) != code:
            self._fail(f"{name} is {kind.value}, not {shown_code(code)}")
        return list(self._kinds).index(name) + 1

    def add_field(self, name: str, code: int) -> int:
        """Add a member for somebody else, unless it is there already, and return its number.

        Raises:
            TableError: It is there with another type, or of a type that no entry can have.
        """
        if name not in self._kinds:
            kind = kind_of(code)
            if kind is None:
                self._fail(f"{name} cannot be added: it is {shown_code(code)}")
            self._defaults[name] = load(ffi.new("ss_plugin_state_data *"), kind)
            self._kinds[name] = kind
        return self.field(name, code)

    # ---- entries as others hold them

    def rows(self) -> list[Row]:
        """Return what is in the table now."""
        return list(self._rows.values())

    def new_row(self) -> Row:
        """Make an entry that is held once and not in the table."""
        row = Row(self, next(self._numbers))
        row.held = 1
        self._numbered[row.number] = row
        return row

    def insert(self, key: Key, row: Row) -> None:
        """Put a row into the table.

        Raises:
            TableError: It is in it already.
        """
        if row.listed:
            self._fail("the entry is in the table already")
        replaced = self._rows.pop(key, None)
        self._rows[key] = row
        row.listed = True
        if replaced is not None:
            replaced.listed = False
            self._tidy(replaced)

    def hold(self, key: Key) -> Row:
        """Hand out the entry under a key.

        Raises:
            TableError: There is none.
        """
        row = self._rows.get(self._key(key))
        if row is None:
            self._fail(f"there is no entry under {key!r}")
        row.held += 1
        return row

    def row(self, number: int) -> Row:
        """Return an entry that was handed out.

        Raises:
            TableError: There is none of that number: it is NULL, or was given back.
        """
        row = self._numbered.get(number)
        if row is None:
            self._fail("NULL, or an entry that was given back")
        return row

    def give_back(self, row: Row) -> None:
        """End one holding of an entry; too many of them do no harm."""
        row.held = max(0, row.held - 1)
        self._tidy(row)

    def _tidy(self, row: Row) -> None:
        if row.held == 0 and not row.listed:
            self._numbered.pop(row.number, None)

    @property
    def held(self) -> int:
        """How many holdings have not ended."""
        return sum(row.held for row in self._numbered.values())
