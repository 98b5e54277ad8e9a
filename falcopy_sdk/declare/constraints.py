"""Limits on configuration values, written in ``Annotated[type, "description", limit]``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Length", "Pattern", "Range"]


@dataclass(frozen=True, slots=True)
class Range:
    """Limits of a number, both inclusive.

    Raises:
        ValueError: Neither limit is given, or they leave nothing.
    """

    min: float | None = None
    max: float | None = None

    def __post_init__(self) -> None:
        _check_limits("Range", self.min, self.max)

    def keywords(self) -> Mapping[str, Any]:
        """Return the keywords of JSON Schema that say the same."""
        return _present(minimum=self.min, maximum=self.max)


@dataclass(frozen=True, slots=True)
class Length:
    """Limits of how many characters a text has, or how many elements a list or mapping.

    Raises:
        ValueError: Neither limit is given, or they leave nothing.
    """

    min: int | None = None
    max: int | None = None

    def __post_init__(self) -> None:
        _check_limits("Length", self.min, self.max)

    def keywords(self, noun: str) -> Mapping[str, Any]:
        """Return the keywords of JSON Schema that say the same.

        Args:
            noun: ``Length`` for texts, ``Items`` for lists, ``Properties`` for mappings.
        """
        return _present(**{f"min{noun}": self.min, f"max{noun}": self.max})


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression (:mod:`re`) that must match somewhere in a text.

    Raises:
        ValueError: It is no regular expression.
    """

    regex: str

    def __post_init__(self) -> None:
        try:
            re.compile(self.regex)
        except re.error as error:
            raise ValueError(f"Pattern({self.regex!r}) is no regular expression: {error}") from None

    def keywords(self) -> Mapping[str, Any]:
        """Return the keywords of JSON Schema that say the same."""
        return {"pattern": self.regex}


def _check_limits(what: str, low: float | None, high: float | None) -> None:
    if low is None and high is None:
        raise ValueError(f"{what}() has no limit; write {what}(min=1), for example")
    if low is not None and high is not None and low > high:
        raise ValueError(f"{what}(min={low}, max={high}) leaves no value")


def _present(**keywords: Any) -> Mapping[str, Any]:
    return {name: value for name, value in keywords.items() if value is not None}
