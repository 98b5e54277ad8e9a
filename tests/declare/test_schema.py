"""The JSON Schema that becomes of a configuration class."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import orjson
import pytest
from jsonschema import Draft7Validator

from falcopy_sdk import (
    DeclarationError,
    Length,
    Pattern,
    Range,
    Secret,
    extract,
    init_schema,
    plugin,
    plugin_spec,
)
from falcopy_sdk.declare.facts import static_facts


def factory_that_must_not_run():
    raise AssertionError("called at declaration")


@plugin(name="acme", version="0.1.0", description="Acme", contact="acme@example")
class Acme:
    user = extract.path("acme.user", "user", desc="User")

    @init_schema
    @dataclass
    class Config:
        """What Acme needs.

        More of it.
        """

        @dataclass
        class Proxy:
            url: str

        token: Annotated[Secret, "API token"]
        interval: Annotated[float, "seconds", Range(min=0.1, max=60)] = 10.0
        name: Annotated[str, "Name", Pattern("^(?P<x>a)")] = "a"
        limit: Annotated[int | None, "At most"] = None
        mode: Literal["fast", "safe"] | None = "fast"
        spool: Path = Path("/var/spool")
        spare: Secret = Secret("built-in")  # noqa: RUF009 - immutable
        tags: Annotated[list[Annotated[str, Length(min=2), Pattern("x")]], Length(max=3)] = field(
            default_factory=list
        )
        labels: dict[str, int] = field(default_factory=dict)
        proxy: Proxy | None = None
        made: list[str] = field(default_factory=factory_that_must_not_run)

    def __init__(self, config: Config) -> None: ...


SCHEMA = {
    "type": "object",
    "description": "What Acme needs.",
    "properties": {
        "token": {
            "type": "string",
            "writeOnly": True,
            "minLength": 1,
            "description": "API token",
        },
        "interval": {
            "type": "number",
            "minimum": 0.1,
            "maximum": 60,
            "description": "seconds",
            "default": 10.0,
        },
        "name": {
            "type": "string",
            "pattern": "^(?P<x>a)",
            "description": "Name",
            "default": "a",
        },
        "limit": {"type": ["integer", "null"], "description": "At most"},
        "mode": {"enum": ["fast", "safe", None], "default": "fast"},
        "spool": {"type": "string", "default": "/var/spool"},
        "spare": {"type": "string", "writeOnly": True, "minLength": 1},
        "tags": {
            "type": "array",
            "items": {"type": "string", "minLength": 2, "pattern": "x"},
            "maxItems": 3,
            "default": [],
        },
        "labels": {
            "type": "object",
            "additionalProperties": {"type": "integer"},
            "default": {},
        },
        "proxy": {
            "type": ["object", "null"],
            "properties": {"url": {"type": "string"}},
            "required": ["url"],
            "additionalProperties": False,
        },
        "made": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["token"],
    "additionalProperties": False,
}


def test_the_schema_says_what_the_annotations_say():
    config = plugin_spec(Acme).config
    assert config is not None
    assert config.schema == SCHEMA
    Draft7Validator.check_schema(SCHEMA)


def exported():
    return orjson.loads(static_facts(plugin_spec(Acme)).init_schema)


@pytest.mark.parametrize("document", [None, {}, [], 3, {"token": 123}, {"tokn": "x"}])
def test_hosts_refuse_nothing_so_that_the_plugin_can_say_what_is_wrong(document):
    Draft7Validator.check_schema(exported())
    assert Draft7Validator(exported()).is_valid(document)


def test_hosts_are_given_every_key_with_its_kind_and_description():
    properties = exported()["anyOf"][0]["properties"]
    assert list(properties) == list(SCHEMA["properties"])
    assert properties["interval"] == SCHEMA["properties"]["interval"]
    assert exported()["anyOf"][0]["required"] == ["token"]


def test_patterns_are_words_for_hosts_since_their_regular_expressions_are_others():
    properties = exported()["anyOf"][0]["properties"]
    assert properties["name"] == {
        "type": "string",
        "description": "Name. Matches ^(?P<x>a)",
        "default": "a",
    }
    assert properties["tags"]["items"] == {
        "type": "string",
        "minLength": 2,
        "description": "Matches x",
    }


def test_no_secret_default_is_exported():
    assert "built-in" not in static_facts(plugin_spec(Acme)).init_schema


def sampled(*examples):
    @plugin(name="sampled", version="0.1.0", description="Acme", contact="acme@example")
    class Sampled:
        user = extract.path("acme.user", "user", desc="User")

        @init_schema(examples=examples)
        @dataclass
        class Config:
            region: str
            token: Secret | None = None

        def __init__(self, config: Config) -> None: ...

    return Sampled


def test_examples_are_part_of_the_schema():
    given = {"region": "eu", "token": "${TOKEN}"}
    schema = orjson.loads(static_facts(plugin_spec(sampled(given))).init_schema)
    assert schema["anyOf"][0]["examples"] == [given]
    Draft7Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("example", "words"),
    [
        ({"regio": "eu"}, 'unknown key "regio"; did you mean "region"?'),
        ({"region": 7}, "region: expected text, got a number"),
        ({"region": {"eu"}}, "an example that is not JSON"),
    ],
)
def test_an_example_that_the_schema_refuses_is_refused(example, words):
    with pytest.raises(DeclarationError, match=re.escape(words)) as caught:
        sampled(example)
    assert "Sampled.Config: has an example that" in str(caught.value)
