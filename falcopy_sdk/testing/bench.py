"""Times a plugin as a host's thread sees it; in a process of its own for each round.

What is timed runs in C (:mod:`falcopy_sdk.host._driver`), without Python of the host between the
clock and the plugin. What reading the clock costs is measured and taken off.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from falcopy_sdk.abi import Rc, ffi
from falcopy_sdk.exceptions import FalcopyError, PluginFailedError, RequestError
from falcopy_sdk.host import Capability, FieldRequest, _driver
from falcopy_sdk.host.owner import owner_last_error
from falcopy_sdk.testing.battery.mutate import GENERIC, hostile_keys
from falcopy_sdk.testing.battery.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from falcopy_sdk.host import HostEvent, Library, Plugin

__all__ = ["PERCENTILES", "measure", "measure_apart"]

PERCENTILES = (50, 99, 99.9)
_WARM = 20
_MOST_CALLS = 20_000
_MOST_SAMPLES = 64
#: Of the plugin's own source.
_MOST_EVENTS = 200_000
_SLOWEST = 300.0  # seconds for one round in its process


def measure_apart(subject: Subject, fields: Sequence[str] | None, seconds: float) -> dict[str, Any]:
    """Measure in a process of its own: see :func:`measure`.

    Raises:
        RequestError: The plugin cannot be measured; the message says why.
    """
    job = {"subject": subject.to_json(), "fields": fields, "seconds": seconds}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "falcopy_sdk.testing.bench"],
            input=json.dumps(job),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
            timeout=_SLOWEST,
        )
    except subprocess.TimeoutExpired as error:
        raise RequestError(
            f"{subject.target}: one round took more than {_SLOWEST:g} s; measure fewer --fields"
        ) from error
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines:
        raise PluginFailedError(
            "bench",
            f"{subject.target}: the process ended with {done.returncode} while it was measured; "
            "try falcopy check",
        )
    found: dict[str, Any] = json.loads(lines[-1])
    if "error" in found:
        raise RequestError(f"{subject.target}: {found['error']}")
    return found


def measure(subject: Subject, fields: Sequence[str] | None, seconds: float) -> dict[str, Any]:
    """Measure a plugin in this process.

    Args:
        subject: The plugin; its samples are what fields are extracted of, else events of its own
            source.
        fields: Names, with arguments if wanted; None: all.
        seconds: For the source, twice; each field gets a tenth of it.

    Returns:
        ``init_ms``; ``source``: events a second, microseconds of CPU an event, without and with
        all fields, or None; ``fields``: by name the nanoseconds of the first call for an event
        and of another one, as percentiles.

    Raises:
        FalcopyError: The plugin does not load or start, or a field does not exist.
    """
    import jsonschema.validators  # the host's, not the plugin's: needed by init below

    assert jsonschema.validators
    with subject.load() as library:
        config = subject.config or ""
        started = time.perf_counter()
        with library.init(config, log=_silent) as plugin:
            init_ms = (time.perf_counter() - started) * 1e3
            payloads = _payloads(subject, plugin)
            requests = _requests(library, plugin, payloads, fields, subject)
        clock = _clock()
        timed = {}
        for request in requests:  # each in a state of its own, which learns this field only
            with library.init(config, log=_silent) as plugin:
                events = [_sample(subject, plugin, data) for data in payloads]
                timed[request.text] = _field(plugin, events, request, seconds / 10, clock)
        source = _source(library, subject, config, requests, seconds)
        about = {"name": library.facts.name, "version": library.facts.version}
    return {**about, "init_ms": round(init_ms, 3), "source": source, "fields": timed}


def _silent(*_line: object) -> None:
    """Takes the plugin's logs."""


def _payloads(subject: Subject, plugin: Plugin) -> list[bytes]:
    if subject.events:
        return list(subject.events[:_MOST_SAMPLES])
    found: list[bytes] = []
    with contextlib.suppress(FalcopyError), plugin.open(subject.open_params or "") as instance:
        until = time.monotonic() + 2.0
        while not instance.ended and len(found) < _MOST_SAMPLES and time.monotonic() < until:
            event = instance.next()
            if event is not None:
                found.append(event.data)
    return found or list(GENERIC)


def _requests(
    library: Library,
    plugin: Plugin,
    payloads: Sequence[bytes],
    names: Sequence[str] | None,
    subject: Subject,
) -> list[FieldRequest]:
    if Capability.EXTRACTION not in library.capabilities:
        return []
    if names is not None:
        return [plugin.request(name) for name in names]
    keys = hostile_keys(tuple(payloads))
    found = []
    for field in library.facts.fields:
        given = subject.arguments.get(field.name, ())
        if given or field.arg_required:
            argument = given[0] if given else keys[0] if field.arg_key else "0"
            found.append(plugin.request(f'{field.name}["{argument}"]'))
        else:
            found.append(plugin.request(field.name))
    return found


def _sample(subject: Subject, plugin: Plugin, data: bytes) -> HostEvent:
    event = plugin.event(data)
    if subject.source:
        event.source = subject.source
    return event


def _address(pointer: Any) -> int:
    return int(ffi.cast("uintptr_t", pointer))


