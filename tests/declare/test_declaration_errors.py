"""Wrong declarations and the sentence that their author gets."""

import abc
from dataclasses import InitVar, dataclass
from typing import Annotated, Any, Literal, Optional

import pytest

from falcopy_sdk import (
    DeclarationError,
    Length,
    Pattern,
    Range,
    Secret,
    async_events,
    capture_close,
    capture_open,
    decode,
    dump_state,
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

IDENTITY = {"name": "acme", "version": "0.1.0", "description": "Acme", "contact": "acme@example"}
SOURCE = {"id": 999, "event_source": "acme"}
USER = extract.path("acme.user", "user", desc="User")
ARGUMENT_FIX = (
    "Fix: annotate it `key: str` or `index: int` if the argument is required, "
    "`key: str | None = None` or `index: int | None = None` if it is not."
)
TYPES_FIX = (
    "Fix: return str, int, bool, datetime, timedelta, IPv4Address | IPv6Address, "
    "IPv4Network | IPv6Network, or a list of one of them."
)
KINDS_FIX = (
    "Fix: use str, Secret, Path, bool, int, float, Literal, an Enum, list[...], tuple[..., ...], "
    "dict[str, ...], a dataclass, or one of these | None."
)


def refusal(cls, **identity):
    with pytest.raises(DeclarationError) as caught:
        plugin(**{**IDENTITY, **identity})(cls)
    return str(caught.value)


def acme(**attributes):
    return type("Acme", (), attributes)


def named_user(function):
    function.__name__ = "user"
    return function


def events(self):
    yield b""


SOURCED = {"events": source(events)}


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        (
            {"name": "Acme"},
            'name "Acme" is not a plugin name. '
            "Fix: begin with a small letter and use only a-z, 0-9, - and _.",
        ),
        ({"name": ""}, "name is empty. Fix: give name."),
        ({"name": 3}, "name is int, not str. Fix: give name as text."),
        (
            {"version": "1.0"},
            'version "1.0" is not of the form x.y.z. Fix: write version="0.1.0".',
        ),
        (
            {"version": "1.0.99999999999"},
            'version "1.0.99999999999" is not of the form x.y.z. Fix: write version="0.1.0".',
        ),
        ({"description": "  "}, "description is empty. Fix: give description."),
        (
            {"contact": "a\0b"},
            "contact holds a NUL character, where hosts stop reading. Fix: remove it.",
        ),
        (
            {"id": 3},
            "id and event_source belong to a plugin with an event source, and this one has no "
            "@source. Fix: add a method with @source, or leave id and event_source out.",
        ),
        (
            {"event_source": "acme"},
            "id and event_source belong to a plugin with an event source, and this one has no "
            "@source. Fix: add a method with @source, or leave id and event_source out.",
        ),
        (
            {"api_version": "3.2.0"},
            "api_version 3.2.0 is too low: the host's logger needs 3.3.0. "
            "Fix: write 3.3.0 or later, or leave it out.",
        ),
        (
            {"api_version": "3.13.0"},
            "api_version 3.13.0 is newer than 3.12.0, the newest this SDK knows. "
            "Fix: leave it out to have the lowest one computed.",
        ),
        (
            {"api_version": "3.6"},
            "api_version '3.6' is not of the form x.y.z. "
            "Fix: leave it out to have the lowest one computed.",
        ),
        (
            {"extract_sources": "k8s_audit"},
            "extract_sources is 'k8s_audit', not a list of names. "
            'Fix: write extract_sources=("k8s_audit",).',
        ),
        (
            {"extract_sources": ("k8s-audit",)},
            'extract_sources "k8s-audit" is not the name of an event source. '
            "Fix: begin with a small letter and use only a-z, 0-9 and _.",
        ),
        (
            {"extract_types": (70000,)},
            "extract_types has 70000, which is no event type. "
            "Fix: use numbers of the hosts' event table, such as 322 (plugin events).",
        ),
        (
            {"extract_types": 322},
            "extract_types is 322, not a list of numbers. Fix: write extract_types=(322,).",
        ),
        (
            {"extract_sources": ("syscall",)},
            'extract_sources has "syscall", and extract_types does not say which of its events. '
            "Fix: list their numbers in extract_types, besides 322 for plugin events.",
        ),
        (
            {"event_schema_version": "4"},
            'event_schema_version "4" is not of the form x.y.z. '
            'Fix: write event_schema_version="4.0.0".',
        ),
    ],
)
def test_a_wrong_identity_is_refused(identity, message):
    assert refusal(acme(user=USER), **identity) == f"Acme: {message}"


