"""Keeps the secrets of configurations out of error texts and logs, also when code revealed them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from falcopy_sdk.declare.secret import Secret

__all__ = ["learn", "masked"]

#: Shorter ones would blank out ordinary words.
_SHORTEST = 4
#: Never forgotten: an error may be told after the configuration has gone.
_texts: set[str] = set()


def learn(config: Any) -> None:
    """Note every :class:`Secret` in a configuration, at any depth."""
    if isinstance(config, Secret):
        if len(config.reveal()) >= _SHORTEST:
            _texts.add(config.reveal())
    elif dataclasses.is_dataclass(config) and not isinstance(config, type):
        learn([getattr(config, field.name) for field in dataclasses.fields(config)])
    elif isinstance(config, Mapping):
        learn(config.values())
    elif isinstance(config, Iterable) and not isinstance(config, (str, bytes)):
        for value in config:
            learn(value)


def masked(text: str) -> str:
    """Return the text with ``***`` in place of every secret learned."""
    for secret in sorted(_texts, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
