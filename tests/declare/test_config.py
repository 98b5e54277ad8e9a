"""From what a host passes to init to the author's configuration object."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from falcopy_sdk import (
    ConfigError,
    Length,
    Pattern,
    Range,
    Secret,
    extract,
    init_schema,
    plugin,
    plugin_spec,
)
from falcopy_sdk.declare.config import load_config


class Level(enum.Enum):
    LOW = "low"
    HIGH = "high"


@dataclass(frozen=True)
class Endpoint:
    host: str
    port: Annotated[int, Range(1, 65535)] = 443
    token: Secret | None = None


def spec_of(config, **options):
    cls = init_schema(**options)(config) if options else init_schema(config)

    @plugin(name="acme", version="0.1.0", description="Acme", contact="acme@example")
    class Acme:
        user = extract.path("acme.user", "user", desc="User")
        Config = cls

        def __init__(self, config): ...

    return plugin_spec(Acme)


@dataclass
class Config:
    """Everything at once."""

    token: Annotated[Secret, "API token"]
    interval: Annotated[float, "seconds between polls", Range(min=0.1)] = 10.0
    name: Annotated[str, Pattern("^[a-z0-9.-]+$"), Length(max=20)] = "acme"
    limit: Annotated[int | None, Range(max=100)] = None
    verbose: bool = False
    spool: Path | None = Path("/var/spool/acme")
    level: Level = Level.LOW
    mode: Literal["fast", "safe", 3] = "fast"
    version: Literal["1", "2"] = "1"
    tags: Annotated[list[str], Length(min=1, max=3)] = field(default_factory=lambda: ["x"])
    ports: tuple[int, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    endpoints: list[Endpoint] = field(default_factory=list)
    fallback: Endpoint | None = None


SPEC = spec_of(Config)


def load(**keys: Any) -> Any:
    return load_config(SPEC, json.dumps({"token": "t0ken", **keys}))


def problems(text: str, spec=SPEC) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load_config(spec, text)
    return caught.value.problems


def problems_with(**keys: Any) -> tuple[str, ...]:
    return problems(json.dumps({"token": "t0ken", **keys}))


def test_what_is_left_out_has_its_default():
    assert load() == Config(Secret("t0ken"))


def test_every_kind_of_value_becomes_its_python_type():
    config = load(
        interval=2,
        name="acme.io",
        limit=7,
        verbose=True,
        spool="/tmp/acme",
        level="high",
        mode=3,
        version="2",
        tags=["a", "b"],
        ports=[1, 2],
        labels={"a": "b"},
        endpoints=[{"host": "h"}, {"host": "i", "port": 1, "token": "s"}],
        fallback={"host": "f"},
    )
    assert config == Config(
        Secret("t0ken"),
        2.0,
        "acme.io",
        7,
        True,
        Path("/tmp/acme"),
        Level.HIGH,
        3,
        "2",
        ["a", "b"],
        (1, 2),
        {"a": "b"},
        [Endpoint("h"), Endpoint("i", 1, Secret("s"))],
        Endpoint("f"),
    )
    assert type(config.interval) is float


@dataclass
class Optional:
    level: int = 3
    name: str | None = "acme"


@pytest.mark.parametrize("text", ["", "null", "{}", " {} \n", "{ }"])
def test_nothing_at_all_means_the_defaults(text):
    assert load_config(spec_of(Optional), text) == Optional()


def test_null_means_the_default_of_a_key():
    assert load_config(spec_of(Optional), '{"level": null, "name": null}') == Optional()


@dataclass
class Nullable:
    level: int | None
    names: list[str | None] = field(default_factory=list)


def test_null_means_none_where_there_is_no_default_and_in_lists():
    config = load_config(spec_of(Nullable), '{"level": null, "names": ["a", null]}')
    assert config == Nullable(None, ["a", None])


# What Falco's YAML reader makes of quoted and unquoted texts (userspace/engine/yaml_helper.h).
@pytest.mark.parametrize(
    ("arrives", "text"),
    [
        ("123", "123"),
        ("-5", "-5"),
        ("true", "true"),
        ("false", "false"),
        ("1.5", "1.5"),
        ("5.0", "5.0"),
        ("5000000000.0", "5000000000"),
        ("-5000000000.0", "-5000000000"),
        ("9007199254740991.0", "9007199254740991"),
        ('"x"', "x"),
    ],
)
def test_texts_that_hosts_made_numbers_or_booleans_of_are_texts_again(arrives, text):
    @dataclass
    class Texts:
        text: str
        secret: Secret
        path: Path
        many: list[str]
        some: dict[str, str]
        maybe: str | None

    document = (
        f'{{"text": {arrives}, "secret": {arrives}, "path": {arrives}, "many": [{arrives}], '
        f'"some": {{"k": {arrives}}}, "maybe": {arrives}}}'
    )
    config = load_config(spec_of(Texts), document)
    assert config == Texts(text, Secret(text), Path(text), [text], {"k": text}, text)


def test_a_number_among_texts_to_choose_from_is_a_text_again():
    assert load(version=2).version == "2"


def test_whole_numbers_that_hosts_made_doubles_of_are_whole_again():
    config = load_config(spec_of(Optional), '{"level": 5000000000.0}')
    assert (config.level, type(config.level)) == (5_000_000_000, int)


@pytest.mark.parametrize("key", ["level", "name"])
def test_a_number_that_lost_digits_on_the_way_is_refused(key):
    assert problems(f'{{"{key}": 12345678901234567890.0}}', spec_of(Optional)) == (
        f"{key}: arrived as a number with too many digits to be exact; "
        "write init_config as a JSON text to keep them",
    )


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (
            {"interval": "10"},
            "interval: expected a number (seconds between polls), got text",
        ),
        (
            {"interval": True},
            "interval: expected a number (seconds between polls), got true or false",
        ),
        ({"interval": 0.01}, "interval: must be at least 0.1"),
        ({"limit": 101}, "limit: must be at most 100"),
        ({"limit": 1.5}, "limit: expected a whole number or null, got a number"),
        ({"verbose": "yes"}, "verbose: expected true or false, got text"),
        ({"name": "ACME"}, "name: must match the pattern ^[a-z0-9.-]+$"),
        ({"name": "a" * 21}, "name: must have at most 20 characters"),
        ({"name": ["a"]}, "name: expected text, got a list"),
        ({"level": "hgih"}, 'level: expected one of "low", "high", got text; did you mean "high"?'),
        ({"mode": 4}, 'mode: expected one of "fast", "safe", 3, got a number'),
        ({"tags": []}, "tags: must have at least 1 element"),
        ({"tags": ["a"] * 4}, "tags: must have at most 3 elements"),
        ({"tags": ["a", {}]}, "tags[1]: expected text, got a mapping of keys"),
        ({"ports": 3}, "ports: expected a list, got a number"),
        ({"ports": [3, "x"]}, "ports[1]: expected a whole number, got text"),
        ({"labels": {"a": None}}, "labels.a: expected text, got null"),
        ({"labels": ["a"]}, "labels: expected a mapping of keys, got a list"),
        ({"endpoints": [{}]}, "endpoints[0].host: missing; expected text"),
        (
            {"endpoints": [{"host": "h"}, {"host": "h", "port": 0}]},
            "endpoints[1].port: must be at least 1",
        ),
        (
            {"fallback": {"host": "h", "prot": 1}},
            'fallback: unknown key "prot"; did you mean "port"?',
        ),
        ({"fallback": 3}, "fallback: expected a mapping of keys or null, got a number"),
        ({"intervall": 3}, 'unknown key "intervall"; did you mean "interval"?'),
        (
            {"zzz": 3},
            'unknown key "zzz"; the keys are token, interval, name, limit, verbose, spool, level, '
            "mode, version, tags, ports, labels, endpoints, fallback",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(keys, problem):
    assert problems_with(**keys) == (problem,)


@pytest.mark.parametrize("text", ["", "null", "{}", '{"token": null}', '{"token": ""}'])
def test_a_secret_that_is_missing_or_expanded_to_nothing_is_named(text):
    assert problems(text) == ("token: missing; expected a secret text (API token)",)


def test_an_optional_secret_that_expanded_to_nothing_is_not_given():
    assert load(fallback={"host": "h", "token": ""}).fallback.token is None


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        load_config(SPEC, '{"tokn": "x", "interval": "x", "limit": 200}')
    assert str(caught.value) == (
        "init_config has 4 problems: "
        "token: missing; expected a secret text (API token); "
        'unknown key "tokn"; did you mean "token"?; '
        "interval: expected a number (seconds between polls), got text; "
        "limit: must be at most 100"
    )


def test_one_problem_is_one_sentence():
    with pytest.raises(ConfigError) as caught:
        load(limit=200)
    assert str(caught.value) == "init_config: limit: must be at most 100"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[1]", "expected a mapping of keys (Everything at once.), got a list"),
        ('"token"', "expected a mapping of keys (Everything at once.), got text"),
        ("3", "expected a mapping of keys (Everything at once.), got a number"),
    ],
)
def test_a_document_that_is_no_mapping_is_refused(text, problem):
    assert problems(text) == (problem,)


def test_a_text_that_is_no_json_is_refused_with_the_place():
    (problem,) = problems('{"token": "hunter2-in-the-log')
    assert problem.startswith("not JSON: ")
    assert problem.endswith("in falco.yaml, write the keys as a map under init_config")
    assert "(line 1, column " in problem
    assert "hunter2" not in problem


LEAK = "hunter2-hunter2-hunter2=="


@pytest.mark.parametrize(
    "document",
    [
        {"token": [LEAK]},
        {"token": {"value": LEAK}},
        {"token": "t", "interval": LEAK},
        {"token": "t", "level": LEAK},
        {"token": "t", "name": LEAK},
        {"token": "t", "ports": [LEAK]},
        {"token": "t", LEAK * 3: "x"},
        {"token": "t", "labels": {LEAK * 3: 3, "x": [LEAK]}},
        LEAK,
        [LEAK],
    ],
)
def test_no_value_is_ever_shown(document):
    with pytest.raises(ConfigError) as caught:
        load_config(SPEC, json.dumps(document))
    error: BaseException | None = caught.value
    while error is not None:
        assert LEAK not in f"{error!s} {error!r}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_a_broken_document_is_not_attached_to_the_error():
    with pytest.raises(ConfigError) as caught:
        load_config(SPEC, f'{{"token": "{LEAK}"')
    assert caught.value.__suppress_context__


@dataclass
class Choosy:
    token: Secret
    other: dict[str, list[Secret | None]] = field(default_factory=dict)

    def __post_init__(self):
        if self.token.reveal() == LEAK:
            raise ValueError(f"the token {self.token.reveal()} is known from the news")


@dataclass
class Outer:
    inner: Choosy
    level: int = 1


def test_a_check_of_the_author_is_a_problem_of_its_part_and_shows_no_secret():
    document = {"inner": {"token": LEAK, "other": {"a": ["x-secret", None]}}}
    assert problems(json.dumps(document), spec_of(Outer)) == (
        "inner: the token *** is known from the news",
    )


def test_unknown_keys_are_passed_over_if_the_author_says_so():
    spec = spec_of(Optional, additional_properties=True)
    assert load_config(spec, '{"level": 4, "left_over": 1}') == Optional(4)


def test_a_plugin_without_configuration_gets_none():
    @plugin(name="acme", version="0.1.0", description="Acme", contact="acme@example")
    class Acme:
        user = extract.path("acme.user", "user", desc="User")

    for text in ("", "null", "{}"):
        assert load_config(plugin_spec(Acme), text) is None
    assert problems('{"level": 3}', plugin_spec(Acme)) == (
        "acme takes no configuration; remove init_config",
    )


def test_defaults_made_by_a_factory_are_not_shared():
    first, second = load(), load()
    first.labels["a"] = "b"
    assert second.labels == {}
