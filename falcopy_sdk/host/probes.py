"""Looks for defects that plugins of other SDKs have had, on any plugin.

Each probe provokes one of them as a real host would and returns what it found, as sentences; an
empty list is a pass. Undefined behaviour cannot be proven absent from outside: a probe that finds
nothing has not found it, no more.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from falcopy_sdk.abi import FieldTypeCode, ffi
from falcopy_sdk.host.facts import Capability

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from falcopy_sdk.host.events import HostEvent
    from falcopy_sdk.host.plugin import Plugin

__all__ = ["probe_null_tables", "probe_string_lifetime", "probe_value_offsets"]

_libc = ffi.dlopen(None)
#: Sizes of freed blocks that a heap may hand out again, in bytes.
_BLOCKS = [*range(16, 1040, 16), 2048, 4096, 8192, 65536]


def probe_value_offsets(plugin: Plugin, event: HostEvent, field: str) -> list[str]:
    """Asks for the byte range of each value, which hosts read one element a *value*.

    A plugin that makes room for one element a field lets the host read beyond it, for a list
    (libsinsp's plugin_filtercheck.cpp). What lies there is seldom a range within the event.
    """
    value, offsets = plugin.extract_with_offsets(event, field)
    if offsets is None:
        return []
    size = event.pointer.len
    values = value if isinstance(value, list) else [value]
    return [
        f"{field}: the offset of value {i} of {len(values)} is {start}+{length}, beyond the "
        f"event's {size} bytes: value_offsets needs an element a value, (0, 0) for none"
        for i, (start, length) in enumerate(offsets)
        if start + length > size
    ]


def probe_string_lifetime(plugin: Plugin, event: HostEvent, field: str) -> list[str]:
    """Uses the heap between an extraction and the reading of its strings.

    Strings must last until the next extraction on the same state. Ones that were freed or moved
    while the answer was built are overwritten by this.
    """
    request = plugin.request(field)
    if request.field.type is not FieldTypeCode.STRING:
        return []
    value = plugin.extract(event, request)
    if value is None:
        return []
    before = value if isinstance(value, list) else [value]
    pointers = plugin.extractor.pointers(len(before))
    blocks = [(_libc.malloc(size), size) for size in _BLOCKS for _ in range(8)]
    for block, size in blocks:
        ffi.buffer(block, size)[:] = b"\xa5" * (size - 1) + b"\0"
    after = [ffi.string(pointer).decode(errors="replace") for pointer in pointers]
    for block, _ in blocks:
        _libc.free(block)
    return [
        f"{field}: string {i} of {len(before)} changed after the heap was used: its memory was "
        "freed before the next extraction"
        for i, (was, now) in enumerate(zip(before, after, strict=True))
        if was != now
    ]


_INIT = """
import json, sys
from falcopy_sdk.exceptions import FalcopyError
from falcopy_sdk.host import Library
path, config = json.load(sys.stdin)
with Library.load(path) as library:
    print(library.facts.capabilities.value, flush=True)
    try:
        library.init(config, log=lambda *_: None).close()
    except FalcopyError as error:
        print(error, file=sys.stderr)
"""


def probe_null_tables(path: str | Path, config: str | Mapping[str, Any] | None = None) -> list[str]:
    """Initialises a plugin in a process of its own, with the tables that its capabilities get.

    A plugin that neither extracts nor parses gets NULL for tables and must not look into them.
    """
    given = config if config is None or isinstance(config, str) else dict(config)
    ended = subprocess.run(
        [sys.executable, "-c", _INIT],
        input=json.dumps([str(path), given]),
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode >= 0:
        return []
    died = signal.Signals(-ended.returncode).name
    capabilities = Capability(int(ended.stdout.split()[0])) if ended.stdout else Capability(0)
    tables = (
        "tables as it extracts or parses"
        if capabilities & (Capability.EXTRACTION | Capability.PARSING)
        else "NULL tables, as it neither extracts nor parses"
    )
    return [f"init or destroy died of {died}, given {tables}"]
