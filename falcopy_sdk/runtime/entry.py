"""Where the bridge enters Python."""

from __future__ import annotations

import gc
import importlib
from typing import TYPE_CHECKING

from falcopy_sdk.declare.plugin import plugin_spec
from falcopy_sdk.runtime.instance import Instance
from falcopy_sdk.runtime.logs import describe, redirect_output

if TYPE_CHECKING:
    from falcopy_sdk.runtime._bridge import HostLink

__all__ = ["create", "describe", "embedded"]


#: Objects in containers beyond those freed at which the collector of cycles looks at the young ones
#: (gc.set_threshold; CPython's own 700 is a few dozen events that are under way).
_COLLECT_AT = 50_000


def embedded() -> None:
    """Set up the private interpreter of a bundle, once."""
    redirect_output()
    # Decoded events are trees: counting references frees them, and looking for cycles in those
    # that are under way costs a fifth of a source's time.
    gc.set_threshold(_COLLECT_AT, *gc.get_threshold()[1:])


def create(ref: str, config: str, link: HostLink) -> Instance:
    """Make one plugin state (plugin_api.h, plugin_init).

    Args:
        ref: ``module:Class``.
        config: The init configuration as the host gave it.
        link: The way back to the host.

    Raises:
        ConfigError: The configuration does not fit.
        Exception: Whatever the author's ``__init__`` raises.
    """
    module, _, name = ref.partition(":")
    cls: object = importlib.import_module(module)
    for part in name.split("."):
        cls = getattr(cls, part)
    if not isinstance(cls, type):
        raise TypeError(f"{ref} is not a class")
    return Instance(plugin_spec(cls), config, link)
