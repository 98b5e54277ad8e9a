"""Timestamps of audit events, read the way Go's ``time.Parse(time.RFC3339Nano, ...)`` does.

That is RFC 3339 with upper-case ``T`` and ``Z``, and four allowances: a comma before the
fraction, fraction digits beyond the ninth (ignored), a one-digit hour, and offsets up to 24:60.
There is no second 60 and no hour 24.
"""

from __future__ import annotations

import datetime
import functools
import re

__all__ = ["nanoseconds"]

_FORM = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{1,2}):([0-5][0-9]):([0-5][0-9])"
    r"(?:[.,]([0-9]+))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)
_UINT64_MAX = 2**64 - 1
_EPOCH = datetime.date(1970, 1, 1).toordinal()
# The calendar repeats after this many years, which serves year 0: Python's calendar starts at 1.
_CYCLE_YEARS = 400
_CYCLE_DAYS = 146_097


def nanoseconds(text: str) -> int | None:
    """The time in nanoseconds since the epoch, as the unsigned 64-bit number of an event's time.

    Args:
        text: ``2024-05-01T12:34:56.123456Z``.

    Returns:
        The time modulo 2**64 (years before 1970 wrap around, as the plugin API carries them);
        None if the text is no such timestamp.
    """
    # The form Kubernetes writes, and in order of time: the minute is nearly always known.
    if len(text) == 27 and text[19] == "." and text[26] == "Z" and text[17] < "6":
        digits = text[17:19] + text[20:26]
        if digits.isascii() and digits.isdigit():
            minute = _minute(text[:17])
            return None if minute is None else (minute + int(digits) * 1_000) & _UINT64_MAX
    return _parse(text)


@functools.lru_cache(maxsize=16)
def _minute(start: str) -> int | None:
    return _parse(f"{start}00Z")


def _parse(text: str) -> int | None:
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, off_hours, off_minutes = match.groups()
    days = _days(year, month, day)
    if days is None or int(hour) > 23:
        return None
    seconds = days * 86_400 + int(hour) * 3_600 + int(minute) * 60 + int(second)
    if sign is not None:
        hours, minutes = int(off_hours), int(off_minutes)
        if hours > 24 or minutes > 60:
            return None
        offset = hours * 3_600 + minutes * 60
        seconds += offset if sign == "-" else -offset
    nanos = int(fraction[:9].ljust(9, "0")) if fraction is not None else 0
    return (seconds * 1_000_000_000 + nanos) & _UINT64_MAX


@functools.lru_cache(maxsize=16)
def _days(year: str, month: str, day: str) -> int | None:
    """Days from the epoch to a date; None if the calendar has no such date."""
    number = int(year)
    try:
        if number == 0:
            date = datetime.date(_CYCLE_YEARS, int(month), int(day))
            return date.toordinal() - _EPOCH - _CYCLE_DAYS
        return datetime.date(number, int(month), int(day)).toordinal() - _EPOCH
    except ValueError:
        return None