ID_FIX = "Fix: use 999 while developing and ask the plugin registry for an id of your own."


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        (
            {"event_source": "acme"},
            "@source needs an id. Fix: add id=999 while developing and ask the plugin registry "
            "for an id of your own.",
        ),
        (
            {"id": 999},
            '@source needs an event_source. Fix: name it: event_source="acme_audit".',
        ),
        (
            {"id": 2**31, "event_source": "acme"},
            f"id 2147483648 is not a whole number from 1 to 2147483647. {ID_FIX}",
        ),
        (
            {"id": "999", "event_source": "acme"},
            f"id '999' is not a whole number from 1 to 2147483647. {ID_FIX}",
        ),
        (
            {"id": 999, "event_source": "acme-audit"},
            'event_source "acme-audit" is not the name of an event source. '
            "Fix: begin with a small letter and use only a-z, 0-9 and _.",
        ),
        *(
            (
                {"id": 999, "event_source": reserved},
                f'event_source "{reserved}" is reserved by hosts (syscall, internal, plugins). '
                "Fix: choose another name.",
            )
            for reserved in ("syscall", "internal", "plugins")
        ),
        (
            {"id": 999, "event_source": "acme", "extract_sources": ("other",)},
            "extract_sources or extract_types is given, and the plugin has no field. "
            "Fix: declare a field with @extract or extract.path, or leave them out.",
        ),
    ],
)
def test_a_wrong_identity_of_a_source_is_refused(identity, message):
    assert refusal(acme(**SOURCED), **identity) == f"Acme: {message}"


def test_a_source_cannot_extract_from_another_source():
    message = refusal(acme(user=USER, **SOURCED), **SOURCE, extract_sources=("k8s_audit",))
    assert message == (
        'Acme: a plugin with the event source "acme" extracts from "k8s_audit" as well, which '
        "Falco refuses (an illegal set of sources). Fix: make the fields and the source two "
        "plugins."
    )


@pytest.mark.parametrize(
    "name", ["user", "acme.", ".user", "acme..user", "acme.1st", "acme-audit.user", "acme.us er"]
)
def test_a_field_name_that_rules_cannot_hold_is_refused(name):
    assert refusal(acme(user=extract.path(name, "user", desc="User"))) == (
        f'Acme.user: "{name}" cannot be written as a field in rules. Fix: use two or more parts '
        'joined by dots, each a letter and then letters, digits or _, such as "acme.user".'
    )


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (
            float,
            "float has no Falco type. "
            "Fix: Falco has no fractions: return int in a smaller unit, or str.",
        ),
        (
            Optional[float],  # noqa: UP045 - the old spelling
            "float | None has no Falco type. "
            "Fix: Falco has no fractions: return int in a smaller unit, or str.",
        ),
        (bytes, "bytes has no Falco type. Fix: decode it and return str."),
        (
            dict[str, str],
            "dict[str, str] has no Falco type. Fix: return str, or take an argument: a field "
            "`acme.param[key]` is `(self, event, key: str)`.",
        ),
        (None, f"None has no Falco type. {TYPES_FIX}"),
        (Any, f"Any has no Falco type. {TYPES_FIX}"),
        (str | int, f"str | int has no Falco type. {TYPES_FIX}"),
        (tuple[str, int], f"tuple[str, int] has no Falco type. {TYPES_FIX}"),
        (set[str], f"set[str] has no Falco type. {TYPES_FIX}"),
        (list[list[str]], f"list[str] has no Falco type. {TYPES_FIX}"),
        (list, "list does not say of what. Fix: write list[str], for example."),
        (
            list[str | None],
            "a list of str | None has no Falco type: an element cannot be absent. "
            "Fix: leave absent elements out of the list.",
        ),
        (
            "Missing",
            "annotation 'Missing' cannot be resolved: name 'Missing' is not defined. Fix: define "
            "or import its names at the top of the module, outside TYPE_CHECKING.",
        ),
    ],
)
def test_a_return_annotation_without_a_falco_type_is_refused(annotation, message):
    def user(self, event): ...

    user.__annotations__["return"] = annotation
    cls = acme(user=extract("acme.user")(user))
    assert refusal(cls) == f'Acme.user (field "acme.user"): {message}'


