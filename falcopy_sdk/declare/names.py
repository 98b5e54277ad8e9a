"""What hosts and the plugin registry accept as names, versions and numbers."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final

from falcopy_sdk.exceptions import DeclarationError

__all__ = [
    "ASYNC_EVENT",
    "NEWEST_API_VERSION",
    "PLUGIN_EVENT",
    "check_api_version",
    "check_async_event_name",
    "check_event_types",
    "check_field_name",
    "check_id",
    "check_plugin_name",
    "check_source_name",
    "check_text",
    "check_version",
    "did_you_mean",
    "shown",
    "version_tuple",
]

#: PPME_PLUGINEVENT_E and PPME_ASYNCEVENT_E of the hosts' event table.
PLUGIN_EVENT: Final = 322
ASYNC_EVENT: Final = 402

NEWEST_API_VERSION: Final = "3.12.0"

# The filter grammar of libsinsp (filter/parser.cpp): a field outside it cannot be written in rules.
_FIELD: Final = re.compile(r"[a-zA-Z]+[a-zA-Z0-9_]*(\.[a-zA-Z]+[a-zA-Z0-9_]*)+")
# Naming rules of the plugin registry (falcosecurity/plugins, docs).
_PLUGIN: Final = re.compile(r"[a-z]+[a-z0-9-_]*")
_SOURCE: Final = re.compile(r"[a-z]+[a-z0-9_]*")
_RESERVED_SOURCES: Final = ("syscall", "internal", "plugins")
_HIGHEST_ID: Final = 2_147_483_647
_SEMVER: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?", re.ASCII)
_PLAIN_VERSION: Final = re.compile(r"\d+\.\d+\.\d+", re.ASCII)
# PPM_MAX_NAME_LEN less the NUL: hosts cut longer names, and then refuse the event.
_ASYNC_NAME_BYTES: Final = 31


def shown(thing: object) -> str:
    """Return the name of a class or function as its author thinks of it, for messages."""
    name: str = getattr(thing, "__qualname__", type(thing).__name__)
    return name.rpartition("<locals>.")[2]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``'; did you mean "x"?'``, or ``""`` when nothing known is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f'; did you mean "{near[0]}"?' if near else ""


def check_text(where: str, what: str, text: object, *, empty: bool = False) -> None:
    """Check a text that hosts read as a C string.

    Raises:
        DeclarationError: It is no ``str``, holds a NUL, or is empty where that is not allowed.
    """
    if not isinstance(text, str):
        raise DeclarationError(
            where, f"{what} is {type(text).__name__}, not str", f"give {what} as text"
        )
    if not text.strip() and not (empty and text == ""):
        raise DeclarationError(where, f"{what} is empty", f"give {what}")
    if "\0" in text:
        raise DeclarationError(
            where, f"{what} holds a NUL character, where hosts stop reading", "remove it"
        )


def check_plugin_name(where: str, name: object) -> None:
    """Check ``name`` of a plugin.

    Raises:
        DeclarationError: It does not match ``[a-z]+[a-z0-9-_]*``.
    """
    check_text(where, "name", name)
    if not _PLUGIN.fullmatch(str(name)):
        raise DeclarationError(
            where,
            f'name "{name}" is not a plugin name',
            "begin with a small letter and use only a-z, 0-9, - and _",
        )


def check_source_name(where: str, what: str, name: object, *, own: bool = False) -> None:
    """Check the name of an event source; one of the plugin's own must not be reserved.

    Raises:
        DeclarationError: It does not match ``[a-z]+[a-z0-9_]*`` or is reserved.
    """
    check_text(where, what, name)
    if not _SOURCE.fullmatch(str(name)):
        raise DeclarationError(
            where,
            f'{what} "{name}" is not the name of an event source',
            "begin with a small letter and use only a-z, 0-9 and _",
        )
    if own and name in _RESERVED_SOURCES:
        raise DeclarationError(
            where,
            f'{what} "{name}" is reserved by hosts ({", ".join(_RESERVED_SOURCES)})',
            "choose another name",
        )


def check_id(where: str, number: object) -> None:
    """Check the id of a plugin with an event source.

    Raises:
        DeclarationError: It is no integer from 1 to 2147483647.
    """
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= _HIGHEST_ID:
        raise DeclarationError(
            where,
            f"id {number!r} is not a whole number from 1 to {_HIGHEST_ID}",
            "use 999 while developing and ask the plugin registry for an id of your own",
        )


def check_version(where: str, what: str, version: object, example: str = "0.1.0") -> None:
    """Check a semantic version, ``x.y.z`` with an optional suffix.

    Raises:
        DeclarationError: Hosts could not read it.
    """
    check_text(where, what, version)
    match = _SEMVER.fullmatch(str(version))
    if not match or any(int(number) >= 2**32 for number in match.group(1, 2, 3)):
        raise DeclarationError(
            where, f'{what} "{version}" is not of the form x.y.z', f'write {what}="{example}"'
        )


def version_tuple(version: str) -> tuple[int, ...]:
    """Return ``"3.10.0"`` as ``(3, 10, 0)``, which compares as versions do."""
    return tuple(int(number) for number in version.split("."))


def check_api_version(where: str, wanted: object, needed: str, because: str) -> None:
    """Check an ``api_version`` given by the author.

    Raises:
        DeclarationError: It is malformed, below ``needed``, or newer than the SDK knows.
    """
    if not isinstance(wanted, str) or not _PLAIN_VERSION.fullmatch(wanted):
        raise DeclarationError(
            where,
            f"api_version {wanted!r} is not of the form x.y.z",
            "leave it out to have the lowest one computed",
        )
    if version_tuple(wanted) < version_tuple(needed):
        raise DeclarationError(
            where,
            f"api_version {wanted} is too low: {because} needs {needed}",
            f"write {needed} or later, or leave it out",
        )
    newest = version_tuple(NEWEST_API_VERSION)
    if version_tuple(wanted) > newest or version_tuple(wanted)[0] != newest[0]:
        raise DeclarationError(
            where,
            f"api_version {wanted} is newer than {NEWEST_API_VERSION}, the newest this SDK knows",
            "leave it out to have the lowest one computed",
        )


def check_field_name(where: str, name: object) -> None:
    """Check the name of a field.

    Raises:
        DeclarationError: The hosts' filter grammar cannot express it.
    """
    check_text(where, "field name", name)
    if not _FIELD.fullmatch(str(name)):
        raise DeclarationError(
            where,
            f'"{name}" cannot be written as a field in rules',
            "use two or more parts joined by dots, each a letter and then letters, digits or _, "
            'such as "acme.user"',
        )


def check_async_event_name(where: str, name: object) -> None:
    """Check the name of an asynchronous event.

    Raises:
        DeclarationError: It is empty, has white space, or is longer than 31 bytes.
    """
    check_text(where, "asynchronous event name", name)
    text = str(name)
    if len(text.encode()) > _ASYNC_NAME_BYTES:
        raise DeclarationError(
            where,
            f'asynchronous event name "{text}" is longer than {_ASYNC_NAME_BYTES} bytes, '
            "where hosts cut it",
            "shorten it",
        )
    if any(character.isspace() for character in text):
        raise DeclarationError(
            where, f'asynchronous event name "{text}" has white space', "use _ instead"
        )


def check_event_types(where: str, what: str, types: object) -> tuple[int, ...]:
    """Check a collection of event types and return it without repetitions.

    Raises:
        DeclarationError: One is no 16-bit number.
    """
    if isinstance(types, (str, bytes)) or not isinstance(types, Iterable):
        raise DeclarationError(
            where, f"{what} is {types!r}, not a list of numbers", f"write {what}=({PLUGIN_EVENT},)"
        )
    found = tuple(dict.fromkeys(types))
    for number in found:
        if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 2**16:
            raise DeclarationError(
                where,
                f"{what} has {number!r}, which is no event type",
                f"use numbers of the hosts' event table, such as {PLUGIN_EVENT} (plugin events)",
            )
    return tuple(int(number) for number in found)
