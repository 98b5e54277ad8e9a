"""What Python sees of the API through cffi against what the C compiler makes of the headers."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from falcopy_sdk import abi
from falcopy_sdk.abi import generate

if TYPE_CHECKING:
    from enum import IntEnum


def test_the_committed_table_is_what_the_headers_say() -> None:
    assert generate.TARGET.read_text() == generate.generate(), (
        "run `python falcopy_sdk/abi/generate.py`"
    )


def test_cffi_lays_out_every_struct_like_the_compiler(own: Any) -> None:
    names = [n for n in own.records if "ss_plugin" in n or n in ("plugin_api",)]
    names.append("struct falcopy_bridge")
    assert len(names) > 25
    for name in names:
        size, members = own.records[name]
        assert abi.ffi.sizeof(name) == size, name
        for member, offset, _ in members:
            assert abi.ffi.offsetof(name, member) == offset, f"{name}.{member}"


def test_cffi_calls_every_entry_with_as_many_arguments_as_the_compiler(own: Any) -> None:
    for record in ("plugin_api", "struct falcopy_bridge"):
        checked = 0
        for member, _, kind in own.records[record][1]:
            if "()(" not in kind:
                continue
            arguments = kind.split("()(", 1)[1].rsplit(")*", 1)[0]
            expected = len(arguments.split(", ")) if arguments else 0
            fields: dict[str, Any] = {}
            for name, found in abi.ffi.typeof(record).fields:
                fields |= dict(found.type.fields) if not name else {name: found}
            assert len(fields[member].type.args) == expected, f"{record}.{member}"
            checked += 1
        assert checked == (33 if record == "plugin_api" else 17)


@pytest.mark.parametrize(
    ("python", "c", "prefix"),
    [
        (abi.Rc, "ss_plugin_rc", "SS_PLUGIN_"),
        (abi.FieldTypeCode, "ss_plugin_field_type", "FTYPE_"),
        (abi.SchemaType, "ss_plugin_schema_type", "SS_PLUGIN_SCHEMA_"),
        (abi.StateType, "ss_plugin_state_type", "SS_PLUGIN_ST_"),
        (abi.LogSeverity, "ss_plugin_log_severity", "SS_PLUGIN_LOG_SEV_"),
        (abi.MetricType, "ss_plugin_metric_type", "SS_PLUGIN_METRIC_TYPE_"),
        (abi.MetricValueType, "ss_plugin_metric_value_type", "SS_PLUGIN_METRIC_VALUE_TYPE_"),
    ],
)
def test_python_enums_have_the_compilers_values(
    python: type[IntEnum], c: str, prefix: str, own: Any
) -> None:
    assert {prefix + m.name: int(m) for m in python} == own.enums[c][1]
    assert abi.ffi.sizeof(c) == own.enums[c][0] == 4


def test_constants_are_those_of_the_headers() -> None:
    number = abi.ffi.integer_const
    version = [number(f"PLUGIN_API_VERSION_{part}") for part in ("MAJOR", "MINOR", "PATCH")]
    assert ".".join(map(str, version)) == abi.API_VERSION
    assert number("PLUGIN_MAX_ERRLEN") == abi.MAX_ERRLEN
    assert number("PLUGIN_EVENT_PAYLOAD_OFFSET") == abi.PAYLOAD_OFFSET
    assert number("PPME_PLUGINEVENT_E") == abi.PLUGIN_EVENT_CODE
    assert number("PPME_ASYNCEVENT_E") == abi.ASYNC_EVENT_CODE
    # header, two lengths, plugin id
    assert abi.ffi.sizeof("ss_plugin_event") + 2 * 4 + 4 == abi.PAYLOAD_OFFSET


def test_importing_the_table_needs_no_c_parser() -> None:
    code = "import sys, falcopy_sdk.abi; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "_cffi_backend" in loaded
    assert not {"cffi", "pycparser"} & set(loaded)
