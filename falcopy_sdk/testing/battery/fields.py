"""Fields: their values on the samples, and that no event whatever harms the host."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from falcopy_sdk.abi import FieldTypeCode, LogSeverity
from falcopy_sdk.exceptions import ContractError, PluginFailedError, RequestError
from falcopy_sdk.host import Capability, FieldInfo, FieldRequest
from falcopy_sdk.host.probes import probe_string_lifetime, probe_value_offsets
from falcopy_sdk.testing.battery.context import StopCheck, shown
from falcopy_sdk.testing.battery.mutate import GENERIC, hostile_events, hostile_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from falcopy_sdk.host import HostEvent, Plugin
    from falcopy_sdk.testing.battery.context import Context

__all__ = ["fields", "hostile"]

#: Seconds: more for one field of one event is a finding.
_LONGEST = 1.0
_FROM_SOURCE = 20


def _needs_fields(ctx: Context) -> None:
    if not ctx.library.capabilities & Capability.EXTRACTION:
        raise StopCheck("not run: the plugin extracts no fields")


def fields(ctx: Context) -> None:
    """Each field on each sample has its declared type, the same at every extraction."""
    _needs_fields(ctx)
    with ctx.state() as plugin:
        samples = _samples(ctx, plugin)
        valued: set[str] = set()
        for number, data in enumerate(samples, 1):
            for request in _requests(ctx, samples, hostile=False):
                if _field(ctx, plugin, data, number, request):
                    valued.add(request.field.name)
        without = [f.name for f in ctx.library.facts.fields if f.name not in valued]
        if without and ctx.subject.events:
            ctx.note(f"no sample has a value for {', '.join(without)}")


def _samples(ctx: Context, plugin: Plugin) -> tuple[bytes, ...]:
    """The author's samples, else what the source gives, else anything."""
    if ctx.subject.events:
        return ctx.subject.events
    found: list[bytes] = []
    if ctx.library.capabilities & Capability.SOURCING:
        try:
            with ctx.opened(plugin) as instance:
                until = time.monotonic() + 1.0
                ctx.at("next_batch")
                while not instance.ended and len(found) < _FROM_SOURCE:
                    event = instance.next()
                    if event is not None:
                        found.append(event.data)
                    elif time.monotonic() > until:
                        break
        except (StopCheck, ContractError, PluginFailedError):
            found.clear()  # the check "source" tells why
    if not found:
        ctx.note("there are no sample events, so fields were tried on made-up ones only")
    return tuple(found) or GENERIC


def _requests(ctx: Context, samples: tuple[bytes, ...], *, hostile: bool) -> Iterator[FieldRequest]:
    """Every field, with each of a few arguments if it takes one."""
    keys = hostile_keys(samples)
    if not hostile:
        keys = keys[:-5]
    for field in ctx.library.facts.fields:
        if not field.arg_required:
            yield FieldRequest(field.name, field)
        for given in ctx.subject.arguments.get(field.name, ()):
            index = int(given) if field.arg_index and given.isdecimal() else None
            key = given if field.arg_key else None
            yield FieldRequest(f"{field.name}[{given}]", field, key, index)
        if field.arg_key:
            for key in keys:
                yield FieldRequest(f"{field.name}[{key[:40]}]", field, key)
        if field.arg_index:
            for index in (0, 1, 2**63) if hostile else (0, 1):
                key = str(index) if field.arg_key else None
                yield FieldRequest(f"{field.name}[{index}]", field, key, index)


def _field(ctx: Context, plugin: Plugin, data: bytes, number: int, request: FieldRequest) -> bool:
    """Checks one field on one sample. Returns whether it has a value."""
    where = f"{_described(request)} on sample {number}"
    logged = len(ctx.logs)
    values = []
    for time_ in (1, 2):  # as another event, so that nothing comes from a cache
        event = ctx.sample(plugin, data, number * 2 + time_)
        event.pointer.ts = 1_700_000_000_000_000_000
        values.append(_extract(ctx, plugin, event, request, where))
    for line in ctx.logs[logged:]:
        if line.severity <= LogSeverity.WARNING:
            ctx.find("FPY502", f"{where}: {line.message}")
    if values[0] != values[1]:
        first, second = (shown(str(value)) for value in values)
        ctx.find("FPY503", f"{where} is first {first}, then {second}")
    if values[1] is None:
        return False
    if request.field.type is FieldTypeCode.BOOL:
        raw = plugin.extractor._field.res.boolean[0]
        if raw not in (0, 1):
            ctx.find("FPY501", f"{where} is a bool with the value {raw}, neither 0 nor 1")
    if "\ufffd" in str(values[1]):
        ctx.note(f"{where} holds bytes that are no UTF-8; hosts replace them")
    _probe(ctx, plugin, event, request, where)
    return True


def _probe(
    ctx: Context, plugin: Plugin, event: HostEvent, request: FieldRequest, where: str
) -> None:
    if request.has_argument:  # the probes take a name as rules write it
        return
    for probe, code in ((probe_string_lifetime, "FPY504"), (probe_value_offsets, "FPY505")):
        ctx.at(f"reading {where} once extract_fields has returned")
        with ctx.finding("FPY501", where):
            for message in probe(plugin, event, request.text):
                ctx.find(code, message)


def _described(request: FieldRequest) -> str:
    return f"extract_fields of {request.text} ({_type(request.field)})"


def _type(field: FieldInfo) -> str:
    name = field.type.name.lower()
    return f"list of {name}" if field.is_list else name


def _extract(
    ctx: Context, plugin: Plugin, event: HostEvent, request: FieldRequest, where: str
) -> object:
    ctx.at(where)
    started = time.monotonic()
    value = None
    try:
        value = plugin.extract(event, request)
    except ContractError as error:
        ctx.add_error("FPY501", error, where)
    spent = time.monotonic() - started
    if spent > _LONGEST:
        ctx.find("FPY506", f"{where} took {spent:.1f} s")
    return value


def hostile(ctx: Context) -> None:
    """No event harms the host: mutations, wrong types, deep nesting, bytes that are no text."""
    _needs_fields(ctx)
    with ctx.state() as plugin:
        samples = _samples(ctx, plugin)
        requests = list(_requests(ctx, samples, hostile=True))
        for number, (what, data) in enumerate(hostile_events(samples), 1):
            event = ctx.sample(plugin, data, number)
            if ctx.library.capabilities & Capability.PARSING:
                ctx.at(f"parse_event on {what}")
                plugin.parse(event)
            for request in requests:
                _extract(ctx, plugin, event, request, f"{_described(request)} on {what}")
            ctx.at(f"event_to_string on {what}")
            with contextlib.suppress(RequestError):  # events of another plugin's source
                plugin.event_to_string(event)
        ctx.at("extract_fields on an event without a number")
        event = ctx.sample(plugin, samples[0], 0)
        for request in requests:
            _extract(ctx, plugin, event, request, f"{_described(request)} on an unnumbered event")
