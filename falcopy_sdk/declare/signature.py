"""Checks that a tagged method takes what the runtime will pass."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from falcopy_sdk.declare.spec import ArgumentKind
from falcopy_sdk.declare.types import display, resolve, split_none
from falcopy_sdk.exceptions import DeclarationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import FunctionType

__all__ = [
    "argument_kind",
    "check_method",
    "check_plain",
    "parameters_of",
    "return_annotation",
    "written",
]

_POSITIONAL: Final = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)
_EMPTY: Final = inspect.Parameter.empty
#: Kinds of argument by parameter name, for functions that cannot be annotated.
_BY_NAME: Final[Mapping[str, type]] = {"key": str, "index": int}

_ARGUMENT_FIX: Final = (
    "annotate it `key: str` or `index: int` if the argument is required, "
    "`key: str | None = None` or `index: int | None = None` if it is not"
)


def written(names: Sequence[str]) -> str:
    """Write parameters as in a ``def``."""
    return f"({', '.join(names)})"


def _written(parameter: inspect.Parameter) -> str:
    """Write a parameter as in a ``def``; postponed annotations are text, and shown as such."""
    if isinstance(parameter.annotation, str):
        bare = parameter.replace(annotation=_EMPTY, default=_EMPTY)
        default = "" if parameter.default is _EMPTY else f" = {parameter.default!r}"
        return f"{bare}: {parameter.annotation}{default}"
    return str(parameter)


def parameters_of(
    function: Callable[..., Any], where: str, decorator: str
) -> list[inspect.Parameter]:
    """Return the parameters that are passed by position.

    Raises:
        DeclarationError: There are others, or the signature cannot be read.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError, NameError) as error:
        raise DeclarationError(
            where,
            f"the signature of what {decorator} is given cannot be read: {error}",
            "wrap it in a function with a plain signature",
        ) from error
    kept = []
    for parameter in parameters:
        if parameter.kind in _POSITIONAL:
            kept.append(parameter)
        elif parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.default is not _EMPTY:
            continue  # functools.partial leaves these
        else:
            raise DeclarationError(
                where,
                f"`{_written(parameter)}` cannot be filled: {decorator} passes by position alone",
                "name every parameter and give keyword-only ones a default",
            )
    return kept


def check_plain(attribute: object, where: str, decorator: str) -> FunctionType:
    """Return the function behind a class attribute.

    Raises:
        DeclarationError: The attribute is something other than an ordinary method.
    """
    if inspect.isfunction(attribute):
        return attribute
    kind = type(attribute).__name__
    raise DeclarationError(
        where,
        f"{decorator} is on a {kind}",
        f"make it an ordinary method that takes self, with {decorator} as its outermost decorator",
    )


def check_method(
    attribute: object,
    where: str,
    decorator: str,
    expected: Sequence[str],
    optional: int = 0,
    *,
    coroutine: bool = False,
) -> list[inspect.Parameter]:
    """Check an ordinary method against the parameters it must take.

    Args:
        attribute: What the class holds under the method's name.
        where: Class and attribute.
        decorator: Such as ``"@parse"``.
        expected: Names of the parameters, ``self`` first.
        optional: How many of the last ones it may do without.
        coroutine: Whether it may be a coroutine function.

    Returns:
        Its parameters.

    Raises:
        DeclarationError: It takes others, or is asynchronous or a generator.
    """
    function = check_plain(attribute, where, decorator)
    if (
        (inspect.iscoroutinefunction(function) and not coroutine)
        or inspect.isasyncgenfunction(function)
        or inspect.isgeneratorfunction(function)
    ):
        raise DeclarationError(
            where,
            f"{decorator} calls an ordinary method, and this is a coroutine or generator",
            "write `def` and `return`, without async and yield",
        )
    return check_count(function, where, decorator, expected, optional)


def check_count(
    function: Callable[..., Any],
    where: str,
    decorator: str,
    expected: Sequence[str],
    optional: int = 0,
) -> list[inspect.Parameter]:
    """Check how many parameters a function takes; see :func:`check_method`."""
    parameters = parameters_of(function, where, decorator)
    names = [parameter.name for parameter in parameters]
    choices = [expected[: len(expected) - left] for left in range(optional, -1, -1)]
    if len(parameters) not in {len(choice) for choice in choices}:
        forms = " or ".join(written(choice) for choice in choices)
        missing = "" if expected[0] != "self" or "self" in names[:1] else " (self is missing)"
        raise DeclarationError(
            where,
            f"takes {written(names)}{missing}, and {decorator} calls it with {forms}",
            f"write `def {function.__name__}{forms.split(' or ')[0]}`",
        )
    return parameters


def argument_kind(
    parameter: inspect.Parameter,
    scope: Callable[..., Any],
    local: Mapping[str, Any],
    where: str,
    *,
    by_name: bool = False,
) -> ArgumentKind:
    """Return how a field takes its argument, from the parameter that receives it.

    Args:
        parameter: The one after ``event``.
        scope: The function it belongs to.
        local: Names of the plugin class.
        where: Class and attribute.
        by_name: Whether an unannotated parameter named ``key`` or ``index`` is understood.

    Raises:
        DeclarationError: Its annotation is missing or means neither a key nor an index.
    """
    has_default = parameter.default is not _EMPTY
    if parameter.annotation is _EMPTY:
        if not (by_name and parameter.name in _BY_NAME):
            raise DeclarationError(
                where, f"the argument `{parameter.name}` has no annotation", _ARGUMENT_FIX
            )
        members: tuple[Any, ...] = (_BY_NAME[parameter.name],)
        optional = has_default
    else:
        annotation = resolve(parameter.annotation, scope, local, where)
        members, optional = split_none(annotation)
        if members not in ((str,), (int,)):
            raise DeclarationError(
                where,
                f"the argument `{parameter.name}: {display(annotation)}` "
                "is neither a key nor an index",
                _ARGUMENT_FIX,
            )
    if optional != has_default or (has_default and parameter.default is not None):
        raise DeclarationError(
            where,
            f"the argument `{_written(parameter)}` is neither required nor optional",
            _ARGUMENT_FIX,
        )
    is_key = members == (str,)
    return ArgumentKind(is_required=not optional, is_index=not is_key, is_key=is_key)


def return_annotation(
    function: Callable[..., Any], local: Mapping[str, Any], where: str, otherwise: str = ""
) -> Any:
    """Return what a function is annotated to return.

    Args:
        function: The function.
        local: Names of the plugin class.
        where: Class and attribute.
        otherwise: What else the author may do, ``", or pass type="``.

    Raises:
        DeclarationError: There is no such annotation, or it cannot be resolved.
    """
    annotation = inspect.signature(function).return_annotation
    if annotation is _EMPTY:
        raise DeclarationError(
            where,
            "no return annotation, which gives a field its type",
            f"annotate it, for example `-> str | None`{otherwise}",
        )
    return resolve(annotation, function, local, where)
