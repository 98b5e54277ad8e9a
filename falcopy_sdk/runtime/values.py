"""Conversions that the bridge leaves to Python: rare types, rare shapes of JSON values."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any

import orjson

from falcopy_sdk.abi.enums import FieldTypeCode

__all__ = ["from_json", "to_integer", "to_packed", "to_text"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_text(value: object) -> bytes:
    """Return the compact JSON text of a decoded JSON value.

    Raises:
        RecursionError: It is nested deeper than the interpreter's recursion limit.
    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        # orjson writes 254 levels but reads 1024; deeper text is rare enough to be slow.
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def to_integer(value: object) -> int:
    """Return a point in time or a duration in nanoseconds.

    Raises:
        TypeError: ``value`` is neither an aware ``datetime`` nor a ``timedelta``.
    """
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError("a datetime without a time zone; use an aware one")
        value = value - _EPOCH
    if isinstance(value, timedelta):
        return value // _MICROSECOND * 1000
    raise TypeError(f"expected datetime, timedelta or int, got {type(value).__name__}")


def to_packed(value: object) -> bytes:
    """Return an address in network byte order; of a network, its address.

    Raises:
        TypeError: ``value`` is no address, network or text of one.
        ValueError: The text is malformed.
    """
    if isinstance(value, str):
        value = ip_network(value, strict=False) if "/" in value else ip_address(value)
    if isinstance(value, (IPv4Network, IPv6Network)):
        value = value.network_address
    if isinstance(value, (IPv4Address, IPv6Address)):
        return value.packed
    if isinstance(value, bytes) and len(value) in (4, 16):
        return value
    raise TypeError(f"expected an IP address or network, got {type(value).__name__}")


def from_json(field_type: int, value: object) -> Any:
    """Return a JSON value as what a field of that type holds; None where it does not fit.

    Numbers may come as text. Times are RFC 3339 text or nanoseconds, durations nanoseconds.
    """
    try:
        if field_type in (FieldTypeCode.IPADDR, FieldTypeCode.IPNET):
            return to_packed(value) if isinstance(value, str) else None
        if isinstance(value, bool):
            return None
        if field_type == FieldTypeCode.ABSTIME and isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return to_integer(moment) if moment.tzinfo is not None else None
        number = int(value) if isinstance(value, (str, int)) else None
    except ValueError:
        return None
    return number if number is not None and 0 <= number < 1 << 64 else None
