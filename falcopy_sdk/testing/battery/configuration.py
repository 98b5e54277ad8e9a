"""The init configuration: what it documents works, everything else is refused with a text."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from falcopy_sdk.exceptions import (
    ConfigError,
    ContractError,
    FalcopyError,
    LibraryError,
    PluginFailedError,
)
from falcopy_sdk.testing.battery.context import StopCheck, declared_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from falcopy_sdk.testing.battery.context import Context

__all__ = ["configuration", "wrong_configs"]

_UNKNOWN = "falcopy_no_such_key"
#: JSON Schema type -> a value that no reading of it takes. Hosts make numbers of texts and the
#: other way round, so scalars get none of each other.
_OTHERWISE: dict[str, Any] = {
    "string": {_UNKNOWN: 1},
    "integer": "no number",
    "number": "no number",
    "boolean": "neither",
    "array": {_UNKNOWN: 1},
    "object": "no object",
}
#: What the host says when init fails and gives no state.
_NO_TEXT = "plugin handle or 'get_last_error' function not defined"


def configuration(ctx: Context) -> None:
    """The schema is a JSON Schema, takes the documented examples and refuses others."""
    schema = ctx.library.facts.init_schema
    for number, example in enumerate(ctx.examples, 1):
        if example != ctx.config:
            with contextlib.suppress(StopCheck):  # the next one may work
                _start(ctx, example, f"example {number} of the schema")
    given = "the given" if ctx.subject.config is not None else "no"
    if ctx.subject.config is None and ctx.examples:
        given = "example 1 of the schema as"
    _start(ctx, None, f"{given} configuration")
    if schema is None:
        ctx.note("the plugin exports no schema: any configuration reaches init")
        return
    for what, config in wrong_configs(ctx.config, declared_schema(schema)):
        ctx.at(f"init, given {what}")
        try:
            ctx.init(config).close()
        except ConfigError:
            continue
        except PluginFailedError as error:
            ctx.errors.append(str(error))
            check_text(ctx, error, f"init, given {what},")
        else:
            ctx.find("FPY203", f"init takes {what}")


def _start(ctx: Context, config: str | None, what: str) -> None:
    """Starts it once, with a configuration that has to work."""
    ctx.at(f"init with {what}")
    try:
        ctx.init(config).close()
    except LibraryError as error:  # the schema is checked late, as in hosts
        ctx.add_error("FPY201", error)
        raise StopCheck from error
    except (ConfigError, ContractError, PluginFailedError) as error:
        if isinstance(error, PluginFailedError):
            check_text(ctx, error, "init")
        ctx.add_error("FPY202", error, f"with {what}")
        raise StopCheck from error


def check_text(ctx: Context, error: FalcopyError, where: str) -> None:
    """A failure must say why: from the host's side it looks like this if it does not."""
    text = str(error)
    if text.endswith(": ") or _NO_TEXT in text:
        ctx.find("FPY204", f"{where} failed and left no text for the user")


def wrong_configs(text: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Configurations that a plugin has to refuse, and what is wrong with each.

    Args:
        text: One that it takes.
        schema: What it declares.
    """
    try:
        right = json.loads(text or "{}")
    except ValueError:
        return
    if not isinstance(right, dict):
        return
    if "properties" in schema:
        yield f"the unknown key {_UNKNOWN!r}", json.dumps({**right, _UNKNOWN: 1})
    for key, declared in schema.get("properties", {}).items():
        if not isinstance(declared, dict):
            continue
        kinds = declared.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        wrong = next((_OTHERWISE[kind] for kind in kinds if kind in _OTHERWISE), None)
        clash = ("object" in kinds and "string" in kinds) or ("array" in kinds and len(kinds) > 1)
        if wrong is not None and not clash:
            what = "text" if isinstance(wrong, str) else "an object"
            yield f"{what} for {key!r}", json.dumps({**right, key: wrong})
        if key in schema.get("required", ()) and key in right:
            yield f"no {key!r}", json.dumps({k: v for k, v in right.items() if k != key})
