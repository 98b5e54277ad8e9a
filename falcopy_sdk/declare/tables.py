"""Tables as an author declares and uses them: state that plugins and the host share.

Everything here only records and says what there is; :mod:`falcopy_sdk.declare.tablespecs` checks
it with the plugin class known, and the runtime puts working tables in its place.
"""

from __future__ import annotations

import enum
import inspect
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    Generic,
    Literal,
    Protocol,
    TypeAlias,
    TypeVar,
)
from typing import overload as _overload

from falcopy_sdk.declare.names import shown
from falcopy_sdk.exceptions import DeclarationError, TableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "Added",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "Key",
    "Members",
    "OwnTable",
    "StateKind",
    "Table",
    "TableEntry",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "table",
]


class StateKind(enum.Enum):
    """Types of keys and fields by their names in plugin_types.h, ss_plugin_state_type."""

    INT8 = "int8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    UINT8 = "uint8"
    UINT16 = "uint16"
    UINT32 = "uint32"
    UINT64 = "uint64"
    STRING = "string"
    BOOL = "bool"


Int8: TypeAlias = Annotated[int, StateKind.INT8]
Int16: TypeAlias = Annotated[int, StateKind.INT16]
Int32: TypeAlias = Annotated[int, StateKind.INT32]
Int64: TypeAlias = Annotated[int, StateKind.INT64]
UInt8: TypeAlias = Annotated[int, StateKind.UINT8]
UInt16: TypeAlias = Annotated[int, StateKind.UINT16]
UInt32: TypeAlias = Annotated[int, StateKind.UINT32]
UInt64: TypeAlias = Annotated[int, StateKind.UINT64]

Key: TypeAlias = int | str | bool
E = TypeVar("E", bound="TableEntry")


class Added:
    """The mark of a member that the plugin adds to somebody else's table."""

    __slots__ = ()


class Members(Protocol):
    """What an entry stands for: the values of its members by name."""

    def __getitem__(self, name: str, /) -> Any: ...
    def __setitem__(self, name: str, value: Any, /) -> None: ...
    def release(self) -> None:
        """Give it back to the table, if it is somebody else's."""


class _Member:
    """A member of an entry: reads and writes through what the entry stands for."""

    __slots__ = ("default", "name")

    def __init__(self, name: str, default: Any) -> None:
        self.name = name
        self.default = default

    def __get__(self, entry: TableEntry | None, _: type | None = None) -> Any:
        return self if entry is None else entry._members[self.name]

    def __set__(self, entry: TableEntry, value: Any) -> None:
        entry._members[self.name] = value


class TableEntry:
    """Base of the classes that name the members of a table's entries.

    Each annotation is a field of the table: ``str``, ``bool``, or an integer of an explicit width
    (``Int8`` to ``UInt64``). For a table of somebody else, plain ``int`` means an integer of
    whichever width the table has, ``| None`` a field that may be missing, and ``=
    table.added()`` one that the plugin adds to it. For a table of the plugin's own, a value is the
    default of new entries; without one it is 0, ``""`` or False.

    Reading a member asks the table, writing one changes it. An entry of somebody else's table lives
    until the host's call is over that it was got in, or until it is left as a context manager.
    """

    __slots__ = ("_members",)

    def __init__(self, members: Members) -> None:
        self._members = members

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in inspect.get_annotations(cls):
            setattr(cls, name, _Member(name, vars(cls).get(name, inspect.Parameter.empty)))

    def __enter__(self: E) -> E:
        return self

    def __exit__(self, *_: object) -> None:
        self._members.release()

    def __setattr__(self, name: str, value: Any) -> None:
        if not hasattr(type(self), name):
            raise AttributeError(f"{type(self).__name__} has no member {name!r}")
        super().__setattr__(name, value)


