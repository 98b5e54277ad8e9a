"""Between Python values and ``ss_plugin_state_data`` (plugin_types.h)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from falcopy_sdk.abi import StateType, ffi
from falcopy_sdk.declare.tables import StateKind
from falcopy_sdk.exceptions import TableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from falcopy_sdk.declare.tables import Key

__all__ = ["checked", "code_of", "kind_of", "load", "new_data", "shown_code", "store"]

_PARTS: Final[Mapping[StateKind, str]] = {
    StateKind.INT8: "s8",
    StateKind.INT16: "s16",
    StateKind.INT32: "s32",
    StateKind.INT64: "s64",
    StateKind.UINT8: "u8",
    StateKind.UINT16: "u16",
    StateKind.UINT32: "u32",
    StateKind.UINT64: "u64",
    StateKind.STRING: "str",
    StateKind.BOOL: "b",
}
_KINDS: Final[Mapping[int, StateKind]] = {int(StateType[k.name]): k for k in StateKind}


def code_of(kind: StateKind) -> int:
    """Return the number of a type, ``ss_plugin_state_type``."""
    return int(StateType[kind.name])


def kind_of(code: int) -> StateKind | None:
    """Return the type of a number; None for tables within tables and unknown ones."""
    return _KINDS.get(code)


def shown_code(code: int) -> str:
    """Return the name of a type by its number, for messages."""
    kind = kind_of(code)
    if kind is not None:
        return kind.value
    return "a table of its own" if code == StateType.TABLE else f"of the unknown type {code}"


def new_data() -> Any:
    """Return a zeroed ``ss_plugin_state_data *``."""
    return ffi.new("ss_plugin_state_data *")


def store(data: Any, kind: StateKind, value: object, what: str) -> Any:
    """Write a value.

    Args:
        data: ``ss_plugin_state_data *``.
        kind: What type it has.
        value: What to write.
        what: Names it in messages.

    Returns:
        What has to live as long as ``data`` is used; None: nothing.

    Raises:
        TableError: The value does not fit the type.
    """
    data.u64 = 0
    value = checked(kind, value, what)
    if kind is StateKind.STRING:
        text = ffi.new("char[]", str(value).encode(errors="replace"))
        data.str = text
        return text
    setattr(data, _PARTS[kind], value)
    return None


def checked(kind: StateKind, value: object, what: str) -> Key:
    """Return a value as its type has it.

    Raises:
        TableError: It does not fit.
    """
    if kind is StateKind.STRING:
        if not isinstance(value, str):
            raise TableError(f"{what}: expected str, got {type(value).__name__}")
        if "\0" in value:
            raise TableError(f"{what}: the text holds a NUL, where hosts stop reading; remove it")
        return value
    if not isinstance(value, int):
        expected = "bool" if kind is StateKind.BOOL else "int"
        raise TableError(f"{what}: expected {expected}, got {type(value).__name__}")
    if kind is StateKind.BOOL:
        return bool(value)
    bits = 8 * int(ffi.sizeof(f"{kind.value}_t"))
    low = 0 if kind.value.startswith("u") else -(2 ** (bits - 1))
    if not low <= value < low + 2**bits:
        raise TableError(f"{what}: {value} is outside what {kind.value} holds")
    return int(value)


def load(data: Any, kind: StateKind) -> Key:
    """Read a value; a text is copied, and NULL is the empty one."""
    value = getattr(data, _PARTS[kind])
    if kind is StateKind.STRING:
        return "" if value == ffi.NULL else str(ffi.string(value).decode(errors="replace"))
    return bool(value) if kind is StateKind.BOOL else int(value)
