"""From annotations to Falco's field types."""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Any, Final, NewType, Union, get_args, get_origin

from falcopy_sdk.declare.names import shown
from falcopy_sdk.declare.spec import FieldType
from falcopy_sdk.exceptions import DeclarationError

__all__ = ["display", "field_type", "resolve", "split_none", "unwrap"]

_SCALARS: Final[Mapping[Any, FieldType]] = {
    str: FieldType.STRING,
    int: FieldType.UINT64,
    bool: FieldType.BOOL,
    datetime: FieldType.ABSTIME,
    timedelta: FieldType.RELTIME,
    IPv4Address: FieldType.IPADDR,
    IPv6Address: FieldType.IPADDR,
    IPv4Network: FieldType.IPNET,
    IPv6Network: FieldType.IPNET,
}
_SUPPORTED: Final = (
    "str, int, bool, datetime, timedelta, IPv4Address | IPv6Address, IPv4Network | IPv6Network, "
    "or a list of one of them"
)
#: What a list field may be annotated with besides ``tuple[T, ...]``.
_LISTS: Final = (list, Sequence)
_NEAR_MISSES: Final[Mapping[Any, str]] = {
    float: "Falco has no fractions: return int in a smaller unit, or str",
    bytes: "decode it and return str",
    dict: "return str, or take an argument: a field `acme.param[key]` is `(self, event, key: str)`",
    Any: f"return {_SUPPORTED}",
    object: f"return {_SUPPORTED}",
}


def resolve(
    annotation: Any, scope: Callable[..., Any] | type, local: Mapping[str, Any], where: str
) -> Any:
    """Evaluate an annotation that is text, as all are under postponed evaluation.

    Only the annotation asked for is evaluated, so that names which are imported for type checkers
    alone may stand in the others.

    Args:
        annotation: What ``inspect.signature`` gives.
        scope: The function or class whose module the names belong to.
        local: Names that come before those of the module: the plugin class's.
        where: For the message.

    Raises:
        DeclarationError: A name in it is not defined.
    """
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    inner = getattr(scope, "func", scope)  # functools.partial
    namespace = getattr(inner, "__globals__", None)
    if namespace is None:
        namespace = vars(sys.modules[inner.__module__])
    try:
        hints = typing.get_type_hints(holder, namespace, dict(local), include_extras=True)
    except (NameError, AttributeError, SyntaxError, TypeError) as error:
        raise DeclarationError(
            where,
            f"annotation {annotation!r} cannot be resolved: {error}",
            "define or import its names at the top of the module, outside TYPE_CHECKING",
        ) from error
    return hints["it"]


def unwrap(annotation: Any) -> Any:
    """Strip what does not change the type: ``Annotated``, ``NewType`` and ``type`` aliases."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return annotation


def split_none(annotation: Any) -> tuple[tuple[Any, ...], bool]:
    """Return the members of a union other than None, and whether None is one."""
    annotation = unwrap(annotation)
    if get_origin(annotation) not in (Union, types.UnionType):
        return (annotation,), False
    members = tuple(unwrap(member) for member in get_args(annotation))
    rest = tuple(member for member in members if member is not type(None))
    return rest, len(rest) < len(members)


def display(annotation: Any) -> str:
    """Write an annotation as the author would."""
    if annotation is type(None):
        return "None"
    if isinstance(annotation, type) and not get_args(annotation):
        return shown(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        return " | ".join(display(member) for member in get_args(annotation))
    return str(annotation).replace("typing.", "")


def field_type(annotation: Any, where: str) -> tuple[FieldType, bool]:
    """Return the Falco type that an annotation means, and whether it is a list.

    Raises:
        DeclarationError: It means none.
    """
    members, _ = split_none(annotation)
    if len(members) == 1:
        element = _element(members[0], where)
        if element is not None:
            elements, optional = split_none(element)
            if optional:
                raise DeclarationError(
                    where,
                    f"a list of {display(element)} has no Falco type: an element cannot be absent",
                    "leave absent elements out of the list",
                )
            return _scalar(elements, element, where), True
    return _scalar(members, annotation, where), False


def _element(annotation: Any, where: str) -> Any:
    """Return the element type of a list annotation; None if it is no list."""
    if annotation in (list, tuple, set, frozenset, Sequence):
        raise DeclarationError(
            where, f"{display(annotation)} does not say of what", "write list[str], for example"
        )
    arguments = get_args(annotation)
    if get_origin(annotation) in _LISTS:
        return arguments[0]
    if get_origin(annotation) is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return arguments[0]
    return None


def _scalar(members: Sequence[Any], annotation: Any, where: str) -> FieldType:
    found = {_SCALARS[member] for member in members if member in _known(members)}
    if len(found) == 1 and all(member in _known(members) for member in members):
        return found.pop()
    fix = f"return {_SUPPORTED}"
    for member in members:
        fix = _NEAR_MISSES.get(get_origin(member) or member, fix)
    raise DeclarationError(where, f"{display(annotation)} has no Falco type", fix)


def _known(members: Sequence[Any]) -> set[Any]:
    return {member for member in members if isinstance(member, type) and member in _SCALARS}