class Table(Generic[E]):
    """A table, as ``self.<attribute>`` of a plugin has it. Declared by ``table(...)``.

    A table of the host or of another plugin is usable in ``@parse``, ``@capture_open`` and
    ``@capture_close``, and for reading in a field with ``cache=False``, on the thread that runs
    them (plugin_api.h); elsewhere every method raises. A table of the plugin's own is usable
    always.
    """

    __slots__ = ("entry", "key", "name", "optional")

    def __init__(self, name: str, entry: type[E], key: Any, optional: bool) -> None:
        self.name = name
        self.entry = entry
        self.key = key
        self.optional = optional

    def __len__(self) -> int:
        """Return how many entries there are.

        Raises:
            TableError: The table does not tell, or is not usable now.
        """
        raise self._unbound()

    def __bool__(self) -> bool:
        """A table is there, also when it is empty."""
        return True

    def get(self, key: Key) -> E | None:
        """Return the entry under a key, or None.

        Raises:
            TableError: The key does not fit, or the table is not usable now.
        """
        raise self._unbound()

    def add(self, key: Key, **members: Any) -> E:
        """Add an entry and return it; an entry that was there under the key is replaced.

        Args:
            key: Of the new entry.
            **members: Values of its members; the others keep their defaults.

        Raises:
            TableError: The table refuses the key or a value, or is not writable now.
        """
        raise self._unbound()

    def erase(self, key: Key) -> None:
        """Remove an entry.

        Raises:
            TableError: There is none, or the table is not writable now.
        """
        raise self._unbound()

    def clear(self) -> None:
        """Remove every entry.

        Raises:
            TableError: The table refuses it, or is not writable now.
        """
        raise self._unbound()

    def each(self, visit: Callable[[E], object]) -> bool:
        """Call ``visit(entry)`` for every entry, until it returns False.

        The entry is of no use once ``visit`` has returned. Entries must not be added or erased
        meanwhile, unless the table is the plugin's own; what is erased there is not visited.

        Returns:
            Whether every entry was visited.

        Raises:
            TableError: The table fails, or is not usable now.
            Exception: What ``visit`` raises; it ends the iteration.
        """
        raise self._unbound()

    def _unbound(self) -> TableError:
        return TableError(
            f'table "{self.name}" is only declared here; use it through self in an initialised '
            "plugin"
        )


class OwnTable(Table[E]):
    """A table of the plugin's own, declared by ``table.own(...)``; usable from any thread."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Key]:
        """Iterate over the keys there are now, as over those of a dict."""
        raise self._unbound()


class _TableDeclarer:
    """Declares tables as attributes of a plugin class.

    ``table("threads", Thread, key=int)`` is one of the host or of another plugin, and
    ``table.own("acme_sessions", Session, key=UInt64)`` one that others may use. The plugin needs a
    field or ``@parse``: hosts give tables to no other.
    """

    __slots__ = ()

    @_overload
    def __call__(
        self, name: str, entry: type[E], *, key: Any, optional: Literal[False] = False
    ) -> Table[E]: ...
    @_overload
    def __call__(
        self, name: str, entry: type[E], *, key: Any, optional: Literal[True]
    ) -> Table[E] | None: ...
    def __call__(
        self, name: str, entry: type[E], *, key: Any, optional: bool = False
    ) -> Table[E] | None:
        """Declare that the plugin uses a table of the host or of another plugin.

        Args:
            name: ``"threads"``, for example.
            entry: A :class:`TableEntry` with the members that the plugin uses.
            key: ``int`` for an integer of any width, ``str``, ``bool``, ``Int64``, ...
            optional: Whether the attribute is None where there is no such table; otherwise the
                plugin does not start.
        """
        return Table(_text(name, "table"), entry, key, optional)

    def own(self, name: str, entry: type[E], *, key: Any) -> OwnTable[E]:
        """Declare a table that the plugin owns and other plugins may use.

        Args:
            name: By which others find it; unique among the tables of a host.
            entry: A :class:`TableEntry` with its members; others may add more.
            key: ``str``, ``bool``, or an integer of an explicit width.
        """
        return OwnTable(_text(name, "table.own"), entry, key, False)

    def added(self) -> Any:
        """Mark a member as one that the plugin adds to somebody else's table.

        Adding what another plugin, or another state of this one, has added already is fine.
        """
        return Added()


def _text(name: object, what: str) -> str:
    if not isinstance(name, str):
        raise DeclarationError(
            shown(name), f"{what} has no table name", f'write {what}("threads", Entry, key=int)'
        )
    return name


table: Final = _TableDeclarer()
