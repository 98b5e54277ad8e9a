"""What the capability decorators of a class amount to."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypedDict

from falcopy_sdk.declare import names
from falcopy_sdk.declare.signature import check_method, check_plain, parameters_of, written
from falcopy_sdk.declare.spec import (
    AsyncEventsSpec,
    EventScope,
    FieldSpec,
    MetricSpec,
    SourceSpec,
)
from falcopy_sdk.exceptions import DeclarationError

if TYPE_CHECKING:
    from types import FunctionType

    from falcopy_sdk.declare.collect import Attribute, Tagged

__all__ = ["Capabilities", "capabilities_of", "event_scope"]


class Capabilities(TypedDict):
    """Members of :class:`PluginSpec`, by their names there."""

    source: SourceSpec | None
    decode: str | None
    parse: str | None
    parse_scope: EventScope
    async_events: AsyncEventsSpec | None
    dump_state: str | None
    capture_open: str | None
    capture_close: str | None
    metrics: MetricSpec | None
    set_config: str | None
    event_to_string: str | None
    open_params: str | None
    progress: str | None


#: What each decorator's method takes, beside @source, which is a case of its own.
_PARAMETERS: Final[Mapping[str, Sequence[str]]] = {
    "decode": ("self", "data"),
    "parse": ("self", "event"),
    "async_events": ("self", "emit"),
    "dump_state": ("self", "emit"),
    "capture_open": ("self",),
    "capture_close": ("self",),
    "metrics": ("self",),
    "set_config": ("self", "config"),
    "event_to_string": ("self", "event"),
    "open_params": ("self",),
    "progress": ("self",),
}
#: Decorators that mean nothing without another one.
_NEEDS: Final = (
    ("event_to_string", "source"),
    ("open_params", "source"),
    ("progress", "source"),
    ("dump_state", "async_events"),
)


def capabilities_of(
    cls: type, fields: Sequence[FieldSpec], tags: Mapping[str, Tagged], *, id: int, own: str
) -> Capabilities:
    """Check the capabilities of a plugin class, one by one and together.

    Args:
        cls: The plugin class.
        fields: Its fields.
        tags: Its methods by decorator.
        id: As given to ``@plugin``.
        own: ``event_source`` as given to ``@plugin``.

    Raises:
        DeclarationError: A method's signature is wrong, or hosts refuse the combination.
    """
    where = names.shown(cls)
    for decorator, expected in _PARAMETERS.items():
        if decorator in tags:
            attribute = tags[decorator].attribute
            check_method(
                attribute.value,
                attribute.where,
                f"@{decorator}",
                expected,
                coroutine=decorator == "async_events",
            )
    _check_combination(where, fields, tags)
    _check_own_source(where, tags, id, own)
    parse = tags.get("parse")
    metrics = _name(tags, "metrics")
    return Capabilities(
        source=_source(tags["source"].attribute) if "source" in tags else None,
        decode=_name(tags, "decode"),
        parse=_name(tags, "parse"),
        parse_scope=event_scope(parse.attribute.where, "", parse.tag.sources, parse.tag.types, own)
        if parse
        else EventScope(),
        async_events=_async_events(tags["async_events"], own) if "async_events" in tags else None,
        dump_state=_name(tags, "dump_state"),
        capture_open=_name(tags, "capture_open"),
        capture_close=_name(tags, "capture_close"),
        metrics=MetricSpec(metrics) if metrics else None,
        set_config=_name(tags, "set_config"),
        event_to_string=_name(tags, "event_to_string"),
        open_params=_name(tags, "open_params"),
        progress=_name(tags, "progress"),
    )


def event_scope(
    where: str, prefix: str, sources: Iterable[str], types: Iterable[int], own: str
) -> EventScope:
    """Check which events a capability wants, and put what hosts would otherwise guess.

    With explicit sources, or plugin events alone, no host with a driver compares event schema
    versions (libsinsp, plugin.cpp).

    Args:
        where: Class, or class and attribute.
        prefix: Of the parameters ``sources`` and ``types`` in messages.
        sources: As given by the author.
        types: As given by the author.
        own: The plugin's own event source, or ``""``.

    Raises:
        DeclarationError: A source or type is none, or it is unclear which types are meant.
    """
    chosen = _sources(where, f"{prefix}sources", sources, own)
    numbers = names.check_event_types(where, f"{prefix}types", types)
    if not numbers and "syscall" in chosen:
        raise DeclarationError(
            where,
            f'{prefix}sources has "syscall", and {prefix}types does not say which of its events',
            f"list their numbers in {prefix}types, besides {names.PLUGIN_EVENT} for plugin events",
        )
    return EventScope(chosen, numbers or (names.PLUGIN_EVENT,))


def _sources(where: str, what: str, sources: object, own: str) -> tuple[str, ...]:
    if isinstance(sources, (str, bytes)) or not isinstance(sources, Iterable):
        raise DeclarationError(
            where, f"{what} is {sources!r}, not a list of names", f'write {what}=("k8s_audit",)'
        )
    found = []
    for name in sources:
        names.check_source_name(where, what, name)
        found.append(name)
    # Hosts add the plugin's own source to a list by themselves.
    return tuple(dict.fromkeys([own, *found] if own else found))


def _check_combination(where: str, fields: Sequence[FieldSpec], tags: Mapping[str, Tagged]) -> None:
    for decorator, needed in _NEEDS:
        if decorator in tags and needed not in tags:
            raise DeclarationError(
                tags[decorator].attribute.where,
                f"@{decorator} has no effect without @{needed}",
                f"add a method with @{needed}, or remove this one",
            )
    if fields or any(name in tags for name in ("source", "parse", "async_events")):
        return
    if "capture_open" in tags or "capture_close" in tags:
        raise DeclarationError(
            where,
            "only listens to captures, and Falco does not load such a plugin",
            "add @source, @extract, @parse or @async_events",
        )
    raise DeclarationError(
        where,
        "has no capability, and hosts refuse such a plugin",
        "add @source, @extract, extract.path, @parse or @async_events",
    )


def _check_own_source(where: str, tags: Mapping[str, Tagged], id: object, own: object) -> None:
    if "source" not in tags:
        if id or own:
            raise DeclarationError(
                where,
                "id and event_source belong to a plugin with an event source, and this one has "
                "no @source",
                "add a method with @source, or leave id and event_source out",
            )
        return
    if not id:
        raise DeclarationError(
            where,
            "@source needs an id",
            "add id=999 while developing and ask the plugin registry for an id of your own",
        )
    if not own:
        raise DeclarationError(
            where, "@source needs an event_source", 'name it: event_source="acme_audit"'
        )
    names.check_id(where, id)
    names.check_source_name(where, "event_source", own, own=True)


def _name(tags: Mapping[str, Tagged], decorator: str) -> str | None:
    return tags[decorator].attribute.name if decorator in tags else None


def _source(attribute: Attribute) -> SourceSpec:
    function = check_plain(attribute.value, attribute.where, "@source")
    parameters = [p.name for p in parameters_of(function, attribute.where, "@source")]
    if len(parameters) not in (1, 2):
        missing = "" if parameters else " (self is missing)"
        raise DeclarationError(
            attribute.where,
            f"takes {written(parameters)}{missing}, and @source calls it with (self) or "
            "(self, params)",
            f"write `def {attribute.name}(self, params: str)`",
        )
    if inspect.iscoroutinefunction(function) and not _is_stub(function):
        raise DeclarationError(
            attribute.where,
            "is a coroutine function, which gives nothing to iterate over",
            "yield the events in it, or return an object with next_batch from a plain `def`",
        )
    if inspect.isasyncgenfunction(function) or inspect.iscoroutinefunction(function):
        kind = "async generator"
    else:
        kind = "generator" if inspect.isgeneratorfunction(function) else "object"
    return SourceSpec(attribute.name, takes_params=len(parameters) == 2, kind=kind)


async def _stub() -> None: ...


def _is_stub(function: FunctionType) -> bool:
    """Tell whether a body is ``...`` alone, as in documentation and in bases to derive from."""
    code = function.__code__
    return not code.co_names and len(code.co_code) == len(_stub.__code__.co_code)


def _async_events(tagged: Tagged, own: str) -> AsyncEventsSpec:
    where = tagged.attribute.where
    if not tagged.tag.names:
        raise DeclarationError(
            where, "@async_events has no event names", 'write @async_events("acme_tick")'
        )
    for name in tagged.tag.names:
        names.check_async_event_name(where, name)
        if tagged.tag.names.count(name) > 1:
            raise DeclarationError(
                where, f'asynchronous event "{name}" is named twice', "name it once"
            )
    sources = _sources(where, "sources", tagged.tag.sources, own)
    return AsyncEventsSpec(tagged.attribute.name, tuple(tagged.tag.names), sources)
