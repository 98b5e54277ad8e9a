"""Sample events: what authors keep beside their tests, read from files or given as objects."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from falcopy_sdk.declare.event import Event
from falcopy_sdk.exceptions import RequestError

__all__ = ["Payload", "Payloads", "payload_of", "payloads_of", "read_events"]

#: One event's payload: bytes as they are, text as UTF-8, mappings and lists as JSON.
Payload = bytes | str | Mapping[str, Any] | list[Any] | Event
#: Payloads, or a file or folder of them (see :func:`read_events`).
Payloads = str | Path | Iterable[Payload]


def payload_of(given: Payload) -> bytes:
    """Return the bytes of one payload.

    Raises:
        TypeError: It is nothing that an event can be made of.
    """
    return given.data if isinstance(given, Event) else Event(given).data


def payloads_of(given: Payloads) -> list[bytes]:
    """Return the payloads of a file, a folder or a collection.

    Raises:
        RequestError: See :func:`read_events`.
        TypeError: One event was given where several are expected.
    """
    if isinstance(given, (str, Path)):
        return read_events(given)
    if isinstance(given, (bytes, Event, Mapping)):
        raise TypeError(f"events are a list or a file of events, not one {type(given).__name__}")
    return [payload_of(item) for item in given]


def read_events(path: str | Path) -> list[bytes]:
    """Read sample events.

    Args:
        path: A ``.json`` file with an array (an event an element) or one document (one event); any
            other file has an event a line, without empty lines; a folder has files of these
            kinds, taken in the order of their names.

    Raises:
        RequestError: There is no such file, it is no JSON, or it has no event.
    """
    place = Path(path)
    try:
        if place.is_dir():
            files = sorted(p for p in place.iterdir() if p.is_file() and p.name[0] != ".")
            events = [event for file in files for event in _of_file(file)]
        else:
            events = _of_file(place)
    except OSError as error:
        raise RequestError(f"{path}: cannot read events: {error.strerror}") from error
    if not events:
        raise RequestError(f"{path}: there is no event in it; write one JSON document a line")
    return events


def _of_file(file: Path) -> list[bytes]:
    content = file.read_bytes()
    if file.suffix != ".json":
        return [line.rstrip(b"\r") for line in content.split(b"\n") if line.strip()]
    try:
        document = json.loads(content)
    except ValueError as error:
        raise RequestError(
            f"{file}: not valid JSON: {error}; name it .jsonl if it has an event a line"
        ) from error
    if not isinstance(document, list):
        return [content.strip()]
    return [orjson.dumps(element) for element in document]
