"""Our declaration of the plugin API against the official header, as a compiler sees both."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def _plugin_api(names: dict[str, Any]) -> dict[str, Any]:
    prefix = re.compile(r"((struct|union|enum) )?(ss_plugin_|ss_instance_t|plugin_api)")
    return {name: value for name, value in names.items() if prefix.match(name)}


def _macros(source: str, includes: list[Path]) -> dict[str, str]:
    text = subprocess.run(
        ["gcc", "-std=c11", "-dM", "-E", "-"] + [f"-I{path}" for path in includes],
        input=source,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return dict(re.findall(r"^#define (PLUGIN_\w+) (\d+)$", text, re.MULTILINE))


def test_every_struct_has_the_official_size_members_offsets_and_types(
    own: Any, official: Any
) -> None:
    expected = _plugin_api(official.records)
    assert len(expected) > 25
    assert _plugin_api(own.records) == expected


def test_every_function_pointer_has_the_official_signature(own: Any, official: Any) -> None:
    entries = official.records["plugin_api"][1]
    assert len(entries) == 33
    assert own.records["plugin_api"][1] == entries
    assert "ss_plugin_rc ()(ss_plugin_t*, ss_instance_t*, uint32_t*, ss_plugin_event***)*" in {
        kind for _, _, kind in entries
    }


def test_every_enum_has_the_official_values(own: Any, official: Any) -> None:
    expected = _plugin_api(official.enums) | {
        name: value for name, value in official.enums.items() if "FTYPE_BOOL" in value[1]
    }
    assert len(expected) >= 7
    assert _plugin_api(own.enums) == expected


def test_every_typedef_stands_for_the_official_type(own: Any, official: Any) -> None:
    expected = _plugin_api(official.typedefs)
    assert {"ss_plugin_bool", "ss_plugin_t", "ss_plugin_async_event_handler_t"} <= expected.keys()
    # Anonymous structs render their members, so this compares those a second time.
    assert _plugin_api(own.typedefs) == expected


def test_constants_are_the_official_ones(official_includes: list[Path]) -> None:
    expected = _macros("#include <plugin/plugin_api.h>\n", official_includes)
    assert expected["PLUGIN_API_VERSION_MINOR"] == "12"
    own_includes = [ROOT / "loader_c" / "include", ROOT / "falcopy_sdk" / "abi"]
    assert _macros('#include "falcopy_abi.h"\n', own_includes) == expected
