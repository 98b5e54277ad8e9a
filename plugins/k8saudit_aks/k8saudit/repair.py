"""JSON as API servers write it, where a strict reader refuses it.

An API server puts the body of a patch into the audit event as the client sent it
(``LogRequestPatch`` of k8s.io/apiserver); all that looks at it on the way out is Go's
``encoding/json``. That lets half a surrogate pair pass, a number beyond any double and bytes that
are no UTF-8. A reader that refuses these lets a client hide its request. Here they become text of
the same meaning. What ``encoding/json`` never writes stays refused: ``NaN``, control characters,
unknown escapes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final

import orjson

__all__ = ["REPLACED", "SPELLED", "Halves", "repaired"]

#: What to do about halves of surrogate pairs in a text.
Halves = Callable[[str], str]

_REPLACEMENT = "\ufffd"
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_HALF = r"u[dD][89a-fA-F][0-9a-fA-F]{2}"
_PAIR = r"u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
# An escape of two characters takes part as well: in \\ud800 the backslash is escaped.
_HALVES = re.compile(rf"\\(?:{_PAIR}|({_HALF})|.)", re.DOTALL)
_HALVES_AND_NEXT = re.compile(rf"\\(?:{_PAIR}|({_HALF})(\\u[0-9a-fA-F]{{4}})?|.)", re.DOTALL)
# A string, to be stepped over, or a number with a long exponent or many digits, which may be beyond
# a double; as a key of an object it is refused as it is.
_STRING_OR_NUMBER = re.compile(
    r'"(?:[^"\\]++|\\.?)*+"?'
    r"|(?<![0-9.eE+-])(?=-?(?:[0-9]{200}|[0-9.]++[eE]\+?[0-9]{3}))"
    r"(?>(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?))(?![ \t\r\n]*+:)",
    re.DOTALL,
)


def _replaced(text: str) -> str:
    return _HALVES.sub(lambda match: _REPLACEMENT if match[1] else match[0], text)


def _spelled(text: str) -> str:
    def plain(match: re.Match[str]) -> str:
        half, following = match.groups()
        if half is None:
            return match[0]
        return _REPLACEMENT if following else rf"\\{half}"

    return _HALVES_AND_NEXT.sub(plain, text)


#: As ``encoding/json`` reads them, and with it what is around an audit event: each is U+FFFD.
REPLACED: Final[Halves] = _replaced
#: As the Go plugins read them in audit events: half a pair is the six characters it is spelled
#: with, or U+FFFD together with an escape after it that does not complete the pair.
SPELLED: Final[Halves] = _spelled


def repaired(text: bytes | bytearray | memoryview | str, halves: Halves) -> Any:
    """Decode what orjson refused.

    Each byte that is no UTF-8 becomes U+FFFD. A number beyond a double becomes its text, which
    is what fields give of a number. Whatever comes of it can be written as JSON again.

    Args:
        text: JSON, more or less.
        halves: :data:`REPLACED` or :data:`SPELLED`.

    Raises:
        orjson.JSONDecodeError: It is not JSON in other ways.
    """
    if not isinstance(text, str):
        # Half a pair for each bad byte, as Go counts them; "replace" takes some together.
        text = bytes(text).decode("utf-8", "surrogateescape")
    text = halves(_HALF_CHARACTER.sub(_REPLACEMENT, text))
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return orjson.loads(_STRING_OR_NUMBER.sub(_finite, text))


def _finite(match: re.Match[str]) -> str:
    number = match[1]
    return f'"{number}"' if number is not None and math.isinf(float(number)) else match[0]
