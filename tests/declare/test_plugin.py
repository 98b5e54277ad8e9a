"""Well-declared plugins and the specification that becomes of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import FrozenInstanceError, dataclass
from typing import TYPE_CHECKING, Annotated, Any, NewType

import pytest

from falcopy_sdk import (
    Batch,
    Event,
    FieldType,
    Secret,
    async_events,
    capture_close,
    decode,
    event_to_string,
    extract,
    init_schema,
    metrics,
    open_params,
    parse,
    plugin,
    plugin_spec,
    progress,
    set_config,
    source,
)
from falcopy_sdk.declare.spec import AsyncEventsSpec, EventScope, SourceSpec

if TYPE_CHECKING:
    from collections.abc import Mapping  # used in an annotation that must not be evaluated

IDENTITY = {"name": "acme", "version": "0.1.0", "description": "Acme", "contact": "acme@example"}
SOURCE = {**IDENTITY, "id": 999, "event_source": "acme"}

UserName = NewType("UserName", str)


# As in docs/architecture.md, letter for letter.
# fmt: off
@plugin(name="acme-audit", id=999, version="0.1.0", event_source="acme_audit",
        description="Acme cloud audit log", contact="https://example.org/acme")
class AcmeAudit:

    @init_schema                       # class → JSON Schema; init_config → checked, typed object
    @dataclass
    class Config:
        token: Secret                  # never logged
        interval: Annotated[float, "seconds between polls"] = 10.0

    def __init__(self, config: Config): ...

    @source                            # generator, async generator, or an object with next_batch
    async def events(self, params: str) -> AsyncIterator[Event | Batch]: ...

    user = extract.path("acme.user", "actor", "login", desc="Who acted")      # declarative

    @extract("acme.groups")            # annotation → Falco type, list → isList, docstring → desc
    def groups(self, event) -> list[str] | None: ...

    @extract("acme.param")             # `key: str` → required key, `index: int | None` → optional index  # noqa: E501
    def param(self, event, key: str) -> str | None: ...
# fmt: on


def test_the_example_of_the_documentation_declares_what_it_says():
    spec = plugin_spec(AcmeAudit)
    assert (spec.name, spec.id, spec.event_source) == ("acme-audit", 999, "acme_audit")
    assert spec.ref == f"{__name__}:AcmeAudit"
    assert spec.source == SourceSpec("events", takes_params=True, kind="async generator")
    assert spec.config is not None
    assert spec.config.cls is AcmeAudit.Config
    rows = [(f.name, f.type, f.is_list, f.desc, f.argument.is_key, f.path) for f in spec.fields]
    assert rows == [
        ("acme.user", FieldType.STRING, False, "Who acted", False, ("actor", "login")),
        ("acme.groups", FieldType.STRING, True, "acme.groups", False, None),
        ("acme.param", FieldType.STRING, False, "acme.param", True, None),
    ]


def test_a_plugin_class_stays_an_ordinary_class():
    assert AcmeAudit(AcmeAudit.Config(Secret("x"))).groups(None) is None
    assert AcmeAudit.__mro__ == (AcmeAudit, object)


def test_the_specification_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        plugin_spec(AcmeAudit).name = "other"  # type: ignore[misc]


class WithUser:
    user = extract.path("acme.user", "user", desc="U")

    @extract("acme.verb")
    def verb(self, event) -> str: ...

    @decode
    def decode(self, data: bytes) -> object: ...


class WithGroup:
    group = extract.path("acme.group", "group", desc="G")


def test_declarations_of_bases_count_and_come_first():
    @plugin(**IDENTITY)
    class Acme(WithUser, WithGroup):
        own = extract.path("acme.own", "own", desc="O")

    spec = plugin_spec(Acme)
    assert [f.name for f in spec.fields] == ["acme.group", "acme.user", "acme.verb", "acme.own"]
    assert spec.decode == "decode"


def test_a_declaration_can_be_overridden_in_its_place_or_dropped():
    @plugin(**IDENTITY)
    class Acme(WithUser):
        own = extract.path("acme.own", "own", desc="O")
        decode = None
        verb = None
        user = extract.path("acme.actor", "actor", desc="A")

    spec = plugin_spec(Acme)
    assert [field.name for field in spec.fields] == ["acme.actor", "acme.own"]
    assert spec.decode is None


def test_a_plugin_may_derive_from_a_plugin():
    @plugin(**IDENTITY)
    class Base(WithUser):
        pass

    @plugin(**{**IDENTITY, "name": "derived"})
    class Derived(Base):
        pass

    assert (plugin_spec(Base).name, plugin_spec(Derived).name) == ("acme", "derived")
    assert plugin_spec(Derived).fields == plugin_spec(Base).fields


def test_one_method_may_be_several_fields_from_top_to_bottom():
    @plugin(**IDENTITY)
    class Acme:
        @extract("acme.user")
        @extract("acme.actor")
        def user(self, event) -> str: ...

    assert [f.name for f in plugin_spec(Acme).fields] == ["acme.user", "acme.actor"]


def test_annotations_that_are_not_needed_are_not_evaluated():
    @plugin(**IDENTITY)
    class Acme:
        @extract("acme.user")
        def user(self, event: Mapping[str, Undefined]) -> str: ...  # noqa: F821

    assert len(plugin_spec(Acme).fields) == 1


@pytest.mark.parametrize(("given", "explicit"), [((), (322,)), ((402, 322, 322), (402, 322))])
def test_event_types_are_always_explicit(given, explicit):
    cls = plugin(**IDENTITY, extract_types=given)(type("Acme", (WithUser,), {}))
    assert plugin_spec(cls).extract_scope == EventScope((), explicit)


def test_the_own_event_source_comes_first_in_what_a_plugin_reads():
    @plugin(**SOURCE, extract_sources=("syscall",), extract_types=(322, 1))
    class Acme(WithUser):
        @source
        def events(self):
            yield b""

        @parse
        def look(self, event): ...

        @async_events("tick", "tock", sources=("syscall",))
        async def ticks(self, emit): ...

    spec = plugin_spec(Acme)
    assert spec.extract_scope == EventScope(("acme", "syscall"), (322, 1))
    assert spec.parse_scope == EventScope(("acme",), (322,))
    assert spec.async_events == AsyncEventsSpec("ticks", ("tick", "tock"), ("acme", "syscall"))


@pytest.mark.parametrize(
    ("types", "given", "declared"),
    [((), "", ""), ((322, 402), "", "4.0.0"), ((322, 402), "4.1.0", "4.1.0"), ((), "4.1.0", "")],
)
def test_an_event_schema_version_is_declared_only_where_hosts_compare_it(types, given, declared):
    decorate = plugin(**IDENTITY, extract_types=types, event_schema_version=given)
    assert plugin_spec(decorate(type("Acme", (WithUser,), {}))).event_schema_version == declared


def test_parse_takes_sources_and_types():
    @plugin(**IDENTITY)
    class Acme:
        @parse(sources=("k8s_audit",), types=(322, 402))
        def look(self, event): ...

    spec = plugin_spec(Acme)
    assert (spec.parse, spec.parse_scope) == ("look", EventScope(("k8s_audit",), (322, 402)))


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("generator", SourceSpec("generator", takes_params=True, kind="generator")),
        ("asynchronous", SourceSpec("asynchronous", takes_params=False, kind="async generator")),
        ("reader", SourceSpec("reader", takes_params=True, kind="object")),
    ],
)
def test_a_source_is_a_generator_an_async_generator_or_an_object(method, expected):
    class Methods:
        def generator(self, params):
            yield b""

        async def asynchronous(self):
            yield b""

        def reader(self, params: str) -> Any: ...

    cls = type("Acme", (), {method: source(getattr(Methods, method))})
    assert plugin_spec(plugin(**SOURCE)(cls)).source == expected


def test_every_capability_is_found():
    @plugin(**SOURCE)
    class Acme(WithUser):
        @init_schema
        @dataclass
        class Settings:
            level: int = 1

        def __init__(self, config: Settings) -> None: ...

        @source
        def events(self):
            yield b""

        @set_config
        def configure(self, config): ...

        @metrics
        def count(self): ...

        @event_to_string
        def show(self, event): ...

        @open_params
        def suggest(self): ...

        @progress
        def share(self): ...

        @capture_close
        def end(self): ...

    spec = plugin_spec(Acme)
    assert (spec.set_config, spec.event_to_string, spec.open_params) == (
        "configure",
        "show",
        "suggest",
    )
    assert (spec.progress, spec.capture_open, spec.capture_close) == ("share", None, "end")
    assert spec.metrics is not None
    assert spec.metrics.method == "count"


@init_schema
@dataclass
class SharedConfig:
    level: int = 1


def test_a_configuration_may_stand_outside_the_plugin_class():
    @plugin(**IDENTITY)
    class Acme(WithUser):
        def __init__(self, settings: SharedConfig | None) -> None: ...

    config = plugin_spec(Acme).config
    assert config is not None
    assert config.cls is SharedConfig


def test_init_schema_may_stand_on_either_side_of_dataclass():
    @plugin(**IDENTITY)
    class Acme(WithUser):
        @dataclass(frozen=True, slots=True)
        @init_schema(additional_properties=True)
        class Config:
            level: int = 1

        def __init__(self, config: Config) -> None: ...

    config = plugin_spec(Acme).config
    assert config is not None
    assert config.schema["additionalProperties"] is True