def no_annotation(self, event): ...
def no_self(event) -> str: ...
def no_event(self) -> str: ...
def too_many(self, event, key: str, index: int) -> str: ...
def variadic(self, *args) -> str: ...
def keyword_only(self, event, *, key: str) -> str: ...
def unannotated_argument(self, event, key) -> str: ...
def float_argument(self, event, key: float) -> str: ...
def text_default(self, event, key: str = "x") -> str: ...
def text_default_of_optional(self, event, key: str | None = "x") -> str: ...
def optional_without_default(self, event, index: int | None) -> str: ...
async def coroutine(self, event) -> str: ...
def generator(self, event) -> list[str]:
    yield ""


ORDINARY = (
    "@extract calls an ordinary method, and this is a coroutine or generator. "
    "Fix: write `def` and `return`, without async and yield."
)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            no_annotation,
            "no return annotation, which gives a field its type. "
            "Fix: annotate it, for example `-> str | None`.",
        ),
        (
            no_self,
            "takes (event) (self is missing), and @extract calls it with (self, event) or "
            "(self, event, argument). Fix: write `def user(self, event)`.",
        ),
        (
            no_event,
            "takes (self), and @extract calls it with (self, event) or (self, event, argument). "
            "Fix: write `def user(self, event)`.",
        ),
        (
            too_many,
            "takes (self, event, key, index), and @extract calls it with (self, event) or "
            "(self, event, argument). Fix: write `def user(self, event)`.",
        ),
        (
            variadic,
            "`*args` cannot be filled: @extract passes by position alone. "
            "Fix: name every parameter and give keyword-only ones a default.",
        ),
        (
            keyword_only,
            "`key: str` cannot be filled: @extract passes by position alone. "
            "Fix: name every parameter and give keyword-only ones a default.",
        ),
        (unannotated_argument, f"the argument `key` has no annotation. {ARGUMENT_FIX}"),
        (
            float_argument,
            f"the argument `key: float` is neither a key nor an index. {ARGUMENT_FIX}",
        ),
        (
            text_default,
            f"the argument `key: str = 'x'` is neither required nor optional. {ARGUMENT_FIX}",
        ),
        (
            text_default_of_optional,
            "the argument `key: str | None = 'x'` is neither required nor optional. "
            f"{ARGUMENT_FIX}",
        ),
        (
            optional_without_default,
            f"the argument `index: int | None` is neither required nor optional. {ARGUMENT_FIX}",
        ),
        (coroutine, ORDINARY),
        (generator, ORDINARY),
    ],
)
def test_a_field_method_with_a_wrong_signature_is_refused(function, message):
    cls = acme(user=extract("acme.user")(named_user(function)))
    assert refusal(cls) == f'Acme.user (field "acme.user"): {message}'


