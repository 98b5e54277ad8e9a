"""Reads the init configuration that a host passes: JSON text to a typed, checked instance."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from falcopy_sdk.declare.records import Record, RefusedError
from falcopy_sdk.declare.secret import Secret
from falcopy_sdk.declare.shapes import (
    ListOf,
    MapOf,
    Nullable,
    Path,
    Problem,
    Shape,
    Text,
)
from falcopy_sdk.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jsonschema import ValidationError

    from falcopy_sdk.declare.spec import PluginSpec

__all__ = ["load_config", "violations"]

#: What hosts pass when falco.yaml has no init_config, null, or an empty map.
_NOTHING: Final = ("", "null", "{}")

_KINDS: Final = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping of keys",
    "null": "null",
}
#: A key that may be shown: longer or stranger ones may be a secret that lost its key.
_SHOWN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")


def load_config(spec: PluginSpec, text: str) -> Any | None:
    """Turn the text that a host passes to ``init`` into the plugin's configuration.

    Args:
        spec: The plugin.
        text: JSON; ``""``, ``"null"`` and ``"{}"`` mean that no key is given.

    Returns:
        An instance of the class under ``@init_schema``; None if the plugin has none.

    Raises:
        ConfigError: One sentence for every key that is wrong, unknown or missing.
    """
    text = text.strip()
    if spec.config is None:
        if text in _NOTHING:
            return None
        raise ConfigError([f"{spec.name} takes no configuration; remove init_config"])
    shape = spec.config.shape
    found: list[Problem] = []
    document = shape.restore(_parse(text), (), found)
    problems = [_sentence(*problem) for problem in found]
    problems += violations(document, spec.config.schema)
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    try:
        return shape.build(document, ())
    except RefusedError as error:
        sentence = _sentence(error.path, error.reason)
        for secret in _secrets(shape, document):
            sentence = sentence.replace(secret, "***")
        # Not chained: the original text may hold a secret.
        raise ConfigError([sentence]) from None


def _parse(text: str) -> Any:
    if text in _NOTHING:
        return {}
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        # Not chained: the exception carries the whole document.
        raise ConfigError(
            [
                f"not JSON: {error.msg} (line {error.lineno}, column {error.colno}); "
                "in falco.yaml, write the keys as a map under init_config"
            ]
        ) from None


def violations(document: Any, schema: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a document: sentences that show no value."""
    from jsonschema import Draft7Validator  # 0.1 s to import, and needed once a start

    errors = sorted(
        Draft7Validator(dict(schema)).iter_errors(document),
        key=lambda error: [str(part) for part in error.absolute_path],
    )
    return [_sentence(*problem) for error in errors for problem in _describe(error)]


def _describe(error: ValidationError) -> Iterator[Problem]:
    # jsonschema's own messages quote the value, which may be a secret.
    path: Path = tuple(error.absolute_path)
    limit: Any = error.validator_value
    value: Any = error.instance
    schema: Any = error.schema
    match error.validator:
        case "required":
            for key in limit:
                if key not in value:
                    yield (*path, key), f"missing; expected {_expected(schema['properties'][key])}"
        case "additionalProperties":
            known = list(schema["properties"])
            for key in value:
                if key not in known:
                    yield path, _unknown(key, known)
        case "type" | "enum":
            yield path, f"expected {_expected(schema)}, got {_got(value)}{_near(value, limit)}"
        case "minimum":
            yield path, f"must be at least {limit}"
        case "maximum":
            yield path, f"must be at most {limit}"
        case "minLength" if limit == 1:
            yield path, "must not be empty"
        case "minLength" | "minItems" | "minProperties":
            yield path, f"must have at least {limit} {_counted(error.validator, limit)}"
        case "maxLength" | "maxItems" | "maxProperties":
            yield path, f"must have at most {limit} {_counted(error.validator, limit)}"
        case "pattern":
            yield path, f"must match the pattern {limit}"
        case other:
            yield path, f"breaks the rule {other} of the plugin's schema"


def _expected(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        choices = ", ".join(orjson.dumps(choice).decode() for choice in schema["enum"])
        words = f"one of {choices}"
    else:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        words = " or ".join(_KINDS[name] for name in types)
        if schema.get("writeOnly"):
            words = words.replace("text", "a secret text")
    description = schema.get("description")
    return f"{words} ({description})" if description else words


def _got(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    names = {str: "text", list: "a list", dict: "a mapping of keys", type(None): "null"}
    return names[type(value)]


def _near(value: Any, choices: Any) -> str:
    if not isinstance(value, str) or not isinstance(choices, list):
        return ""
    near = difflib.get_close_matches(value, [c for c in choices if isinstance(c, str)], n=1)
    return f'; did you mean "{near[0]}"?' if near else ""


def _unknown(key: str, known: Iterable[str]) -> str:
    names = list(known)
    shown = f'"{key}"' if _SHOWN_KEY.fullmatch(key) else f"of {len(key)} characters"
    near = difflib.get_close_matches(key, names, n=1)
    if near:
        return f'unknown key {shown}; did you mean "{near[0]}"?'
    return f"unknown key {shown}; the keys are {', '.join(names) or '(none)'}"


def _counted(validator: str, count: int) -> str:
    noun = {"Length": "character", "Items": "element", "Properties": "key"}[validator[3:]]
    return noun if count == 1 else f"{noun}s"


def _sentence(path: Path, problem: str) -> str:
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _SHOWN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[a key of {len(part)} characters]"
    return f"{text}: {problem}" if text else problem


def _secrets(shape: Shape, value: Any) -> Iterator[str]:
    """Find the secret texts of a document."""
    if isinstance(shape, Nullable):
        yield from _secrets(shape.inner, value) if value is not None else ()
    elif isinstance(shape, Text):
        if shape.cls is Secret:
            yield value
    elif isinstance(shape, ListOf):
        for item in value:
            yield from _secrets(shape.element, item)
    elif isinstance(shape, MapOf):
        for item in value.values():
            yield from _secrets(shape.element, item)
    elif isinstance(shape, Record):
        for key, entry in shape.entries.items():
            if key in value:
                yield from _secrets(entry.shape, value[key])
