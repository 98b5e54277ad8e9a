"""From the tables declared on a plugin class to what the runtime and the host need of them."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args, get_origin

from falcopy_sdk.declare import names
from falcopy_sdk.declare.spec import TableMember, TableSpec
from falcopy_sdk.declare.tables import Added, OwnTable, StateKind, Table, TableEntry
from falcopy_sdk.declare.types import display, resolve
from falcopy_sdk.exceptions import DeclarationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from falcopy_sdk.declare.collect import Attribute

__all__ = ["tables_of"]

_WIDTHS: Final = "Int8 to Int64, UInt8 to UInt64"
_DEFAULTS: Final = {StateKind.STRING: "", StateKind.BOOL: False}


def tables_of(
    cls: type[Any], attributes: Iterable[Attribute], *, given_by_hosts: bool
) -> tuple[TableSpec, ...]:
    """Check every table that a plugin class declares.

    Args:
        cls: The plugin class.
        attributes: What it declares.
        given_by_hosts: Whether the plugin extracts or parses: hosts pass NULL for tables
            otherwise (libsinsp, plugin.cpp).

    Raises:
        DeclarationError: One would not work.
    """
    found: dict[str, str] = {}
    specs: list[TableSpec] = []
    for attribute in attributes:
        if not isinstance(attribute.value, Table):
            continue
        spec = _table(attribute)
        where = attribute.where
        if not given_by_hosts:
            raise DeclarationError(
                where,
                "hosts give tables only to plugins that extract fields or parse events",
                "add @extract, extract.path or @parse, or remove the table",
            )
        if cls.__dictoffset__ == 0:
            raise DeclarationError(
                where, "a plugin with tables has __slots__ only", "remove __slots__ from the class"
            )
        if spec.name in found:
            raise DeclarationError(
                where,
                f'table "{spec.name}" is declared already, by {found[spec.name]}',
                "keep one of them",
            )
        found[spec.name] = where
        specs.append(spec)
    # Own tables come first, so that they are there whoever looks for them.
    return tuple(sorted(specs, key=lambda spec: not spec.owned))


def _table(attribute: Attribute) -> TableSpec:
    declared, where = attribute.value, f'{attribute.where} (table "{attribute.value.name}")'
    owned = isinstance(declared, OwnTable)
    names.check_text(attribute.where, "the table's name", declared.name)
    entry = declared.entry
    if not (isinstance(entry, type) and issubclass(entry, TableEntry)):
        raise DeclarationError(
            where,
            f"{display(entry)} is not a class of entries",
            "derive a class from TableEntry and annotate its members",
        )
    key, optional = _kind(declared.key, where, "key", owned=owned)
    if optional:
        raise DeclarationError(where, "key cannot be None", "write key=int, for example")
    members = tuple(_members(entry, where, attribute.local, owned))
    if not members:
        raise DeclarationError(
            where, f"{names.shown(entry)} has no members", "annotate at least one, `comm: str`"
        )
    return TableSpec(attribute.name, declared.name, entry, key, members, owned, declared.optional)


def _members(
    entry: type[TableEntry], where: str, local: Mapping[str, Any], owned: bool
) -> Iterable[TableMember]:
    # Bases first, and as with dataclass fields, an override keeps the place of what it overrides.
    found: dict[str, tuple[type, Any]] = {}
    for holder in reversed(entry.__mro__):
        if issubclass(holder, TableEntry) and holder is not TableEntry:
            found |= {n: (holder, a) for n, a in inspect.get_annotations(holder).items()}
    for name, (holder, annotation) in found.items():
        at = f"{where}: {names.shown(holder)}.{name}"
        kind, optional = _kind(resolve(annotation, holder, local, at), at, name, owned=owned)
        yield _member(at, name, kind, optional, vars(holder)[name].default, owned)


def _member(
    at: str, name: str, kind: StateKind | None, optional: bool, default: Any, owned: bool
) -> TableMember:
    if isinstance(default, Added):
        if owned:
            raise DeclarationError(
                at, "table.added() is for tables of others", "leave it out, or give a default"
            )
        if kind is None or optional:
            raise DeclarationError(
                at,
                "what is added to a table needs a type of its own, without None",
                f"write `{name}: UInt64 = table.added()`, with one of {_WIDTHS}, str or bool",
            )
        return TableMember(name, kind, added=True)
    if default is inspect.Parameter.empty:
        return TableMember(name, kind, optional=optional, default=_DEFAULTS.get(kind, 0))  # type: ignore[arg-type]
    if not owned:
        raise DeclarationError(
            at,
            "has a value, and only members of the plugin's own tables have defaults",
            "leave the value out, or write `= table.added()`",
        )
    return TableMember(name, kind, default=default)


def _kind(annotation: Any, where: str, what: str, *, owned: bool) -> tuple[StateKind | None, bool]:
    """Return the type that an annotation means, None for any integer, and whether it has None."""
    union = get_args(annotation) if _is_union(annotation) else (annotation,)
    members = [member for member in union if member is not type(None)]
    optional = len(members) < len(union)
    if len(members) != 1 or (optional and owned):
        raise _no_kind(annotation, where, what, owned)
    member = members[0]
    if get_origin(member) is Annotated:
        kinds: Sequence[Any] = [a for a in get_args(member)[1:] if isinstance(a, StateKind)]
        if kinds:
            return kinds[0], optional
        member = get_args(member)[0]
    if member is str:
        return StateKind.STRING, optional
    if member is bool:
        return StateKind.BOOL, optional
    if member is int and not owned:
        return None, optional
    raise _no_kind(annotation, where, what, owned)


def _is_union(annotation: Any) -> bool:
    return type(None) in get_args(annotation) and get_origin(annotation) is not Annotated


def _no_kind(annotation: Any, where: str, what: str, owned: bool) -> DeclarationError:
    problem = f"`{what}: {display(annotation)}` is no type of a table"
    if annotation is int:
        problem = f"`{what}: int` does not say how wide it is"
    fix = f"use str, bool, or one of {_WIDTHS}"
    return DeclarationError(where, problem, fix if owned else f"{fix}, or int for any width")
