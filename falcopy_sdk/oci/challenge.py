"""Reading ``WWW-Authenticate`` (RFC 9110, 11.6.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.request import parse_http_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Challenge", "parse_challenges"]

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]*)(?:\s+(.*))?", re.DOTALL)
_PARAMETER: Final = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)\s*=\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way in that a server offers; scheme and parameter names in small letters."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """Read every challenge of the header's values; what is malformed is left out."""
    found: list[tuple[str, dict[str, str]]] = []
    for item in (item for header in headers for item in parse_http_list(header)):
        parameter = _PARAMETER.fullmatch(item)
        if parameter is None:
            # "Bearer realm=...": a scheme, and with it the first parameter.
            scheme = _SCHEME.fullmatch(item)
            if scheme is None:
                continue
            found.append((scheme[1].lower(), {}))
            parameter = _PARAMETER.fullmatch(scheme[2] or "")
        if parameter is not None and found:
            found[-1][1][parameter[1].lower()] = _unquoted(parameter[2].strip())
    return [Challenge(scheme, parameters) for scheme, parameters in found]


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value
