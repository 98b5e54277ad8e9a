"""How a plugin class is made: its ``__init__`` and the configuration it takes."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from falcopy_sdk.declare.names import shown
from falcopy_sdk.declare.schema import config_spec
from falcopy_sdk.declare.signature import written
from falcopy_sdk.declare.tags import schema_options
from falcopy_sdk.declare.types import resolve, split_none
from falcopy_sdk.exceptions import DeclarationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from falcopy_sdk.declare.collect import Attribute
    from falcopy_sdk.declare.spec import ConfigSpec

__all__ = ["config_of"]

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def config_of(cls: type[Any], attributes: Sequence[Attribute]) -> ConfigSpec | None:
    """Return the configuration of a plugin class; its ``__init__`` then takes it, and only it.

    The class of the configuration is the one under ``@init_schema`` in the plugin class, or
    else the one that ``__init__`` is annotated with, if that is under ``@init_schema``.

    Raises:
        DeclarationError: There are two, or ``__init__`` does not fit.
    """
    where = f"{shown(cls)}.__init__"
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(cls.__abstractmethods__))
        raise DeclarationError(
            shown(cls), f"is abstract: {missing} not implemented", "implement it"
        )
    parameter = _parameter(cls, where)
    nested = [a for a in attributes if schema_options(a.value) is not None]
    if len(nested) > 1:
        raise DeclarationError(
            nested[1].where,
            f"is the second @init_schema of the plugin, after {nested[0].name}",
            "keep one of them",
        )
    if nested:
        if parameter is None:
            raise DeclarationError(
                where,
                f"does not take the configuration that {nested[0].where} declares",
                f"write `def __init__(self, config: {nested[0].value.__name__})`",
            )
        return config_spec(nested[0].value, nested[0].where, nested[0].local)
    if parameter is None:
        return None
    if parameter.annotation is not inspect.Parameter.empty:
        annotation = resolve(parameter.annotation, cls.__init__, vars(cls), where)
        (config, *others), _ = split_none(annotation)
        if not others and schema_options(config) is not None:
            return config_spec(config, shown(config), vars(config))
    raise DeclarationError(
        where,
        f"takes `{parameter}`, and the plugin declares no configuration",
        "put @init_schema on a dataclass nested in the plugin class, or take only self",
    )


def _parameter(cls: type[Any], where: str) -> inspect.Parameter | None:
    """Return the parameter of ``__init__`` that receives the configuration."""
    if cls.__init__ is object.__init__:
        return None
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    needed = [
        parameter
        for parameter in parameters
        if parameter.default is inspect.Parameter.empty
        and parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    ]
    first = parameters[0] if parameters and parameters[0].kind in _POSITIONAL else None
    if first is not None and (first in needed or first.name == "config"):
        needed = [parameter for parameter in needed if parameter is not first]
    else:
        first = None
    if needed:
        names = written(["self", *(str(parameter) for parameter in parameters)])
        raise DeclarationError(
            where,
            f"takes {names}, and is called with the configuration alone",
            "write `def __init__(self, config: Config)` or `def __init__(self)`",
        )
    return first
