"""Checks the init configuration against the plugin's JSON Schema before ``init``, as hosts do."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from falcopy_sdk.exceptions import ConfigError, LibraryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jsonschema.exceptions import ValidationError

__all__ = ["checked_config"]

_TYPE_NAMES = {
    bool: "boolean",
    dict: "object",
    float: "number",
    int: "integer",
    list: "array",
    str: "string",
    type(None): "null",
}


def checked_config(
    config: str | Mapping[str, Any] | None, schema: Mapping[str, Any] | None, where: str
) -> str:
    """Returns the text that the plugin gets.

    Args:
        config: text as is, a mapping as JSON, None for none at all.
        schema: what ``get_init_schema`` gave; None passes any text. With a schema, an empty text
            becomes ``{}`` (libsinsp's plugin.cpp, validate_init_config_json_schema).
        where: the plugin, for messages.

    Raises:
        ConfigError: the configuration does not fit the schema. No value appears in the text.
        LibraryError: the schema is not a JSON Schema.
    """
    if config is None:
        text = ""
    elif isinstance(config, str):
        text = config
    else:
        text = json.dumps(config)
    if schema is None:
        return text
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import Draft7Validator, validator_for

    text = text or "{}"
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        problem = f"is not valid JSON: {error.msg} at line {error.lineno} column {error.colno}"
        raise ConfigError([problem]) from None
    validator = validator_for(schema, default=Draft7Validator)
    try:
        validator.check_schema(dict(schema))
    except SchemaError as error:
        raise LibraryError(
            f"{where}: get_init_schema is no JSON Schema: {error.message}"
        ) from error
    errors = validator(dict(schema)).iter_errors(document)
    problems = {_sentence(cause) for error in errors for cause in _causes(error)}
    if problems:
        raise ConfigError(sorted(problems))
    return text


def _causes(error: ValidationError) -> list[ValidationError]:
    """Of a choice (anyOf, oneOf): the errors of the one alternative that was meant."""
    alternatives: dict[Any, list[ValidationError]] = {}
    for inner in error.context or ():
        alternatives.setdefault(inner.relative_schema_path[0], []).append(inner)
    meant = [
        inners
        for inners in alternatives.values()
        if not any(i.validator == "type" and not i.relative_path for i in inners)
    ]
    if len(meant) != 1:
        return [error]
    return [cause for inner in meant[0] for cause in _causes(inner)]


def _sentence(error: ValidationError) -> str:
    """Says where and what was expected, never the value: it may be a secret."""
    path = ".".join(str(part) for part in error.absolute_path)
    of = f"{path}." if path else ""
    instance: Any = error.instance
    rule: Any = error.validator
    expected: Any = error.validator_value
    schema: Any = error.schema
    if rule == "required":
        missing = [key for key in expected if key not in instance]
        return (
            f"{of}{missing[0]} is missing"
            if len(missing) == 1
            else (f"{path or 'the configuration'} lacks {', '.join(missing)}")
        )
    if rule == "additionalProperties" and expected is False:
        known = schema.get("properties", {})
        unknown = sorted(set(instance) - set(known))
        near = get_close_matches(unknown[0], list(known), 1)
        hint = (
            f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known)) or 'none'}"
        )
        return f"{of}{unknown[0]} is not a known key; {hint}"
    name = path or "the configuration"
    if rule == "type":
        wanted = expected if isinstance(expected, str) else " or ".join(expected)
        got = _TYPE_NAMES.get(type(instance), type(instance).__name__)
        return f"{name} must be {wanted}, got {got}"
    return f"{name} does not satisfy {rule} {json.dumps(expected)}"
