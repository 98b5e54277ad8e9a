"""Turns a wrong call of a decorator into a sentence: what is missing, what is unknown."""

from __future__ import annotations

import difflib
import functools
import inspect
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from falcopy_sdk.exceptions import DeclarationError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["keywords_only"]

P = ParamSpec("P")
R = TypeVar("R")


def keywords_only(function: Callable[P, R]) -> Callable[P, R]:
    """Check the keywords of a call before it is made; type checkers see the function itself.

    Args:
        function: A decorator's maker that takes keywords alone.
    """
    parameters = inspect.signature(function).parameters
    required = [name for name, p in parameters.items() if p.default is p.empty]
    where = f"@{function.__name__}"
    shape = f"{where}({', '.join(f'{name}=...' for name in required)})"

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if args:
            raise DeclarationError(
                where,
                "is used without its keywords, or with values that have none",
                f"write {shape}",
            )
        for name in kwargs:
            if name not in parameters:
                near = difflib.get_close_matches(name, parameters, 1)
                fix = f"write {near[0]}" if near else f"use one of {', '.join(parameters)}"
                raise DeclarationError(where, f'has no keyword "{name}"', fix)
        missing = [name for name in required if name not in kwargs]
        if missing:
            noun = "keyword" if len(missing) == 1 else "keywords"
            raise DeclarationError(
                where, f"lacks the {noun} {', '.join(missing)}", f"write {shape}"
            )
        return function(*args, **kwargs)

    return checked