@pytest.mark.parametrize("wrap", [staticmethod, classmethod, property])
def test_a_field_is_an_ordinary_method(wrap):
    def user(self, event) -> str: ...

    assert refusal(acme(user=wrap(extract("acme.user")(user)))) == (
        f'Acme.user (field "acme.user"): @extract is on a {wrap.__name__}. Fix: make it an '
        "ordinary method that takes self, with @extract as its outermost decorator."
    )


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (
            extract.path("acme.user", desc="User"),
            "extract.path has no keys. Fix: name those that lead to the value: "
            'extract.path("acme.user", "actor", "login", ...).',
        ),
        (extract.path("acme.user", "user"), "desc is empty. Fix: give desc."),
        (
            extract.path("acme.user", 1, desc="User"),
            "extract.path has the key 1, which is no text. "
            "Fix: use @extract for what is not under keys of objects.",
        ),
        (
            extract.path("acme.user", "user", desc="User", type=int, null="<NA>"),
            "null='<NA>' is for string fields, and this one is uint64. Fix: leave null out.",
        ),
        (
            extract.path("acme.user", "users", "name", desc="User", each=True),
            "each=True gives several values. Fix: write type=list[...], or leave each out.",
        ),
        (
            extract.path("acme.user", "user", desc="User", type=float),
            "float has no Falco type. "
            "Fix: Falco has no fractions: return int in a smaller unit, or str.",
        ),
        (
            extract.path("acme.user", "user", desc="User", properties=("hiden",)),
            'no host knows the property "hiden"; did you mean "hidden"? '
            "Fix: use hidden, info, conversation.",
        ),
        (
            extract.path("acme.user", "user", desc="User", properties="hidden"),
            "properties is 'hidden', not a list of texts. Fix: write (\"hidden\",).",
        ),
        (
            extract.path("acme.user", "user", desc="User", display=3),
            "display is int, not str. Fix: give display as text.",
        ),
        (
            extract.function("acme.user", "user", desc="User"),
            "extract.function is given str, which cannot be called. "
            'Fix: write extract.function("acme.field", function, desc="...").',
        ),
        (
            extract.function("acme.user", lambda event: "x", desc="User"),
            "no return annotation, which gives a field its type. "
            "Fix: annotate it, for example `-> str | None`, or pass type=str.",
        ),
        (
            extract.function("acme.user", lambda event, name: "x", desc="User", type=str),
            f"the argument `name` has no annotation. {ARGUMENT_FIX}",
        ),
        (
            extract.function("acme.user", coroutine, desc="User", type=str),
            "extract.function is given a coroutine function. Fix: write `def`, without async.",
        ),
    ],
)
def test_a_wrong_field_attribute_is_refused(declared, message):
    assert refusal(acme(user=declared)) == f'Acme.user (field "acme.user"): {message}'


def test_a_group_holds_declared_fields_only():
    with pytest.raises(DeclarationError) as caught:
        extract.group([USER])
    assert str(caught.value) == (
        "extract.group: list is not a declared field. Fix: pass what extract.path(...) and "
        "extract.function(...) return, a list of them with a star."
    )


def test_a_field_is_declared_once():
    assert refusal(acme(user=USER, actor=extract.path("acme.user", "actor", desc="A"))) == (
        'Acme.actor: field "acme.user" is declared already, by Acme.user. '
        "Fix: rename or remove one of them."
    )


def test_an_override_declares_again():
    base = type("Fields", (), {"user": USER})
    assert refusal(type("Acme", (base,), {"user": lambda self, event: None})) == (
        "Acme.user: hides the declaration Fields.user. "
        "Fix: declare it again with the decorator, or write `user = None` to do without."
    )


def test_extract_needs_a_name():
    with pytest.raises(DeclarationError) as caught:

        class Acme:
            @extract
            def user(self, event) -> str: ...

    assert str(caught.value) == (
        'Acme.user: @extract has no field name. Fix: write @extract("acme.user").'
    )


def two(self, a, b): ...


@pytest.mark.parametrize(
    ("decorator", "signature"),
    [
        (decode, "(self, data)"),
        (metrics, "(self)"),
        (event_to_string, "(self, event)"),
        (open_params, "(self)"),
        (progress, "(self)"),
        (dump_state, "(self, emit)"),
        (capture_open, "(self)"),
        (capture_close, "(self)"),
        (set_config, "(self, config)"),
        (parse, "(self, event)"),
        (async_events("tick"), "(self, emit)"),
    ],
)
def test_a_capability_method_takes_what_it_is_called_with(decorator, signature):
    def run(self, a, b): ...

    def tick(self, emit): ...

    attributes = {**SOURCED, "run": decorator(run)}
    if decorator is dump_state:
        attributes["tick"] = async_events("tick")(tick)
    name = getattr(decorator, "__name__", "")
    name = "async_events" if "lambda" in name else name
    assert refusal(acme(**attributes), **SOURCE) == (
        f"Acme.run: takes (self, a, b), and @{name} calls it with {signature}. "
        f"Fix: write `def run{signature}`."
    )


