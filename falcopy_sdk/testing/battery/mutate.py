"""Hostile events, made of samples: the same ones at every run, so that a finding can be repeated.

Written here and not left to a library for random tests: the same events have to come up again in
another process, for plugins in any language, without a package that authors would need.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["GENERIC", "hostile_events", "hostile_keys"]

#: When there are no samples.
GENERIC = (b'{"time": "2024-01-01T00:00:00Z", "user": {"name": "ann"}, "n": 1}', b"a line of text")

_SEED = 5
_MOST_PATHS, _MOST_OF_A_SAMPLE, _MOST_SAMPLES = 40, 120, 5
_DEEP = 100_000
_LONG = 1_000_000

_FIXED = (
    ("an empty payload", b""),
    ("a space", b" "),
    ("a NUL byte", b"\0"),
    ("null", b"null"),
    ("true", b"true"),
    ("a number", b"0"),
    ("a text", b'"text"'),
    ("an empty list", b"[]"),
    ("an empty object", b"{}"),
    ("a list of objects", b"[{}, {}]"),
    ("not a number", b"NaN"),
    ("a huge exponent", b'{"n": 1e99999}'),
    ("a huge number", b'{"n": ' + b"9" * 5000 + b"}"),
    ("a lone surrogate", b'{"s": "\\ud800"}'),
    ("an escaped NUL", b'{"s": "a\\u0000b"}'),
    ("invalid UTF-8", b'{"s": "\xff\xfe\xc0\x80"}'),
    ("bytes of UTF-16", '{"s": "ü"}'.encode("utf-16")),
    ("binary data", bytes(range(256)) * 8),
    ("a deeply nested list", b"[" * _DEEP + b"]" * _DEEP),
    ("a deeply nested object", b'{"a":' * _DEEP + b"1" + b"}" * _DEEP),
    ("a nesting that never ends", b'[{"a":' * _DEEP),
    ("a long text", b'{"s": "' + b"x" * _LONG + b'"}'),
    ("format directives", b'{"s": "%s%n%x {0} ${x} $(x) `x`"}'),
    ("the same key twice", b'{"a": 1, "a": {"a": 2}}'),
)

_OTHER: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**64,
    1.5,
    "",
    "x\0y",
    "\U0001f600" * 50,
    "x" * 70_000,
    [],
    [None],
    [[]],
    {},
    {"": None},
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:60.999999999+99:99",
    "999.999.999.999",
)


def hostile_keys(samples: tuple[bytes, ...]) -> list[str]:
    """Arguments for fields that take a key: some that samples have, and some that nobody has."""
    found: dict[str, None] = {}
    for sample in samples[:_MOST_SAMPLES]:
        try:
            document = json.loads(sample)
        except (ValueError, RecursionError):
            continue
        for path in _paths(document):
            if path and isinstance(path[-1], str) and path[-1]:
                found.setdefault(path[-1])
    return [*list(found)[:12], "no such key", "é", "%n%s", "../..", "x" * 10_000]


def hostile_events(samples: tuple[bytes, ...]) -> Iterator[tuple[str, bytes]]:
    """Yield payloads, each with a few words on what is hostile about it."""
    yield from _FIXED
    for number, sample in enumerate((samples or GENERIC)[:_MOST_SAMPLES], 1):
        name = f"sample {number}"
        made = [*_cut(name, sample), *_flipped(name, sample), *_changed(name, sample)]
        if len(made) > _MOST_OF_A_SAMPLE:
            made = random.Random(_SEED).sample(made, _MOST_OF_A_SAMPLE)  # noqa: S311
        yield from made


def _cut(name: str, sample: bytes) -> Iterator[tuple[str, bytes]]:
    for share in (0.1, 0.5, 0.9):
        at = int(len(sample) * share)
        yield f"{name} cut at byte {at}", sample[:at]
    yield f"{name} twice", sample + sample
    yield f"{name} with a NUL byte behind it", sample + b"\0"


def _flipped(name: str, sample: bytes) -> Iterator[tuple[str, bytes]]:
    chance = random.Random(_SEED)  # noqa: S311 - not for secrets
    for _ in range(8 if sample else 0):
        at = chance.randrange(len(sample))
        value = chance.randrange(256)
        changed = sample[:at] + bytes([value]) + sample[at + 1 :]
        yield f"{name} with byte {at} set to {value:#04x}", changed


def _changed(name: str, sample: bytes) -> Iterator[tuple[str, bytes]]:
    """A JSON document with each of its values replaced or taken away."""
    try:
        document = json.loads(sample)
    except (ValueError, RecursionError):
        return
    chance = random.Random(_SEED)  # noqa: S311
    paths = [path for path in _paths(document) if path]
    if len(paths) > _MOST_PATHS:
        paths = chance.sample(paths, _MOST_PATHS)
    for path in paths:
        where = ".".join(map(str, path))
        yield f"{name} without {where}", _dump(_without(document, path))
        for value in chance.sample(_OTHER, 4):
            shown = json.dumps(value)
            shown = shown if len(shown) < 40 else f"{shown[:30]}... ({len(shown)} bytes)"
            yield f"{name} with {where} = {shown}", _dump(_with(document, path, value))


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value[:5]):
            yield from _paths(inner, (*path, index))


def _with(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = _with(copy[path[0]], path[1:], new)
    return copy


def _without(value: Any, path: tuple[str | int, ...]) -> Any:
    copy = value.copy()
    if len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = _without(copy[path[0]], path[1:])
    return copy


def _dump(value: Any) -> bytes:
    return json.dumps(value).encode()
