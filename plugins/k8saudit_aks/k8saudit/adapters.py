"""From the rules, which take a decoded event, to declared fields, which take the event.

Hosts ask for every field a rule set uses on every event, and most events have none of most
fields. So each function here is one frame that leaves as early as it can.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from falcopy_sdk import Event, extract

from . import rules
from .rules import Body, Keys

__all__ = [
    "ListRule",
    "has_host_path",
    "has_name",
    "listed",
    "single",
    "subjects",
    "uri_param",
    "walked",
]

ListRule = Callable[[Body, Keys, "int | None"], "list[str] | None"]


def listed(name: str, rule: ListRule, *keys: str, desc: str) -> Any:
    """Declare a list field with an optional index.

    Args:
        name: The field's name.
        rule: Called with the decoded event, ``keys`` and the index.
        keys: Of the path. Most events lack the first, ``requestObject``; then there is no call.
        desc: What the field is.
    """
    first = keys[0]

    def field(event: Event, index: int | None = None) -> list[str] | None:
        body = event.json
        if body is None or first not in body:
            return None
        return rule(body, keys, index)

    return extract.function(name, field, desc=desc)


def walked(name: str, *keys: str, desc: str) -> Any:
    """Declare a list field with an optional index whose values are just there, under a path.

    Args:
        name: The field's name.
        keys: From the event to the value, through the lists in between.
        desc: What the field is.
    """
    return extract.path(name, *keys, desc=desc, type=list[str], each=True, null="null")


def single(
    name: str, rule: Callable[[Body], str | None], *, desc: str, needs: str = "auditID"
) -> Any:
    """Declare a field with one value.

    Args:
        name: The field's name.
        rule: Called with the decoded event.
        desc: What the field is.
        needs: The member without which there is no value, and no call. All events have the
            default.
    """

    def field(event: Event) -> str | None:
        body = event.json
        if body is None or needs not in body:
            return None
        return rule(body)

    return extract.function(name, field, desc=desc)


def subjects(name: str, kind: str, *, desc: str, with_namespace: bool = False) -> Any:
    """Declare a field with the names of a binding's subjects of one kind."""

    def field(event: Event) -> list[str] | None:
        body = event.json
        if body is None or "requestObject" not in body:
            return None
        return rules.subjects(body, kind, with_namespace=with_namespace)

    return extract.function(name, field, desc=desc)


def uri_param(event: Event, key: str) -> str | None:
    """``ka.uri.param``."""
    body = event.json
    return None if body is None else rules.uri_parameter(body, key)


def has_name(event: Event, key: str) -> str | None:
    """``ka.req.binding.subject.has_name``."""
    # A constant in the Go plugins too; rules that still ask must go on loading and matching.
    return None if event.json is None else "true"


def has_host_path(event: Event, key: str) -> str | None:
    """``ka.req.volume.hostpath``."""
    body = event.json
    if body is None or "requestObject" not in body:
        return None
    return rules.has_host_path(body, key)
