"""The kinds of trouble that a live stream survives; each has its counter."""

from __future__ import annotations

import enum
from typing import NamedTuple

__all__ = ["Fault", "Trouble"]


class Fault(enum.Enum):
    """What went wrong; the value is the end of the counter's name."""

    UNRESOLVED = "unresolved"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    UNTRUSTED = "untrusted"
    REFUSED = "refused"
    NO_HUB = "no_hub"
    NO_GROUP = "no_group"
    THROTTLED = "throttled"
    STOLEN = "stolen"
    MOVED = "moved"
    SILENT = "silent"
    STORE = "store"
    OTHER = "other"


class Trouble(NamedTuple):
    """One occurrence, with a sentence for the user: what happened and what to do."""

    fault: Fault
    text: str