async def await_nothing():
    return object()


async def unyielding(self):
    return await await_nothing()


def three(self, a, b):
    yield b""


def selfless():
    yield b""


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            three,
            "takes (self, a, b), and @source calls it with (self) or (self, params). "
            "Fix: write `def events(self, params: str)`.",
        ),
        (
            selfless,
            "takes () (self is missing), and @source calls it with (self) or (self, params). "
            "Fix: write `def events(self, params: str)`.",
        ),
        (
            unyielding,
            "is a coroutine function, which gives nothing to iterate over. Fix: yield the events "
            "in it, or return an object with next_batch from a plain `def`.",
        ),
    ],
)
def test_a_source_with_a_wrong_signature_is_refused(function, message):
    assert refusal(acme(events=source(function)), **SOURCE) == f"Acme.events: {message}"


def test_there_is_one_source():
    def more(self): ...

    assert refusal(acme(**SOURCED, more=source(more)), **SOURCE) == (
        "Acme.more: is the second @source of the plugin, after events. Fix: keep one of them."
    )


def test_a_decorator_of_methods_is_not_for_classes():
    with pytest.raises(DeclarationError) as caught:

        class Acme:
            @source
            class Reader: ...

    assert str(caught.value) == (
        "Acme.Reader: a decorator of methods is on a class. "
        "Fix: put it on a method of the plugin class."
    )


@pytest.mark.parametrize(
    ("decorator", "needed"),
    [
        (event_to_string, "source"),
        (open_params, "source"),
        (progress, "source"),
        (dump_state, "async_events"),
    ],
)
def test_a_capability_that_needs_another_is_refused_alone(decorator, needed):
    def with_one(self, one): ...

    def with_none(self): ...

    run = with_one if decorator in (event_to_string, dump_state) else with_none
    assert refusal(acme(user=USER, run=decorator(run))) == (
        f"Acme.run: @{decorator.__name__} has no effect without @{needed}. "
        f"Fix: add a method with @{needed}, or remove this one."
    )


def test_a_plugin_has_a_capability():
    assert refusal(acme()) == (
        "Acme: has no capability, and hosts refuse such a plugin. "
        "Fix: add @source, @extract, extract.path, @parse or @async_events."
    )


def test_listening_to_captures_is_not_enough_for_falco():
    def run(self): ...

    assert refusal(acme(run=capture_open(run))) == (
        "Acme: only listens to captures, and Falco does not load such a plugin. "
        "Fix: add @source, @extract, @parse or @async_events."
    )


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), '@async_events has no event names. Fix: write @async_events("acme_tick").'),
        (
            ("t" * 32,),
            f'asynchronous event name "{"t" * 32}" is longer than 31 bytes, where hosts cut it. '
            "Fix: shorten it.",
        ),
        (
            ("a tick",),
            'asynchronous event name "a tick" has white space. Fix: use _ instead.',
        ),
        (("tick", "tick"), 'asynchronous event "tick" is named twice. Fix: name it once.'),
        (
            (3,),
            "asynchronous event name is int, not str. Fix: give asynchronous event name as text.",
        ),
    ],
)
def test_a_wrong_name_of_an_asynchronous_event_is_refused(names, message):
    def run(self, emit): ...

    assert refusal(acme(run=async_events(*names)(run))) == f"Acme.run: {message}"


def test_async_events_needs_names():
    with pytest.raises(DeclarationError) as caught:

        class Acme:
            @async_events
            def run(self, emit): ...

    assert str(caught.value) == (
        'Acme.run: @async_events has no event names. Fix: write @async_events("acme_tick").'
    )


