"""Fields as an author declares them: ``@extract``, ``extract.path`` and their like.

Everything here only records; :mod:`falcopy_sdk.declare.collect` checks it with the class known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar

from falcopy_sdk.declare.names import shown
from falcopy_sdk.declare.tags import add_tag
from falcopy_sdk.exceptions import DeclarationError

if TYPE_CHECKING:
    from falcopy_sdk.declare.event import Event

__all__ = ["FieldGroup", "FieldOptions", "FunctionField", "MethodField", "PathField", "extract"]

F = TypeVar("F", bound=Callable[..., Any])


class FieldOptions(NamedTuple):
    """What every way of declaring a field shares; unchecked."""

    name: str
    desc: str | None
    add_output: bool
    display: str
    properties: tuple[str, ...]
    cache: bool


class MethodField(NamedTuple):
    """The tag that ``@extract`` leaves on a method."""

    options: FieldOptions


class PathField(NamedTuple):
    """A field found by following keys of ``event.json``; made by ``extract.path``."""

    options: FieldOptions
    keys: tuple[str, ...]
    type: Any
    null: str | None
    each: bool


class FunctionField(NamedTuple):
    """A field computed by a plain function; made by ``extract.function``."""

    options: FieldOptions
    function: Callable[..., Any]
    type: Any


class FieldGroup(NamedTuple):
    """Fields declared by one class attribute, in this order; made by ``extract.group``."""

    fields: tuple[PathField | FunctionField, ...]


Declaration: TypeAlias = PathField | FunctionField | FieldGroup


class _Extract:
    """Declares extractable fields.

    ``@extract("acme.groups")`` stands on a method ``(self, event)``, ``(self, event, key: str)``
    or ``(self, event, index: int)``; ``key: str | None = None`` and ``index: int | None = None``
    make the argument optional. The return annotation gives the type: ``str`` → string, ``int`` →
    uint64, ``bool`` → bool, ``datetime`` → abstime, ``timedelta`` → reltime, ``IPv4Address |
    IPv6Address`` → ipaddr, ``IPv4Network | IPv6Network`` → ipnet, ``list[...]`` → a list. None
    means that the event has no value; a method that raises means the same, and is counted.
    """

    __slots__ = ()

    def __call__(
        self,
        name: str,
        desc: str | None = None,
        *,
        add_output: bool = False,
        display: str = "",
        properties: tuple[str, ...] = (),
        cache: bool = True,
    ) -> Callable[[F], F]:
        """Declare the decorated method as a field.

        Args:
            name: Name in rules, ``"acme.groups"``.
            desc: What it holds; None: the first line of the method's docstring, or else the name.
            add_output: Whether hosts should append it to outputs by themselves (API 3.8).
            display: A title for user interfaces.
            properties: Of ``hidden``, ``info`` and ``conversation`` (plugin_api.h, get_fields).
            cache: False: computed at every request, for what can change within an event.

        Raises:
            DeclarationError: Used without parentheses.
        """
        if not isinstance(name, str):
            where = shown(name)
            raise DeclarationError(
                where, "@extract has no field name", f'write @extract("acme.{_leaf(name)}")'
            )
        tag = MethodField(FieldOptions(name, desc, add_output, display, properties, cache))
        return lambda method: add_tag(method, tag)

    def path(
        self,
        name: str,
        *keys: str,
        desc: str = "",
        type: Any = str,
        null: str | None = None,
        each: bool = False,
        add_output: bool = False,
        display: str = "",
        properties: tuple[str, ...] = (),
        cache: bool = True,
    ) -> PathField:
        """Declare a field as the value under ``keys`` in ``event.json``; no Python runs for it.

        A string field renders what is not a string as compact JSON. A path that is absent, or
        that ends at a JSON null, is no value.

        Args:
            name: Name in rules, ``"acme.user"``.
            *keys: Keys from the outermost object inwards.
            desc: What it holds; not optional.
            type: ``str``, ``int``, ``bool``, ``datetime``, ``timedelta``, ... or a list of one.
            null: For a string field: the text that a JSON null stands for.
            each: For a list field: a list on the way is followed through each of its elements, one
                value for every element that has it; an index in rules, ``field[2]``, follows that
                element only. False: only objects are on the way, and the value itself is the list.
            add_output: See :meth:`__call__`.
            display: See :meth:`__call__`.
            properties: See :meth:`__call__`.
            cache: See :meth:`__call__`.
        """
        options = FieldOptions(name, desc, add_output, display, properties, cache)
        return PathField(options, keys, type, null, each)

    def function(
        self,
        name: str,
        function: Callable[[Event], Any] | Callable[[Event, Any], Any],
        *,
        desc: str | None = None,
        type: Any = None,
        add_output: bool = False,
        display: str = "",
        properties: tuple[str, ...] = (),
        cache: bool = True,
    ) -> FunctionField:
        """Declare a field that a plain function computes, ``function(event[, argument])``.

        Args:
            name: Name in rules.
            function: Annotated like a method under ``@extract``, without ``self``.
            desc: What it holds; None: the first line of the function's docstring, or else the
                name.
            type: For a function without a return annotation; an unannotated argument is then a
                key if it is called ``key`` and an index if it is called ``index``.
            add_output: See :meth:`__call__`.
            display: See :meth:`__call__`.
            properties: See :meth:`__call__`.
            cache: See :meth:`__call__`.
        """
        options = FieldOptions(name, desc, add_output, display, properties, cache)
        return FunctionField(options, function, type)

    def group(self, *declarations: Declaration) -> FieldGroup:
        """Declare several fields with one class attribute, for generated families of fields.

        Args:
            *declarations: What :meth:`path`, :meth:`function` and :meth:`group` return.

        Raises:
            DeclarationError: One is something else.
        """
        fields: list[PathField | FunctionField] = []
        for declaration in declarations:
            if isinstance(declaration, FieldGroup):
                fields += declaration.fields
            elif isinstance(declaration, (PathField, FunctionField)):
                fields.append(declaration)
            else:
                raise DeclarationError(
                    "extract.group",
                    f"{type(declaration).__name__} is not a declared field",
                    "pass what extract.path(...) and extract.function(...) return, "
                    "a list of them with a star",
                )
        return FieldGroup(tuple(fields))


def _leaf(named: object) -> str:
    return str(getattr(named, "__name__", "field"))


extract: Final = _Extract()
