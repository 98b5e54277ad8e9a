"""Another platform's CPython, in a folder: an installation, or unpacked packages of Debian's.

Nothing in it is run. The folder may be what ``dpkg-deb -x`` made of libpython3.X, -stdlib and
-minimal with the libraries they need, a copy of a root file system, or an installation prefix.
"""

from __future__ import annotations

import ast
import struct
import sys
from typing import TYPE_CHECKING

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from falcopy_sdk.bundle.interpreter import CONFIG_VARIABLES, Interpreter
from falcopy_sdk.exceptions import ToolchainError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["find"]

_PREFIXES = ("", "usr/", "usr/local/")


def find(root: Path, machine: str, executable: Path) -> Interpreter:
    """The CPython of the running one's minor version in that folder.

    Args:
        root: the folder.
        machine: the one it has to be for, ``"x86_64"`` or ``"aarch64"``.
        executable: this machine's Python, to run build steps with.

    Raises:
        ToolchainError: there is none, or it is for another machine.
    """
    root = root.absolute()
    version = "{}.{}".format(*sys.version_info[:2])
    stdlib = _first(root, [f"{p}lib/python{version}" for p in _PREFIXES], "os.py")
    library = f"libpython{version}.so.1.0"
    inner = ("lib", f"lib/{machine}-linux-gnu", "lib64")
    place = _first(root, [f"{p}{each}" for p in _PREFIXES for each in inner], library)
    if stdlib is None or place is None:
        missing = f"lib/python{version}/os.py" if stdlib is None else library
        raise ToolchainError(
            f"{root} has no {missing}. Name a folder with an installation of CPython {version} "
            f"for {machine}: its prefix, or the unpacked Debian packages libpython{version}, "
            f"libpython{version}-stdlib, libpython{version}-minimal and the libraries these need. "
            f"(It has to be {version}: bytecode is made by the Python that runs the build.)"
        )
    found_machine, full_version = _read(place / library)
    if found_machine != machine:
        raise ToolchainError(
            f"{place / library} is for {found_machine}, and the plugin for {machine}. Name another "
            "folder with --python-root, or another --platform."
        )
    config = _config(stdlib)
    return Interpreter(
        executable=executable,
        version=full_version,
        stdlib=stdlib,
        dynload=stdlib / "lib-dynload",
        libpython=place / library,
        machine=machine,
        suffixes=(str(config["EXT_SUFFIX"]), ".abi3.so", ".so"),
        config=config,
        sysroot=root,
    )


def _first(root: Path, folders: list[str], file: str) -> Path | None:
    places = (root / folder for folder in folders)
    return next((place for place in places if (place / file).is_file()), None)


def _read(libpython: Path) -> tuple[str, str]:
    """Machine and full version: the constant ``Py_Version`` (C API documentation, since 3.11)."""
    try:
        with libpython.open("rb") as stream:
            elf = ELFFile(stream)
            machine = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64"}.get(
                elf["e_machine"], str(elf["e_machine"])
            )
            table = elf.get_section_by_name(".dynsym")
            (symbol,) = table.get_symbol_by_name("Py_Version")  # type: ignore[union-attr]
            (offset,) = elf.address_offsets(symbol["st_value"])
            stream.seek(offset)
            (number,) = struct.unpack("<I", stream.read(4))
    except (ELFError, TypeError, ValueError, AttributeError, struct.error) as error:
        raise ToolchainError(
            f"{libpython} is no shared library of CPython 3.11 or newer ({error}). Unpack its "
            "package again."
        ) from error
    return machine, ".".join(str(number >> shift & 0xFF) for shift in (24, 16, 8))


def _config(stdlib: Path) -> dict[str, object]:
    """The variables of sysconfig, from the table that CPython's build leaves there."""
    for path in sorted(stdlib.glob("_sysconfigdata_*.py")):
        for statement in ast.parse(path.read_bytes()).body:
            if isinstance(statement, ast.Assign):
                table = ast.literal_eval(statement.value)
                return {name: table[name] for name in CONFIG_VARIABLES if name in table}
    raise ToolchainError(
        f"{stdlib} has no _sysconfigdata_….py. Debian has it in libpython3.X-minimal: unpack that "
        "as well."
    )
