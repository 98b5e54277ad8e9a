"""Marks that decorators leave on methods and classes, to be read once by ``@plugin``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeVar, overload

from falcopy_sdk.declare.names import shown
from falcopy_sdk.exceptions import DeclarationError

__all__ = [
    "CapabilityTag",
    "add_tag",
    "async_events",
    "capture_close",
    "capture_open",
    "decode",
    "dump_state",
    "event_to_string",
    "init_schema",
    "metrics",
    "open_params",
    "parse",
    "progress",
    "schema_options",
    "set_config",
    "source",
    "tags_of",
]

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type[Any])

_TAGS: Final = "__falcopy_tags__"
_SCHEMA: Final = "__falcopy_init_schema__"


class CapabilityTag(NamedTuple):
    """A method that serves a capability.

    Attributes:
        decorator: Its name, ``"parse"``.
        names: Of asynchronous events.
        sources: Event sources it wants.
        types: Event types it wants.
    """

    decorator: str
    names: Any = ()
    sources: Any = ()
    types: Any = ()


class SchemaOptions(NamedTuple):
    """How ``@init_schema`` marked a class; see there."""

    additional_properties: bool = False
    examples: tuple[Mapping[str, Any], ...] = ()


def add_tag(method: F, tag: object) -> F:
    """Mark a method and return it.

    Raises:
        DeclarationError: It is nothing that can be marked.
    """
    # The outermost decorator runs last, and stands first.
    tags = (tag, *vars(method).get(_TAGS, ())) if hasattr(method, "__dict__") else None
    if tags is None or isinstance(method, type) or not _is_method(method):
        kind = "class" if isinstance(method, type) else type(method).__name__
        raise DeclarationError(
            shown(method),
            f"a decorator of methods is on a {kind}",
            "put it on a method of the plugin class",
        )
    setattr(method, _TAGS, tags)
    return method


def _is_method(thing: object) -> bool:
    return callable(thing) or isinstance(thing, (staticmethod, classmethod))


def tags_of(attribute: object) -> tuple[object, ...]:
    """Return the marks on a class attribute, outermost decorator first.

    Marks under a descriptor (property, staticmethod, ...) are found as well, so that such a
    method is refused instead of forgotten.
    """
    if isinstance(attribute, property):
        attribute = attribute.fget
    elif isinstance(attribute, (staticmethod, classmethod)):
        attribute = attribute.__func__
    elif isinstance(attribute, cached_property):
        attribute = attribute.func
    try:
        # vars(), not getattr(): an object that answers to every name is not tagged.
        found: tuple[object, ...] = vars(attribute).get(_TAGS, ())
    except TypeError:
        return ()
    return found


def _without_arguments(decorator: str, method: F) -> F:
    if not _is_method(method):
        raise DeclarationError(
            f"@{decorator}", "takes no arguments", f"write @{decorator} without parentheses"
        )
    return add_tag(method, CapabilityTag(decorator))


def source(method: F) -> F:
    """Declare the plugin's event source: ``(self)`` or ``(self, params: str)``.

    The method is a generator or an asynchronous generator, or returns an object with
    ``next_batch() -> Batch | Iterable[Event] | None`` and perhaps ``close()``. A generator yields
    :class:`Event`, :class:`Batch`, ``bytes``, ``str``, or None for "nothing now". What it raises
    says how to go on, see :class:`falcopy_sdk.SourceError`.
    """
    return _without_arguments("source", method)


def decode(method: F) -> F:
    """Replace the JSON decoder behind ``event.json``: ``(self, data: bytes) -> object``.

    Returning None or raising means that no field has a value for the event.
    """
    return _without_arguments("decode", method)


def metrics(method: F) -> F:
    """Give metrics to hosts: ``(self) -> dict[str, Metric | int | float]`` (API 3.6).

    Names consist of a-z, 0-9, _ and dots; hosts prefix the plugin's name. Called from other
    threads than events are.
    """
    return _without_arguments("metrics", method)


def event_to_string(method: F) -> F:
    """Say what an event of the own source shows as: ``(self, event) -> str``."""
    return _without_arguments("event_to_string", method)


def open_params(method: F) -> F:
    """Suggest open parameters: ``(self) -> list[OpenParam]``."""
    return _without_arguments("open_params", method)


def progress(method: F) -> F:
    """Tell how much of a finite source was read: ``(self) -> tuple[float, str]``.

    The number is a share from 0 to 1, the text describes it.
    """
    return _without_arguments("progress", method)


def dump_state(method: F) -> F:
    """Emit asynchronous events that restore the state in a capture: ``(self, emit)`` (API 3.10).

    ``emit(name, data, ts=None)`` is only usable until the method returns.
    """
    return _without_arguments("dump_state", method)


def capture_open(method: F) -> F:
    """Be told that a capture has started: ``(self)`` (API 3.7)."""
    return _without_arguments("capture_open", method)


def capture_close(method: F) -> F:
    """Be told that a capture has ended: ``(self)`` (API 3.7)."""
    return _without_arguments("capture_close", method)


def set_config(method: F) -> F:
    """Take a new configuration while running: ``(self, config)`` (API 3.4)."""
    return _without_arguments("set_config", method)


@overload
def parse(method: F, /) -> F: ...
@overload
def parse(*, sources: tuple[str, ...] = (), types: tuple[int, ...] = ()) -> Callable[[F], F]: ...
def parse(
    method: F | None = None, /, *, sources: tuple[str, ...] = (), types: tuple[int, ...] = ()
) -> F | Callable[[F], F]:
    """See every event before rules do: ``(self, event)``; with or without parentheses.

    Args:
        method: Filled by Python when written without parentheses.
        sources: Event sources wanted; empty: the plugin's own, or all if it has none.
        types: Event types wanted; empty: plugin events (322).
    """
    if method is not None:
        return _without_arguments("parse", method)
    tag = CapabilityTag("parse", sources=sources, types=types)
    return lambda tagged: add_tag(tagged, tag)


def async_events(*names: str, sources: tuple[str, ...] = ()) -> Callable[[F], F]:
    """Emit asynchronous events: ``(self, emit)``, run on a thread of its own.

    The method may be a coroutine function. ``emit(name: str, data: bytes, ts: int | None = None)``
    gives the host one event. Once the host stops it, a coroutine is cancelled, and a plain method
    is expected to return soon: ``emit`` then raises.

    Args:
        *names: Of the events, 31 bytes at most each.
        sources: Event sources to inject into; empty: the plugin's own, or all if it has none.
    """
    if len(names) == 1 and callable(names[0]):
        raise DeclarationError(
            shown(names[0]),
            "@async_events has no event names",
            'write @async_events("acme_tick")',
        )
    tag = CapabilityTag("async_events", names=names, sources=sources)
    return lambda tagged: add_tag(tagged, tag)


@overload
def init_schema(cls: C, /) -> C: ...
@overload
def init_schema(
    *, additional_properties: bool = False, examples: Sequence[Mapping[str, Any]] = ()
) -> Callable[[C], C]: ...
def init_schema(
    cls: C | None = None,
    /,
    *,
    additional_properties: bool = False,
    examples: Sequence[Mapping[str, Any]] = (),
) -> C | Callable[[C], C]:
    """Declare a dataclass as the plugin's configuration; with or without parentheses.

    The JSON Schema is derived from its annotations. ``__init__`` of the plugin then takes the
    checked, typed instance: ``def __init__(self, config: Config)``.

    Args:
        cls: Filled by Python when written without parentheses.
        additional_properties: Whether keys that the class does not name are passed over instead
            of being an error.
        examples: Configurations that work, as falco.yaml has them. They are part of the schema,
            and the standard tests try each.

    Raises:
        DeclarationError: It is on something other than a class.
    """

    def tag(tagged: C) -> C:
        if not isinstance(tagged, type):
            raise DeclarationError(
                shown(tagged),
                "@init_schema is not on a class",
                "put it on a dataclass nested in the plugin class",
            )
        options = SchemaOptions(additional_properties, tuple(examples))
        setattr(tagged, _SCHEMA, options)
        return tagged

    return tag if cls is None else tag(cls)


def schema_options(attribute: object) -> SchemaOptions | None:
    """Return how ``@init_schema`` marked a class itself; None: it did not."""
    if not isinstance(attribute, type):
        return None
    found: SchemaOptions | None = vars(attribute).get(_SCHEMA)
    return found
