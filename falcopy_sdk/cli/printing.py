"""How ``falcopy run`` shows events: for people, or a JSON object a line."""

from __future__ import annotations

import datetime
import ipaddress
import sys
from typing import TYPE_CHECKING, Any, Protocol

import click
import orjson

from falcopy_sdk.abi import ASYNC_EVENT_CODE, FieldTypeCode, MetricType
from falcopy_sdk.exceptions import RequestError
from falcopy_sdk.host.answers import payload_text

if TYPE_CHECKING:
    from falcopy_sdk.host import FieldRequest, HostEvent, Metric, Plugin, Value

__all__ = ["EventPrinter", "HumanPrinter", "JsonPrinter"]


class EventPrinter(Protocol):
    """Writes events to standard output."""

    def prepare(self, plugin: Plugin) -> None:
        """Checks the wanted fields. Raises RequestError for one that the plugin does not have."""

    def print(self, plugin: Plugin, event: HostEvent) -> None:
        """Writes one event, at once: the source may be a live one."""

    def print_metrics(self, metrics: list[Metric]) -> None:
        """Writes the metrics of this moment."""


def _text(plugin: Plugin, event: HostEvent) -> str:
    if event.type == ASYNC_EVENT_CODE:
        return f"{event.name}: {event.data.decode(errors='replace')}"
    try:
        return plugin.event_to_string(event)
    except RequestError:  # not an event of the plugin's own kind
        return payload_text(event.data)


def _requests(plugin: Plugin, wanted: list[str] | None) -> list[FieldRequest]:
    """The wanted fields; None: all that can be asked for without an argument."""
    if wanted is None:
        wanted = [field.name for field in plugin.facts.fields if not field.arg_required]
    return [plugin.request(text) for text in wanted]


class JsonPrinter:
    """One JSON object a line.

    Args:
        wanted: the fields to extract; None: every field without an argument that has a value.
    """

    def __init__(self, wanted: list[str] | None) -> None:
        self._wanted = wanted
        # Taken now: what a plugin in this process prints later goes elsewhere.
        self._out = sys.stdout.buffer
        self._requests: list[FieldRequest] = []

    def prepare(self, plugin: Plugin) -> None:
        """See EventPrinter."""
        self._requests = _requests(plugin, self._wanted)

    def print(self, plugin: Plugin, event: HostEvent) -> None:
        """See EventPrinter."""
        fields = {request.text: plugin.extract(event, request) for request in self._requests}
        if self._wanted is None:
            fields = {name: value for name, value in fields.items() if value is not None}
        has_text = event.type == ASYNC_EVENT_CODE or "event_to_string" in plugin.entries
        # What hosts show otherwise is the start of the payload; a program may want it whole.
        text = _text(plugin, event) if has_text else event.data.decode(errors="replace")
        line = {
            "num": event.num,
            "ts": event.ts,
            "source": event.source,
            "data": text,
            "fields": fields,
        }
        self._write(line)

    def print_metrics(self, metrics: list[Metric]) -> None:
        """See EventPrinter."""
        self._write({"metrics": {metric.name: metric.value for metric in metrics}})

    def _write(self, line: dict[str, Any]) -> None:
        self._out.write(orjson.dumps(line, default=_address, option=orjson.OPT_APPEND_NEWLINE))
        self._out.flush()


def _address(value: Any) -> str:
    if isinstance(value, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
        return str(value)
    raise TypeError(type(value).__name__)


class HumanPrinter:
    """Time, source and text on a line, then a line a field.

    Args:
        wanted: the fields to show; None: every field without an argument that has a value.
    """

    def __init__(self, wanted: list[str] | None) -> None:
        self._wanted = wanted
        self._out = sys.stdout
        # Taken now: events are printed on another thread, which has no context.
        context = click.get_current_context(silent=True)
        self._color = context.color if context is not None else None
        self._requests: list[FieldRequest] = []
        self._width = 0

    def prepare(self, plugin: Plugin) -> None:
        """See EventPrinter."""
        self._requests = _requests(plugin, self._wanted)
        self._width = max((len(request.text) for request in self._requests), default=0)

    def print(self, plugin: Plugin, event: HostEvent) -> None:
        """See EventPrinter."""
        head = click.style(f"{_time(event.ts)} {event.source}", bold=True)
        click.echo(f"{head} {_text(plugin, event)}", file=self._out, color=self._color)
        for request in self._requests:
            value = plugin.extract(event, request)
            if value is not None or self._wanted is not None:
                shown = f"  {request.text:{self._width}} {_shown(value, request)}"
                click.echo(shown, file=self._out)
        self._out.flush()

    def print_metrics(self, metrics: list[Metric]) -> None:
        """See EventPrinter."""
        click.echo(click.style("metrics", bold=True), file=self._out, color=self._color)
        width = max((len(metric.name) for metric in metrics), default=0)
        for metric in metrics:
            kind = "counter" if metric.type is MetricType.MONOTONIC else "gauge"
            click.echo(f"  {metric.name:{width}} {metric.value} ({kind})", file=self._out)
        self._out.flush()


def _time(ns: int) -> str:
    """Local time, in the precision of an event's timestamp."""
    seconds, rest = divmod(ns, 1_000_000_000)
    moment = datetime.datetime.fromtimestamp(seconds).astimezone()
    return f"{moment:%Y-%m-%d %H:%M:%S}.{rest:09d}"


def _shown(value: Value, request: FieldRequest) -> str:
    if value is None:
        return "<NA>"
    if isinstance(value, list):
        return f"({', '.join(_shown(item, request) for item in value)})"
    if isinstance(value, bool):
        return str(value).lower()
    if request.field.type is FieldTypeCode.ABSTIME and isinstance(value, int):
        return _time(value)
    if request.field.type is FieldTypeCode.RELTIME and isinstance(value, int):
        return f"{value / 1e9:.9f}s"
    return str(value)
