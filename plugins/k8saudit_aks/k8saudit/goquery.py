"""Query parameters of a request URI, read the way Go's ``net/url`` reads them.

The API server is a Go program and the rules in use were written against a Go reader, so what
counts as a parameter, and which URIs are refused altogether, follows ``net/url``: ``url.Parse``
on the URI, then ``url.ParseQuery`` on its query (https://pkg.go.dev/net/url). Python's
``urllib.parse`` is more lenient in most of these places and differs on ``;``.
"""

from __future__ import annotations

import functools
import ipaddress
import re

__all__ = ["query_parameters"]

# One URI serves several fields of one event (ka.uri.param[a], ka.uri.param[b], ...). Few entries:
# a URI may be as long as an event.
_REMEMBERED_URIS = 8

# url.Parse refuses these anywhere before the fragment.
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_ESCAPED_DIGITS = re.compile("%([0-9A-Fa-f]{2})")
# getScheme: the colon may only follow a letter and letters, digits, "+", "-", ".".
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_PORT = re.compile(r"(?::[0-9]*)?")
_USERINFO = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")
# What shouldEscape leaves alone in a host. Bytes above ASCII may stand as they are or escaped;
# ASCII may not be escaped, "%25" excepted, which introduces a zone.
_HOST_CHARACTER = r"[A-Za-z0-9\-_.~!$&'()*+,;=:\[\]<>\"\u0080-\U0010ffff]"
_HOST = re.compile(f"(?:{_HOST_CHARACTER}|%25|%[89A-Fa-f].)*")
# A zone may escape whatever needs no escape, a space and "%".
_ZONE_CHARACTERS = re.compile(f"(?:{_HOST_CHARACTER})*")
_ZONE_ESCAPED = re.compile(r"[A-Za-z0-9\-_.~!$&'()*+,;=:\[\]<>\" %]*")


@functools.lru_cache(maxsize=_REMEMBERED_URIS)
def query_parameters(uri: str) -> dict[str, str] | None:
    """The first value of every query parameter of a URI.

    Args:
        uri: A request URI, ``/api/v1/pods?watch=true``.

    Returns:
        Values by name; bytes that are no UTF-8 become U+FFFD. None if ``net/url`` refuses the URI
        or any part of its query. The dictionary is shared: do not change it.
    """
    query = _raw_query(uri)
    return None if query is None else _parse_query(query)


def _raw_query(uri: str) -> str | None:
    """``url.Parse(uri).RawQuery``; None where that returns an error."""
    rest, _, fragment = uri.partition("#")
    if _CONTROL.search(rest) or _BAD_ESCAPE.search(fragment):
        return None
    scheme = ""
    if rest.startswith(":"):
        return None
    if match := _SCHEME.match(rest):
        scheme = match.group()
        rest = rest[match.end() :]
    # A single "?" at the very end is an empty query; the general split says the same.
    rest, _, query = rest.partition("?")
    if not rest.startswith("/"):
        if scheme:
            return query  # opaque, as in mailto:someone?subject=x; nothing else is looked at
        if ":" in rest.partition("/")[0]:
            return None
    elif rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, path = rest[2:].partition("/")
        if not _is_authority(authority):
            return None
        rest = slash + path
    return None if _BAD_ESCAPE.search(rest) else query


def _is_authority(authority: str) -> bool:
    """Whether ``parseAuthority`` takes ``[userinfo@]host[:port]``."""
    userinfo, _, host = authority.rpartition("@")
    if not _USERINFO.fullmatch(userinfo) or _BAD_ESCAPE.search(userinfo):
        return False
    if _BAD_ESCAPE.search(host):
        return False
    bracket = host.rfind("[")
    if bracket > 0:
        return False
    if bracket == 0:
        end = host.rfind("]")
        return end > 0 and bool(_PORT.fullmatch(host, end + 1)) and _is_ipv6(host[1:end])
    colon = host.rfind(":")
    if colon >= 0 and not _PORT.fullmatch(host, colon):
        return False
    return bool(_HOST.fullmatch(host))


def _is_ipv6(text: str) -> bool:
    """Whether a host in brackets is an IPv6 address, perhaps with a zone after ``%25``."""
    address, percent, zone = text.partition("%25")
    if "%" in address:
        return False
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    if not percent:
        return True
    escaped = "".join(chr(int(digits, 16)) for digits in _ESCAPED_DIGITS.findall(zone))
    plain = _ESCAPED_DIGITS.sub("", zone)
    return bool(zone and _ZONE_ESCAPED.fullmatch(escaped) and _ZONE_CHARACTERS.fullmatch(plain))


def _parse_query(query: str) -> dict[str, str] | None:
    """``url.ParseQuery``, first values only; None where that returns an error."""
    if ";" in query or _BAD_ESCAPE.search(query):
        return None
    parameters: dict[str, str] = {}
    for pair in query.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            key = _unescape(name)
            if key not in parameters:
                parameters[key] = _unescape(value)
    return parameters


def _unescape(text: str) -> str:
    """``url.QueryUnescape`` of a text without bad escapes."""
    text = text.replace("+", " ")
    if "%" not in text:
        return text
    raw = text.encode("utf-8", "surrogatepass")
    return _ESCAPE.sub(_byte, raw).decode("utf-8", "replace")


def _byte(escape: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escape.group(1).decode())
