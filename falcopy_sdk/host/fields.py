"""Fields as a plugin declares them, and as a rule or a user asks for them: ``name[argument]``."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from falcopy_sdk.abi import FieldTypeCode
from falcopy_sdk.exceptions import LibraryError, RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FieldInfo", "FieldRequest", "parse_request", "read_fields", "split_requests"]

UINT64_MAX = 2**64 - 1


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """One element of ``get_fields`` (plugin_api.h)."""

    id: int
    name: str
    type: FieldTypeCode
    desc: str
    is_list: bool = False
    display: str = ""
    add_output: bool = False
    arg_required: bool = False
    arg_index: bool = False
    arg_key: bool = False
    properties: tuple[str, ...] = ()

    @property
    def takes_argument(self) -> bool:
        """Whether the field may be followed by ``[argument]``."""
        return self.arg_index or self.arg_key


@dataclass(frozen=True, slots=True)
class FieldRequest:
    """One field, with its argument, as given to ``extract_fields``.

    ``key`` and ``index`` are both set for a numeric argument of a field that takes either.
    """

    text: str
    field: FieldInfo
    key: str | None = None
    index: int | None = None

    @property
    def has_argument(self) -> bool:
        """``arg_present`` of the request."""
        return self.key is not None or self.index is not None


def read_fields(text: str, where: str) -> tuple[FieldInfo, ...]:
    """Checks and reads the JSON of ``get_fields`` by the rules of libsinsp's plugin.cpp.

    Args:
        text: the JSON document.
        where: the plugin, for messages.

    Raises:
        LibraryError: a host would refuse the plugin for it.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise LibraryError(f"{where}: get_fields is not valid JSON: {error}") from error
    if not isinstance(found, list) or not found:
        raise LibraryError(f"{where}: get_fields must be a JSON array of at least one field")
    return tuple(_read_field(number, item, where) for number, item in enumerate(found))


def _read_field(number: int, item: Any, where: str) -> FieldInfo:
    if not isinstance(item, dict):
        raise LibraryError(f"{where}: get_fields: element {number} must be an object")

    def text(key: str, required: bool = True) -> str:
        value = item.get(key, "")
        if not isinstance(value, str) or (required and not value):
            raise LibraryError(
                f"{where}: get_fields: element {number} ({item.get('name')!r}): {key!r} must be "
                f"a {'non-empty ' if required else ''}string"
            )
        return value

    def flag(holder: Mapping[str, Any], key: str) -> bool:
        value = holder.get(key, False)
        if not isinstance(value, bool):
            raise LibraryError(
                f"{where}: get_fields: field {item.get('name')!r}: {key!r} must be true or false"
            )
        return value

    name, kind = text("name"), text("type")
    if kind.upper() not in FieldTypeCode.__members__ or kind != kind.lower():
        known = ", ".join(code.name.lower() for code in FieldTypeCode)
        raise LibraryError(
            f"{where}: get_fields: field {name!r} has type {kind!r}, not one of {known}"
        )
    arg = item.get("arg") or {}
    if not isinstance(arg, dict):
        raise LibraryError(f"{where}: get_fields: field {name!r}: 'arg' must be an object")
    required, index, key = (flag(arg, k) for k in ("isRequired", "isIndex", "isKey"))
    if required and not (index or key):
        raise LibraryError(
            f"{where}: get_fields: field {name!r} requires an argument that is neither isIndex "
            "nor isKey"
        )
    properties = item.get("properties") or []
    if not isinstance(properties, list) or not all(isinstance(p, str) for p in properties):
        raise LibraryError(f"{where}: get_fields: field {name!r}: 'properties' must hold strings")
    return FieldInfo(
        id=number,
        name=name,
        type=FieldTypeCode[kind.upper()],
        desc=text("desc"),
        is_list=flag(item, "isList"),
        display=text("display", required=False),
        add_output=flag(item, "addOutput"),
        arg_required=required,
        arg_index=index,
        arg_key=key,
        properties=tuple(properties),
    )


#: libsinsp's filter grammar (filter/parser.cpp): the name, then a bare or a quoted argument.
_REQUEST = re.compile(
    r"""(?P<name>[^\[\]\s]+)
        (?:\[(?:
            (?P<bare>[^\]\["'\s]+)
            | "(?P<double>(?:[^"\\]|\\.)*)"
            | '(?P<single>(?:[^'\\]|\\.)*)'
        )\])?
    """,
    re.VERBOSE,
)
_INDEX = re.compile(r"0|[1-9][0-9]*")


def parse_request(fields: Mapping[str, FieldInfo], text: str) -> FieldRequest:
    r"""Reads ``name`` or ``name[argument]``.

    Args:
        fields: the plugin's fields by name.
        text: what was asked; the argument may stand in quotes, with ``\\`` as the escape.

    Raises:
        RequestError: bad syntax, unknown field, or an argument that the field cannot take.
    """
    match = _REQUEST.fullmatch(text)
    if match is None:
        raise RequestError(f"{text!r} is not a field: expected name or name[argument]")
    field = fields.get(match["name"])
    if field is None:
        near = get_close_matches(match["name"], list(fields), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise RequestError(f"the plugin has no field {match['name']!r}{hint}")
    argument = match["bare"]
    if argument is None:
        quoted = match["double"] if match["double"] is not None else match["single"]
        argument = None if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
    if argument is None:
        if field.arg_required:
            what = "index" if field.arg_index and not field.arg_key else "key"
            raise RequestError(f"field {field.name!r} requires an argument: {field.name}[{what}]")
        return FieldRequest(text, field)
    if not field.takes_argument:
        raise RequestError(f"field {field.name!r} takes no argument, got [{argument}]")
    index = int(argument) if field.arg_index and _INDEX.fullmatch(argument) else None
    if field.arg_index and not field.arg_key and (index is None or index > UINT64_MAX):
        raise RequestError(
            f"field {field.name!r} takes an index (decimal, no leading zeros), got [{argument}]"
        )
    if index is not None and index > UINT64_MAX:
        index = None
    return FieldRequest(text, field, argument if field.arg_key else None, index)


def split_requests(text: str) -> list[str]:
    """Splits ``a,b[x],c["y,z"]`` at the commas outside of arguments."""
    parts = re.findall(
        r"""(?:[^,\[]|\[(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\]])*\]|\[)+""", text
    )
    return [part.strip() for part in parts if part.strip()]
