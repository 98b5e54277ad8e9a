"""From a configuration dataclass to its JSON Schema."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import pathlib
import typing
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import orjson

from falcopy_sdk.declare.config import violations
from falcopy_sdk.declare.constraints import Length, Pattern, Range
from falcopy_sdk.declare.records import REQUIRED, Entry, Record
from falcopy_sdk.declare.secret import Secret
from falcopy_sdk.declare.shapes import (
    Boolean,
    Choice,
    ListOf,
    MapOf,
    Nullable,
    Number,
    Scalar,
    Shape,
    Text,
    WholeNumber,
)
from falcopy_sdk.declare.spec import ConfigSpec
from falcopy_sdk.declare.tags import SchemaOptions, schema_options
from falcopy_sdk.declare.types import display, split_none, unwrap
from falcopy_sdk.exceptions import DeclarationError

if typing.TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["config_spec", "exported_schema"]

_SUPPORTED: Final = (
    "use str, Secret, Path, bool, int, float, Literal, an Enum, list[...], tuple[..., ...], "
    "dict[str, ...], a dataclass, or one of these | None"
)
_TEXTS: Final = (str, Secret, pathlib.Path)
_SCALARS: Final[Mapping[Any, type[Scalar]]] = {bool: Boolean, int: WholeNumber, float: Number}


def config_spec(cls: type[Any], where: str, local: Mapping[str, Any]) -> ConfigSpec:
    """Derive the JSON Schema of a configuration class.

    Args:
        cls: A dataclass.
        where: For messages.
        local: Names of the plugin class, which annotations may use.

    Raises:
        DeclarationError: It is no dataclass, one of its fields has no kind of JSON value, or it
            refuses one of its own examples.
    """
    shape = _record(cls, where, local, ())
    schema = shape.schema()
    options = schema_options(cls)
    if options is not None and options.examples:
        schema["examples"] = [_example(given, schema, where) for given in options.examples]
    return ConfigSpec(cls=cls, schema=schema, shape=shape)


def _example(given: Any, schema: Mapping[str, Any], where: str) -> Any:
    """Return an example as JSON."""
    try:
        document = orjson.loads(orjson.dumps(given))
    except TypeError as error:
        raise DeclarationError(
            where, f"has an example that is not JSON: {error}", "write it as falco.yaml has it"
        ) from None
    problems = violations(document, schema)
    if problems:
        raise DeclarationError(
            where, f"has an example that it refuses: {'; '.join(problems)}", "correct the example"
        )
    return document


def exported_schema(config: ConfigSpec) -> dict[str, Any]:
    """Return the schema that hosts are given.

    It documents every key and rejects nothing. libsinsp checks the configuration with it before
    ``init`` and prints one error at most, such as "Value type not permitted by 'type'
    constraint", without what was expected; it knows neither that it made 123 of "123" nor that
    it made "null" of ``{}``, which no ``"type": "object"`` lets through. So the first alternative
    says what the plugin wants, the second lets the rest through to the plugin's own check
    (:func:`falcopy_sdk.declare.config.load_config`), which names every key in a sentence.
    """
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "anyOf": [
            _portable(dict(config.schema)),
            {"description": "Anything else, for the plugin to say what is wrong with it."},
        ],
    }


def _portable(schema: dict[str, Any]) -> dict[str, Any]:
    """Turn patterns into words: C++ hosts throw at regular expressions that only Python knows."""
    if "pattern" in schema:
        note = f"Matches {schema.pop('pattern')}"
        schema["description"] = ". ".join(filter(None, (schema.get("description"), note)))
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            schema[keyword] = _portable(dict(schema[keyword]))
    if "properties" in schema:
        properties = schema["properties"].items()
        schema["properties"] = {key: _portable(dict(inner)) for key, inner in properties}
    return schema


def _record(
    cls: type[Any], where: str, local: Mapping[str, Any], outer: tuple[type[Any], ...]
) -> Record:
    if not dataclasses.is_dataclass(cls):
        raise DeclarationError(where, "is not a dataclass", "put @dataclass under @init_schema")
    if cls in outer:
        raise DeclarationError(
            where, f"holds itself: {display(cls)} has no end", "remove the cycle"
        )
    try:
        hints = typing.get_type_hints(cls, localns={**local, **vars(cls)}, include_extras=True)
    except (NameError, AttributeError, SyntaxError, TypeError) as error:
        raise DeclarationError(
            where,
            f"has an annotation that cannot be resolved: {error}",
            "define or import its names at the top of the module, outside TYPE_CHECKING",
        ) from error
    entries = {}
    for field in cls.__dataclass_fields__.values():
        at = f"{where}.{field.name}"
        if field._field_type is dataclasses._FIELD_INITVAR:  # type: ignore[attr-defined]
            raise DeclarationError(at, "is an InitVar", "make it an ordinary field")
        if field.init and field._field_type is dataclasses._FIELD:  # type: ignore[attr-defined]
            entries[field.name] = _entry(field, hints[field.name], at, local, (*outer, cls))
    options = schema_options(cls) or SchemaOptions()
    return Record(cls, entries, options.additional_properties, _first_line(cls))


def _entry(
    field: dataclasses.Field[Any],
    annotation: Any,
    where: str,
    local: Mapping[str, Any],
    outer: tuple[type[Any], ...],
) -> Entry:
    notes = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    description = next((note for note in notes if isinstance(note, str)), "")
    shape = _shape(annotation, where, local, outer)
    return Entry(shape, description, _default(field, annotation, shape, where))


def _default(field: dataclasses.Field[Any], annotation: Any, shape: Shape, where: str) -> Any:
    """Return a field's default as JSON, None if JSON cannot show it."""
    if field.default_factory in (list, dict, tuple):
        value: Any = field.default_factory()
    elif field.default_factory is not dataclasses.MISSING:
        return None  # not called: it may read what only the host's machine has
    elif field.default is dataclasses.MISSING:
        return REQUIRED
    else:
        value = field.default
    try:
        dumped = shape.dump(value)
    except TypeError:
        raise DeclarationError(
            where,
            f"has a default of another type, {type(value).__name__}, than {display(annotation)}",
            "change one of them",
        ) from None
    return None if isinstance(value, Secret) else dumped


