"""Reads what the rarer entries answer: metrics, open parameters, the text of an event."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from falcopy_sdk.abi import MetricType, MetricValueType
from falcopy_sdk.exceptions import PluginFailedError
from falcopy_sdk.host.facts import text_of

__all__ = ["Metric", "OpenParam", "payload_text", "read_metrics", "read_open_params"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One element of ``get_metrics``. Hosts show it as ``<plugin>.<name>``."""

    name: str
    type: MetricType
    value: int | float


@dataclass(frozen=True, slots=True)
class OpenParam:
    """One element of ``list_open_params``."""

    value: str
    desc: str = ""
    separator: str = ""


def read_metrics(found: Any, count: int) -> list[Metric]:
    """Copies an array of ``ss_plugin_metric``."""
    metrics = []
    for i in range(count):
        kind = MetricValueType(found[i].value_type).name.lower()
        value = getattr(found[i].value, kind)
        metrics.append(Metric(text_of(found[i].name), MetricType(found[i].type), value))
    return metrics


def read_open_params(text: str) -> list[OpenParam]:
    """Reads the JSON of ``list_open_params``.

    Raises:
        PluginFailedError: it is not what a host takes.
    """
    if not text:
        return []
    try:
        found = [
            OpenParam(p["value"], p.get("desc", ""), p.get("separator", ""))
            for p in json.loads(text)
        ]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PluginFailedError(
            "list_open_params", f"list_open_params is not an array of parameters: {error!r}"
        ) from error
    if not all(param.value for param in found):
        raise PluginFailedError("list_open_params", "list_open_params has an entry with no value")
    return found


def payload_text(data: bytes) -> str:
    """What hosts show for an event whose plugin has no text for it (libsinsp's plugin.cpp)."""
    shown = data[:50]
    if not all(32 <= byte < 127 for byte in shown):
        return f"datalen={len(data)} data=<binary>"
    return f"datalen={len(data)} data={shown.decode('ascii')}{'...' if len(data) > 50 else ''}"
