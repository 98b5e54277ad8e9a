"""How the tests of wrong declarations declare, and what is the same in many refusals."""

import pytest

from falcopy_sdk import (
    DeclarationError,
    extract,
    plugin,
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
