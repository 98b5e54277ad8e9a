"""Reads what a C compiler makes of a header, from the DWARF of an object file."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from elftools.elf.elffile import ELFFile

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
OWN_INCLUDES = [ROOT / "loader_c" / "include", ROOT / "falcopy_sdk" / "abi"]
INSTALLED = Path("/usr/include/falcosecurity/plugin")


@dataclass
class Declared:
    """Everything a header declares, by name, rendered so that equal means compatible."""

    #: "struct x", "union x" or typedef name -> (size, ((member, offset, type), ...))
    records: dict[str, tuple[int, tuple[tuple[str, int, str], ...]]] = field(default_factory=dict)
    #: enum -> (size, {enumerator: value})
    enums: dict[str, tuple[int, dict[str, int]]] = field(default_factory=dict)
    #: typedef -> what it stands for
    typedefs: dict[str, str] = field(default_factory=dict)


def _text(die: Any, attribute: str) -> str:
    return die.attributes[attribute].value.decode() if attribute in die.attributes else ""


def _target(die: Any) -> Any:
    return die.get_DIE_from_attribute("DW_AT_type") if "DW_AT_type" in die.attributes else None


def _members(die: Any, base: int = 0) -> tuple[tuple[str, int, str], ...]:
    found: list[tuple[str, int, str]] = []
    for child in die.iter_children():
        if child.tag != "DW_TAG_member":
            continue
        at = child.attributes.get("DW_AT_data_member_location")
        offset = base + (at.value if at else 0)
        kind = _target(child)
        if "DW_AT_name" in child.attributes:
            found.append((_text(child, "DW_AT_name"), offset, _render(kind)))
        else:  # an anonymous struct's members are its holder's
            found += _members(kind, offset)
    return tuple(found)


_TAGS = {
    "DW_TAG_structure_type": "struct",
    "DW_TAG_union_type": "union",
    "DW_TAG_enumeration_type": "enum",
}


def _render(die: Any) -> str:
    if die is None:
        return "void"
    if die.tag == "DW_TAG_pointer_type":
        return _render(_target(die)) + "*"
    if die.tag == "DW_TAG_const_type":
        return "const " + _render(_target(die))
    if die.tag == "DW_TAG_array_type":
        bounds = [c.attributes.get("DW_AT_upper_bound") for c in die.iter_children()]
        return _render(_target(die)) + "".join(f"[{b.value if b else ''}]" for b in bounds)
    if die.tag == "DW_TAG_subroutine_type":
        arguments = [c for c in die.iter_children() if c.tag == "DW_TAG_formal_parameter"]
        rest = [c.tag for c in die.iter_children() if c.tag == "DW_TAG_unspecified_parameters"]
        # `f()` is compatible with `f(void)` (C11 6.7.6.3) and rendered like it.
        unspecified = rest and (arguments or "DW_AT_prototyped" in die.attributes)
        shown = [_render(_target(a)) for a in arguments] + (["..."] if unspecified else [])
        return f"{_render(_target(die))} ()({', '.join(shown)})"
    name = _text(die, "DW_AT_name")
    if die.tag in _TAGS:
        return f"{_TAGS[die.tag]} {name or _members(die)}"
    assert die.tag in ("DW_TAG_typedef", "DW_TAG_base_type"), die.tag
    return name


def _read(obj: Path) -> Declared:
    declared = Declared()
    with obj.open("rb") as stream:
        dwarf = ELFFile(stream).get_dwarf_info()
        for unit in dwarf.iter_CUs():
            for die in unit.get_top_DIE().iter_children():
                name = _text(die, "DW_AT_name")
                if die.tag == "DW_TAG_typedef":
                    target = _target(die)
                    declared.typedefs[name] = _render(target)
                    if target is not None and target.tag in _TAGS:
                        _add(declared, name, target)
                elif die.tag in _TAGS and name:
                    _add(declared, f"{_TAGS[die.tag]} {name}", die)
    return declared


def _add(declared: Declared, name: str, die: Any) -> None:
    if "DW_AT_byte_size" not in die.attributes:
        return  # only named, never defined
    size = die.attributes["DW_AT_byte_size"].value
    if die.tag == "DW_TAG_enumeration_type":
        values = {
            _text(c, "DW_AT_name"): c.attributes["DW_AT_const_value"].value
            for c in die.iter_children()
        }
        declared.enums[name] = (size, values)
    else:
        declared.records[name] = (size, _members(die))


@pytest.fixture(scope="session")
def declared_by(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, list[Path]], Declared]:
    """Compiles a line of C and reads every type that it declares."""

    def compile_and_read(source: str, includes: list[Path]) -> Declared:
        folder = tmp_path_factory.mktemp("header")
        (folder / "unit.c").write_text(source)
        subprocess.run(
            ["gcc", "-std=c11", "-g", "-gno-strict-dwarf", "-fno-eliminate-unused-debug-types"]
            + [f"-I{path}" for path in includes]
            + ["-c", "unit.c", "-o", "unit.o"],
            cwd=folder,
            check=True,
        )
        return _read(folder / "unit.o")

    return compile_and_read


@pytest.fixture(scope="session")
def own(declared_by: Callable[[str, list[Path]], Declared]) -> Declared:
    return declared_by('#include "falcopy_bridge.h"\n', OWN_INCLUDES)


@pytest.fixture(scope="session")
def official_includes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folder to include ``plugin/plugin_api.h`` from."""
    given = os.environ.get("FALCOPY_OFFICIAL_HEADER_DIR")
    headers = Path(given) if given else INSTALLED
    if not given and not headers.is_dir():
        pytest.skip(
            "no official plugin_api.h: install libfalcosecurity0-dev or point "
            "FALCOPY_OFFICIAL_HEADER_DIR at the folder that holds it"
        )
    assert (headers / "plugin_api.h").is_file(), f"no plugin_api.h in {headers}"
    folder = tmp_path_factory.mktemp("official")
    (folder / "plugin").symlink_to(headers.absolute())
    return [folder]


@pytest.fixture(scope="session")
def official(
    declared_by: Callable[[str, list[Path]], Declared], official_includes: list[Path]
) -> Declared:
    return declared_by("#include <plugin/plugin_api.h>\n", official_includes)
