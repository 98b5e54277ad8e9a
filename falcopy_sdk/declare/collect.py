"""From the attributes of a plugin class to its fields and capabilities."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from falcopy_sdk.declare import names
from falcopy_sdk.declare.fields import (
    FieldGroup,
    FieldOptions,
    FunctionField,
    MethodField,
    PathField,
)
from falcopy_sdk.declare.signature import (
    argument_kind,
    check_count,
    check_method,
    return_annotation,
)
from falcopy_sdk.declare.spec import ArgumentKind, FieldSpec, FieldType
from falcopy_sdk.declare.tables import Table
from falcopy_sdk.declare.tags import CapabilityTag, schema_options, tags_of
from falcopy_sdk.declare.types import field_type
from falcopy_sdk.exceptions import DeclarationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Attribute", "Tagged", "collect", "fields_of", "tagged"]

#: Properties of a field that hosts know (plugin_api.h, get_fields).
_PROPERTIES: Final = ("hidden", "info", "conversation")
_DECLARED: Final = (PathField, FunctionField, FieldGroup, Table)


class Attribute(NamedTuple):
    """A class attribute that declares something.

    Attributes:
        name: Its name on the class.
        value: What the class holds under it.
        where: Class and attribute, for messages.
        local: Names of the class that holds it, for its annotations.
    """

    name: str
    value: Any
    where: str
    local: Mapping[str, Any]


class Tagged(NamedTuple):
    """A capability tag and the method that carries it."""

    attribute: Attribute
    tag: CapabilityTag


def collect(cls: type) -> list[Attribute]:
    """Return what declares something on a class and its bases: bases first, as written.

    Raises:
        DeclarationError: A derived class hides a declaration by something undeclared.
    """
    found: dict[str, Attribute] = {}
    for holder in reversed(cls.__mro__):
        # All names of the class so far: a mix-in's annotations may use a nested class of it.
        local = {**vars(cls), **vars(holder)}
        for name, value in vars(holder).items():
            where = f"{names.shown(holder)}.{name}"
            if isinstance(value, _DECLARED) or tags_of(value) or schema_options(value) is not None:
                # As with dataclass fields, an override keeps the place of what it overrides.
                found[name] = Attribute(name, value, where, local)
            elif name in found:
                if value is not None:
                    raise DeclarationError(
                        where,
                        f"hides the declaration {found[name].where}",
                        f"declare it again with the decorator, or write `{name} = None` "
                        "to do without",
                    )
                del found[name]
    return list(found.values())


def tagged(attributes: Iterable[Attribute]) -> dict[str, Tagged]:
    """Return the capability tags by decorator.

    Raises:
        DeclarationError: Two methods carry the same one.
    """
    found: dict[str, Tagged] = {}
    for attribute in attributes:
        for tag in tags_of(attribute.value):
            if not isinstance(tag, CapabilityTag):
                continue
            if tag.decorator in found:
                first = found[tag.decorator].attribute.name
                raise DeclarationError(
                    attribute.where,
                    f"is the second @{tag.decorator} of the plugin, after {first}",
                    "keep one of them",
                )
            found[tag.decorator] = Tagged(attribute, tag)
    return found


def fields_of(attributes: Iterable[Attribute]) -> tuple[FieldSpec, ...]:
    """Check every declared field.

    Raises:
        DeclarationError: One cannot be given to hosts.
    """
    found: dict[str, str] = {}
    fields: list[FieldSpec] = []
    for attribute in attributes:
        for field in _fields_of_one(attribute):
            if field.name in found:
                raise DeclarationError(
                    attribute.where,
                    f'field "{field.name}" is declared already, by {found[field.name]}',
                    "rename or remove one of them",
                )
            found[field.name] = attribute.where
            fields.append(field)
    return tuple(fields)


def _fields_of_one(attribute: Attribute) -> Iterable[FieldSpec]:
    value = attribute.value
    for tag in tags_of(value):
        if isinstance(tag, MethodField):
            yield _method(tag, attribute)
    for declared in value.fields if isinstance(value, FieldGroup) else (value,):
        if isinstance(declared, PathField):
            yield _path(declared, attribute)
        elif isinstance(declared, FunctionField):
            yield _function(declared, attribute)


def _method(tag: MethodField, attribute: Attribute) -> FieldSpec:
    where = _where(tag.options, attribute)
    parameters = check_method(
        attribute.value, where, "@extract", ("self", "event", "argument"), optional=1
    )
    argument = ArgumentKind()
    if len(parameters) == 3:
        argument = argument_kind(parameters[2], attribute.value, attribute.local, where)
    annotation = return_annotation(attribute.value, attribute.local, where)
    type_, is_list = field_type(annotation, where)
    desc = _desc(tag.options, where, attribute.value)
    return _spec(tag.options, where, type_, is_list, desc, argument, method=attribute.name)


def _function(declared: FunctionField, attribute: Attribute) -> FieldSpec:
    where = _where(declared.options, attribute)
    function = declared.function
    if not callable(function):
        raise DeclarationError(
            where,
            f"extract.function is given {type(function).__name__}, which cannot be called",
            'write extract.function("acme.field", function, desc="...")',
        )
    if inspect.iscoroutinefunction(function):
        raise DeclarationError(
            where, "extract.function is given a coroutine function", "write `def`, without async"
        )
    parameters = check_count(function, where, "extract.function", ("event", "argument"), optional=1)
    by_name = declared.type is not None
    argument = ArgumentKind()
    if len(parameters) == 2:
        argument = argument_kind(parameters[1], function, attribute.local, where, by_name=by_name)
    annotation = (
        declared.type
        if by_name
        else return_annotation(function, attribute.local, where, ", or pass type=str")
    )
    type_, is_list = field_type(annotation, where)
    desc = _desc(declared.options, where, function)
    return _spec(declared.options, where, type_, is_list, desc, argument, function=function)


def _path(declared: PathField, attribute: Attribute) -> FieldSpec:
    where = _where(declared.options, attribute)
    if not declared.keys:
        raise DeclarationError(
            where,
            "extract.path has no keys",
            'name those that lead to the value: extract.path("acme.user", "actor", "login", ...)',
        )
    for key in declared.keys:
        if not isinstance(key, str):
            raise DeclarationError(
                where,
                f"extract.path has the key {key!r}, which is no text",
                "use @extract for what is not under keys of objects",
            )
    type_, is_list = field_type(declared.type, where)
    if declared.null is not None:
        names.check_text(where, "null", declared.null, empty=True)
        if type_ is not FieldType.STRING:
            raise DeclarationError(
                where,
                f"null={declared.null!r} is for string fields, and this one is {type_.value}",
                "leave null out",
            )
    if declared.each and not is_list:
        raise DeclarationError(
            where, "each=True gives several values", "write type=list[...], or leave each out"
        )
    return _spec(
        declared.options,
        where,
        type_,
        is_list,
        _desc(declared.options, where),
        ArgumentKind(is_index=declared.each),
        path=declared.keys,
        null=declared.null,
        each=declared.each,
    )


def _where(options: FieldOptions, attribute: Attribute) -> str:
    names.check_field_name(attribute.where, options.name)
    return f'{attribute.where} (field "{options.name}")'


def _desc(options: FieldOptions, where: str, function: object = None) -> str:
    if options.desc is not None:
        names.check_text(where, "desc", options.desc)
        return options.desc
    # The docstring of a partial or of an instance is that of its class, and says nothing.
    doc = function.__doc__ if inspect.isfunction(function) else None
    lines = inspect.cleandoc(doc).strip().splitlines() if doc else []
    # Hosts refuse a field without a description; its name is what is left to say.
    return lines[0] if lines else options.name


def _spec(
    options: FieldOptions,
    where: str,
    type_: FieldType,
    is_list: bool,
    desc: str,
    argument: ArgumentKind,
    **how: Any,
) -> FieldSpec:
    names.check_text(where, "display", options.display, empty=True)
    properties = options.properties
    if isinstance(properties, str) or not all(isinstance(name, str) for name in properties):
        raise DeclarationError(
            where, f"properties is {properties!r}, not a list of texts", 'write ("hidden",)'
        )
    for name in properties:
        if name not in _PROPERTIES:
            raise DeclarationError(
                where,
                f'no host knows the property "{name}"{names.did_you_mean(name, _PROPERTIES)}',
                f"use {', '.join(_PROPERTIES)}",
            )
    return FieldSpec(
        name=options.name,
        type=type_,
        is_list=is_list,
        desc=desc,
        display=options.display,
        argument=argument,
        add_output=bool(options.add_output),
        properties=tuple(properties),
        cache=bool(options.cache),
        **how,
    )