def test_parse_says_which_system_calls_it_wants():
    def run(self, event): ...

    assert refusal(acme(run=parse(sources=("syscall",))(run))) == (
        'Acme.run: sources has "syscall", and types does not say which of its events. '
        "Fix: list their numbers in types, besides 322 for plugin events."
    )


def test_each_newer_feature_raises_the_lowest_api_version():
    def with_emit(self, emit): ...

    def with_none(self): ...

    attributes = {
        "run": async_events("tick")(with_emit),
        "dump": dump_state(lambda self, emit: None),
        "count": metrics(with_none),
    }
    assert refusal(acme(**attributes), api_version="3.9.0") == (
        "Acme: api_version 3.9.0 is too low: @dump_state needs 3.10.0. "
        "Fix: write 3.10.0 or later, or leave it out."
    )


def test_an_abstract_class_is_no_plugin():
    class Acme(abc.ABC):
        user = USER

        @abc.abstractmethod
        def connect(self): ...

    assert refusal(Acme) == "Acme: is abstract: connect not implemented. Fix: implement it."


def test_only_a_class_is_a_plugin():
    with pytest.raises(DeclarationError) as caught:
        plugin(**IDENTITY)(acme)
    assert str(caught.value) == (
        "acme: @plugin is on something other than a class. Fix: put it on a class."
    )


def test_plugin_spec_is_for_decorated_classes():
    class Acme:
        pass

    with pytest.raises(DeclarationError) as caught:
        plugin_spec(Acme)
    assert str(caught.value) == (
        "Acme: is not a plugin. Fix: decorate the class with @plugin(name=..., version=..., ...)."
    )


def test_a_class_that_derives_from_a_plugin_is_decorated_itself():
    class Derived(plugin(**IDENTITY)(acme(user=USER))):
        pass

    with pytest.raises(DeclarationError) as caught:
        plugin_spec(Derived)
    assert str(caught.value) == (
        "Derived: derives from the plugin Acme and is not one itself. "
        "Fix: decorate it with @plugin as well."
    )


class Configs:
    @init_schema
    @dataclass
    class One:
        level: int

    @init_schema
    @dataclass
    class Two:
        level: int

    @init_schema
    class Plain:
        level: int


def takes_config(self, config): ...


def takes_text(self, config: str): ...


def takes_more(self, config, level: int): ...


def takes_keyword(self, *, config): ...


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            {"__init__": takes_text},
            "Acme.__init__: takes `config: str`, and the plugin declares no configuration. Fix: "
            "put @init_schema on a dataclass nested in the plugin class, or take only self.",
        ),
        (
            {"__init__": takes_more, "One": Configs.One},
            "Acme.__init__: takes (self, config, level: int), and is called with the "
            "configuration alone. "
            "Fix: write `def __init__(self, config: Config)` or `def __init__(self)`.",
        ),
        (
            {"__init__": takes_keyword, "One": Configs.One},
            "Acme.__init__: takes (self, config), and is called with the configuration alone. "
            "Fix: write `def __init__(self, config: Config)` or `def __init__(self)`.",
        ),
        (
            {"One": Configs.One},
            "Acme.__init__: does not take the configuration that Acme.One declares. "
            "Fix: write `def __init__(self, config: One)`.",
        ),
        (
            {"One": Configs.One, "Two": Configs.Two, "__init__": takes_config},
            "Acme.Two: is the second @init_schema of the plugin, after One. Fix: keep one of them.",
        ),
        (
            {"Plain": Configs.Plain, "__init__": takes_config},
            "Acme.Plain: is not a dataclass. Fix: put @dataclass under @init_schema.",
        ),
        (
            {"configure": set_config(lambda self, config: None)},
            "Acme.configure: @set_config takes a configuration, and the plugin declares none. "
            "Fix: declare it with @init_schema.",
        ),
    ],
)
def test_a_configuration_and_what_takes_it_go_together(attributes, message):
    assert refusal(acme(user=USER, **attributes)) == message


