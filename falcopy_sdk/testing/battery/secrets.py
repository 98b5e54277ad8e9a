"""No secret of the configuration turns up in a log, an error or any other text."""

from __future__ import annotations

import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any

from falcopy_sdk.exceptions import FalcopyError
from falcopy_sdk.host import Capability
from falcopy_sdk.testing.battery.context import StopCheck, declared_schema
from falcopy_sdk.testing.battery.mutate import GENERIC
from falcopy_sdk.testing.battery.subject import looks_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from falcopy_sdk.host import Plugin
    from falcopy_sdk.testing.battery.context import Context

__all__ = ["CANARY", "secrets"]

#: Stands in for secrets that the configuration at hand does not give.
CANARY = "falcopy-canary-5d1f7c"


def secrets(ctx: Context) -> None:
    """Texts of the plugin hold no secret, also when its configuration is wrong."""
    known = [*ctx.secrets, CANARY]
    configs = list(_configs(ctx))
    if not ctx.secrets and not configs:
        raise StopCheck(
            "not run: no key of the configuration is a secret (writeOnly in its schema, or named "
            "like one)"
        )
    with _every_level():
        _provoke(ctx, configs)
    for line in ctx.logs:
        if _leak(line.message, known):
            ctx.find("FPY601", f"a log line of {line.severity.name} holds a secret: "
                     f"{_masked(line.message, known)}")  # fmt: skip
    for text in ctx.errors:
        if _leak(text, known):
            ctx.find("FPY601", f"an error holds a secret: {_masked(text, known)}")


@contextlib.contextmanager
def _every_level() -> Iterator[None]:
    """Lets a class in this process log what a built plugin would, and its debugging lines too."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(before)


def _provoke(ctx: Context, configs: list[str]) -> None:
    for config in (None, *configs):
        ctx.at("init with secrets in the configuration")
        try:
            plugin = ctx.init(config)
        except FalcopyError as error:
            ctx.errors.append(str(error))
            continue
        with contextlib.closing(plugin):
            _use(ctx, plugin)


def _configs(ctx: Context) -> Iterator[str]:
    """Configurations that are wrong in ways that tempt to show a value."""
    try:
        right: Any = json.loads(ctx.config or "{}")
    except ValueError:
        return
    if not isinstance(right, dict):
        return
    properties = declared_schema(ctx.library.facts.init_schema).get("properties", {})
    hidden = [
        key
        for key in dict.fromkeys((*right, *properties))
        if looks_secret(key, properties.get(key, {}))
    ]
    if not hidden:
        return
    yield json.dumps({**right, **dict.fromkeys(hidden, CANARY)})
    for key in hidden:
        yield json.dumps({**right, key: [CANARY]})
        yield json.dumps({**right, key: {"value": CANARY}})
        yield json.dumps({**right, f"{key}x": CANARY})


def _use(ctx: Context, plugin: Plugin) -> None:
    """Everything that could make the plugin talk."""
    if ctx.library.capabilities & (Capability.SOURCING | Capability.ASYNC):
        with contextlib.suppress(StopCheck), ctx.opened(plugin) as instance:
            try:
                for _ in range(10):
                    ctx.at("next_batch")
                    instance.next()
            except FalcopyError as error:
                ctx.errors.append(str(error))
    for number, data in enumerate(ctx.subject.events[:3] or GENERIC, 1):
        event = ctx.sample(plugin, data, number)
        for field in ctx.library.facts.fields:
            if not field.arg_required:
                ctx.at(f"extract_fields of {field.name}")
                with contextlib.suppress(FalcopyError):
                    ctx.errors.append(str(plugin.extract(event, field.name)))
    with contextlib.suppress(FalcopyError, ValueError):
        ctx.at("get_metrics")
        ctx.errors += [metric.name for metric in plugin.metrics()]
    for optional in (plugin.list_open_params, lambda: plugin.set_config(f"{CANARY}{{")):
        ctx.at("list_open_params and set_config")
        try:
            ctx.errors.append(str(optional()))
        except FalcopyError as error:
            ctx.errors.append(str(error))
    ctx.errors.append(plugin.last_error())


def _leak(text: str, known: list[str]) -> bool:
    return any(secret in text for secret in known)


def _masked(text: str, known: list[str]) -> str:
    for secret in known:
        text = text.replace(secret, "***")
    return text if len(text) <= 200 else f"{text[:200]}..."