class _Input:
    """What ``extract_fields`` gets for one field, and the memory that it points at."""

    def __init__(self, plugin: Plugin, request: FieldRequest, given: Any = None) -> None:
        self.field = ffi.new("ss_plugin_extract_field *")
        field, info = self.field, request.field
        self._strings = [ffi.new("char[]", info.name.encode())]
        field.field_id, field.field, field.ftype = info.id, self._strings[0], info.type
        field.flist = 64 if info.is_list else 0
        field.arg_present = request.has_argument
        field.arg_index = 2**64 - 1 if request.index is None else request.index
        if request.key is not None:
            self._strings.append(ffi.new("char[]", request.key.encode()))
            field.arg_key = self._strings[-1]
        self.pointer = ffi.new("ss_plugin_field_extract_input *") if given is None else given
        self.pointer.owner = plugin.owner.pointer
        self.pointer.get_owner_last_error = owner_last_error
        self.pointer.num_fields = 1
        self.pointer.fields = field
        plugin.tables.fill_reader(self.pointer)


def _time(
    function: int, state: int, inputs: Any, asked: int, calls: int
) -> tuple[list[int], list[int]]:
    first, again = ffi.new("uint32_t[]", calls), ffi.new("uint32_t[]", calls)
    _driver.extract(
        function,
        state,
        _address(inputs),
        len(inputs),
        asked,
        calls,
        _address(first),
        _address(again),
    )
    return sorted(first), sorted(again)


def _clock() -> int:
    """Nanoseconds that taking the time costs."""
    inputs = ffi.new("ss_plugin_event_input[1]")
    first, _ = _time(0, 0, inputs, 0, 10_000)
    return first[len(first) // 2]


def _field(
    plugin: Plugin, events: Sequence[HostEvent], request: FieldRequest, seconds: float, clock: int
) -> dict[str, Any]:
    source = ffi.new("char[]", events[0].source.encode())
    rows = [(event.pointer, number, source) for number, event in enumerate(events, 1)]
    inputs = ffi.new("ss_plugin_event_input[]", rows)
    asked = _Input(plugin, request)
    plugin.tables.phase = "extract"
    function = _address(plugin.entries["extract_fields"])
    given = (function, _address(plugin.state), inputs, _address(asked.pointer))
    started = time.perf_counter()
    _time(*given, _WARM)
    a_call = (time.perf_counter() - started) / _WARM
    calls = max(min(int(seconds / max(a_call, 1e-7)), _MOST_CALLS), 100)
    first, again = _time(*given, calls)
    plugin.tables.end()
    return {
        "calls": calls,
        "first_ns": _percentiles(first, clock),
        "again_ns": _percentiles(again, clock),
    }


def _percentiles(sorted_ns: Sequence[int], clock: int) -> dict[str, int]:
    last = len(sorted_ns) - 1
    return {f"p{p:g}": max(sorted_ns[int(last * p / 100)] - clock, 0) for p in PERCENTILES}


def _source(
    library: Library,
    subject: Subject,
    config: str | Mapping[str, Any],
    requests: Sequence[FieldRequest],
    seconds: float,
) -> dict[str, Any] | None:
    if Capability.SOURCING not in library.capabilities:
        return None
    found: dict[str, Any] = {}
    for name, wanted in (("bare", ()), ("with_fields", requests)):
        with library.init(config, log=_silent) as plugin:
            try:
                drained = _drain(library, plugin, subject.open_params or "", wanted, seconds)
            except FalcopyError:
                if subject.open_params is not None:
                    raise
                return None  # it needs parameters, and none were given
        if drained is None:
            return None
        found[name] = drained
    return found


def _drain(
    library: Library,
    plugin: Plugin,
    params: str,
    requests: Sequence[FieldRequest],
    seconds: float,
) -> dict[str, Any] | None:
    inputs = ffi.new("ss_plugin_field_extract_input[]", max(len(requests), 1))
    keep = [_Input(plugin, request, inputs + i) for i, request in enumerate(requests)]
    source = ffi.new("char[]", library.facts.event_source.encode())
    extract = plugin.entries["extract_fields"] if keep else ffi.NULL
    with plugin.open(params) as instance:
        plugin.tables.phase = "extract"
        events, ns, cpu, rc = _driver.drain(
            _address(plugin.entries["next_batch"]),
            _address(plugin.state),
            _address(instance.handle),
            _MOST_EVENTS,
            seconds,
            _address(extract),
            _address(inputs),
            len(keep),
            _address(source),
        )
        plugin.tables.end()
    if rc not in (Rc.SUCCESS, Rc.TIMEOUT, Rc.EOF):
        raise PluginFailedError("next_batch", f"the source failed: {plugin.last_error()}")
    if not events or not ns:
        return None
    return {
        "events": events,
        "events_per_s": round(events / ns * 1e9),
        "cpu_us_per_event": round(cpu / events / 1e3, 3),
    }


def main() -> None:
    """Run the job that standard input has; the last line of standard output is the result."""
    job = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        try:
            found = measure(Subject.from_json(job["subject"]), job["fields"], job["seconds"])
        except FalcopyError as error:
            found = {"error": str(error)}
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
