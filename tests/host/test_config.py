"""The configuration against a schema: what is said, and that no value is ever said."""

from __future__ import annotations

from typing import Any

import pytest

from falcopy_sdk.exceptions import ConfigError, LibraryError
from falcopy_sdk.host.config import checked_config

_OBJECT = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "inner": {"type": "object", "properties": {"size": {"type": ["integer", "null"]}}},
        "kind": {"enum": ["a", "b"]},
    },
    "required": ["name"],
    "additionalProperties": False,
}
_OPTIONAL = {"anyOf": [_OBJECT, {"type": "null"}]}


@pytest.mark.parametrize("schema", [_OBJECT, _OPTIONAL])
@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "init_config: name is missing"),
        ({"name": 123456}, "init_config: name must be string, got integer"),
        ({"name": "x", "inner": {"size": "s3cret"}}, "inner.size must be integer or null, got str"),
        ({"name": "x", "kind": "s3cret"}, 'kind does not satisfy enum ["a", "b"]'),
        ({"name": "x", "knd": 1}, "knd is not a known key; did you mean kind?"),
        ({"nam": "s3cret"}, "2 problems: nam is not a known key; did you mean name?; name is"),
    ],
)
def test_a_problem_names_the_key_and_what_was_expected(
    schema: dict[str, Any], config: Any, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        checked_config(config, schema, "x")
    assert message in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "123456" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "schema", "text"),
    [
        (None, None, ""),
        ("any text", None, "any text"),
        ({"name": "x"}, None, '{"name": "x"}'),
        (' {"name":"x"}', _OBJECT, ' {"name":"x"}'),
        ("null", _OPTIONAL, "null"),
        ("", {"type": "object"}, "{}"),
        (None, {"type": "object"}, "{}"),
    ],
)
def test_what_fits_is_passed_on_as_hosts_do(config: Any, schema: Any, text: str) -> None:
    assert checked_config(config, schema, "x") == text


def test_a_schema_that_is_none_is_the_plugins_fault() -> None:
    with pytest.raises(LibraryError, match="x: get_init_schema is no JSON Schema"):
        checked_config("{}", {"type": "banana"}, "x")
