"""Wrong capability methods and the sentence that their author gets."""

import abc

import pytest

from falcopy_sdk import (
    DeclarationError,
    async_events,
    capture_close,
    capture_open,
    decode,
    dump_state,
    event_to_string,
    metrics,
    open_params,
    parse,
    plugin,
    plugin_spec,
    progress,
    set_config,
    source,
)

from .refusals import IDENTITY, SOURCE, SOURCED, USER, acme, refusal


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