def _shape(
    annotation: Any, where: str, local: Mapping[str, Any], outer: tuple[type[Any], ...]
) -> Shape:
    limits: tuple[Any, ...] = ()
    if get_origin(annotation) is Annotated:
        annotation, *notes = get_args(annotation)
        limits = tuple(note for note in notes if isinstance(note, (Range, Length, Pattern)))
    members, optional = split_none(annotation)
    if len(members) != 1:
        raise DeclarationError(
            where, f"{display(annotation)} is a union of several kinds", _SUPPORTED
        )
    if optional:
        inner = next(arg for arg in get_args(unwrap(annotation)) if arg is not type(None))
        return Nullable(_limited(_shape(inner, where, local, outer), limits, where))
    return _limited(_plain(members[0], where, local, outer), limits, where)


def _plain(
    annotation: Any, where: str, local: Mapping[str, Any], outer: tuple[type[Any], ...]
) -> Shape:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _TEXTS:
        return Text(annotation)
    if annotation in _SCALARS:
        return _SCALARS[annotation]()
    if origin is Literal:
        return _choice([(value, value) for value in arguments], annotation, where)
    if origin is list:
        return ListOf(_shape(arguments[0], where, local, outer))
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return ListOf(_shape(arguments[0], where, local, outer), tuple)
    if origin is dict and arguments[0] is str:
        return MapOf(_shape(arguments[1], where, local, outer))
    if isinstance(annotation, type) and origin is None:
        if issubclass(annotation, enum.Enum):
            return _choice([(member.value, member) for member in annotation], annotation, where)
        if dataclasses.is_dataclass(annotation):
            return _record(annotation, where, local, outer)
    raise DeclarationError(where, f"{display(annotation)} has no kind of JSON value", _SUPPORTED)


def _choice(members: list[tuple[Any, Any]], annotation: Any, where: str) -> Choice:
    if not members or not all(isinstance(plain, (str, int)) for plain, _ in members):
        raise DeclarationError(
            where,
            f"{display(annotation)} has choices other than texts, whole numbers and booleans",
            "use those",
        )
    return Choice(tuple(members))


def _limited(shape: Shape, limits: tuple[Any, ...], where: str) -> Shape:
    for limit in limits:
        inner = shape.inner if isinstance(shape, Nullable) else shape
        keywords: Mapping[str, Any] | None = None
        match limit, inner:
            case (Range(), WholeNumber() | Number()) | (Pattern(), Text()):
                keywords = limit.keywords()
            case Length(), Text():
                keywords = limit.keywords("Length")
            case Length(), ListOf():
                keywords = limit.keywords("Items")
            case Length(), MapOf():
                keywords = limit.keywords("Properties")
        if keywords is None:
            raise DeclarationError(
                where,
                f"{limit} does not apply to {inner.schema().get('type', 'a choice')}",
                "use Range for numbers, Pattern for texts, Length for texts, lists and mappings",
            )
        assert isinstance(inner, (WholeNumber, Number, Text, ListOf, MapOf))  # has keywords
        limited = dataclasses.replace(inner, keywords={**inner.keywords, **keywords})
        shape = Nullable(limited) if isinstance(shape, Nullable) else limited
    return shape


def _first_line(cls: type[Any]) -> str:
    # dataclass() writes a signature where there is no docstring.
    doc = cls.__doc__ or ""
    if doc.startswith(f"{cls.__name__}("):
        return ""
    return (inspect.cleandoc(doc).strip().splitlines() or [""])[0]