def test_init_schema_is_for_classes():
    with pytest.raises(DeclarationError) as caught:

        class Acme:
            @init_schema
            def config(self): ...

    assert str(caught.value) == (
        "Acme.config: @init_schema is not on a class. "
        "Fix: put it on a dataclass nested in the plugin class."
    )


NO_DEFAULT = object()
LIMITS_FIX = "Fix: use Range for numbers, Pattern for texts, Length for texts, lists and mappings."


@pytest.mark.parametrize(
    ("annotation", "default", "message"),
    [
        (complex, NO_DEFAULT, f"complex has no kind of JSON value. {KINDS_FIX}"),
        (Any, NO_DEFAULT, f"Any has no kind of JSON value. {KINDS_FIX}"),
        (list, NO_DEFAULT, f"list has no kind of JSON value. {KINDS_FIX}"),
        (dict[int, str], NO_DEFAULT, f"dict[int, str] has no kind of JSON value. {KINDS_FIX}"),
        (int | str, NO_DEFAULT, f"int | str is a union of several kinds. {KINDS_FIX}"),
        (
            Literal["a", None],
            NO_DEFAULT,
            "Literal['a', None] has choices other than texts, whole numbers and booleans. "
            "Fix: use those.",
        ),
        (
            Annotated[str, Range(min=1)],
            NO_DEFAULT,
            f"Range(min=1, max=None) does not apply to string. {LIMITS_FIX}",
        ),
        (
            Annotated[int, Pattern("x")],
            NO_DEFAULT,
            f"Pattern(regex='x') does not apply to integer. {LIMITS_FIX}",
        ),
        (
            Annotated[bool | None, Length(max=3)],
            NO_DEFAULT,
            f"Length(min=None, max=3) does not apply to boolean. {LIMITS_FIX}",
        ),
        (
            int,
            "3",
            "has a default of another type, str, than int. Fix: change one of them.",
        ),
        (
            Secret,
            "hunter2",
            "has a default of another type, str, than Secret. Fix: change one of them.",
        ),
        (InitVar[int], NO_DEFAULT, "is an InitVar. Fix: make it an ordinary field."),
    ],
)
def test_a_configuration_key_without_a_kind_of_value_is_refused(annotation, default, message):
    attributes = {"__annotations__": {"key": annotation}}
    if default is not NO_DEFAULT:
        attributes["key"] = default
    config = init_schema(dataclass(type("Config", (), attributes)))
    cls = acme(user=USER, Config=config, __init__=takes_config)
    assert refusal(cls) == f"Acme.Config.key: {message}"


def test_a_configuration_annotation_that_does_not_resolve_is_refused():
    config = init_schema(dataclass(type("Config", (), {"__annotations__": {"key": "Missing"}})))
    assert refusal(acme(user=USER, Config=config, __init__=takes_config)) == (
        "Acme.Config: has an annotation that cannot be resolved: name 'Missing' is not defined. "
        "Fix: define or import its names at the top of the module, outside TYPE_CHECKING."
    )


def test_a_configuration_that_holds_itself_is_refused():
    @init_schema
    @dataclass
    class Config:
        inner: "Config | None" = None

    cls = acme(user=USER, Config=Config, __init__=takes_config)
    assert refusal(cls) == (
        "Acme.Config.inner: holds itself: Config has no end. Fix: remove the cycle."
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Range(), "Range() has no limit; write Range(min=1), for example"),
        (lambda: Length(min=3, max=2), "Length(min=3, max=2) leaves no value"),
        (
            lambda: Pattern("("),
            "Pattern('(') is no regular expression: missing ), unterminated subpattern at "
            "position 0",
        ),
    ],
)
def test_an_impossible_limit_is_refused(make, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message follows
        make()
    assert str(caught.value) == message


def test_a_refusal_has_its_parts_for_tools():
    error = DeclarationError("Acme.user", "is wrong", "do it right")
    assert (error.where, error.problem, error.fix) == ("Acme.user", "is wrong", "do it right")
    assert str(error) == "Acme.user: is wrong. Fix: do it right."
