"""The SDK's own parts in a bundle, and the loader around it."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Final

from falcopy_sdk.bundle import links
from falcopy_sdk.exceptions import ToolchainError

__all__ = ["bridge", "copy", "loader", "native_files"]

#: What runs in the host; the command line and the tools behind it stay out.
_SHIPPED: Final = ("__init__", "abi", "declare", "exceptions", "hooks", "runtime")
#: Of these packages, what serves their development only.
_LEFT_OUT: Final = frozenset({"abi/generate.py"})


def bridge(suffix: str) -> Path:
    """The bridge, an extension module for Pythons whose extension modules end so.

    Nothing is imported: it may be another platform's.

    Raises:
        ToolchainError: this installation of the SDK has none for it.
    """
    path = _native(f"_bridge{suffix}")
    if path is None:
        raise ToolchainError(
            f"this falcopy-sdk has no _bridge{suffix}, the bridge for that Python. Install a wheel "
            "that was built with it (pip install --force-reinstall falcopy-sdk), or build one: "
            "FALCOPY_MACHINES of loader_c/CMakeLists.txt."
        )
    return path


def loader(machine: str) -> Path:
    """The prebuilt loader for ``"x86_64"`` or ``"aarch64"``.

    Raises:
        ToolchainError: this installation of the SDK has none for that machine.
    """
    path = _native(f"loader-{machine}.so")
    if path is None:
        raise ToolchainError(
            f"this falcopy-sdk has no loader for {machine} (loader-{machine}.so is missing). "
            "Install its wheel again: pip install --force-reinstall falcopy-sdk"
        )
    return path


def native_files() -> list[Path]:
    """The compiled parts, for all platforms."""
    return sorted(path for folder in _folders() for path in folder.glob("*.so"))


def _native(name: str) -> Path | None:
    return next((path for path in native_files() if path.name == name), None)


def _folders() -> list[Path]:
    """Those of falcopy_sdk.runtime: an editable installation has two."""
    spec = importlib.util.find_spec("falcopy_sdk.runtime")
    return [Path(each) for each in (spec and spec.submodule_search_locations) or ()]


def copy(site: Path, suffix: str | None) -> str:
    """Copies the SDK's modules and the bridge into ``site``.

    Args:
        site: the bundle's site-packages.
        suffix: of the platform's extension modules, ``".cpython-311-aarch64-linux-gnu.so"``;
            None: no bridge, for a folder that only tells a plugin's facts.

    Returns:
        the bridge's place below ``site``'s parent, ``"site-packages/falcopy_sdk/runtime/…"``;
        empty: there is none.

    Raises:
        ToolchainError: a part is missing.
    """
    target = site / "falcopy_sdk"
    for name in _SHIPPED:
        spec = importlib.util.find_spec(
            "falcopy_sdk" if name == "__init__" else f"falcopy_sdk.{name}"
        )
        if spec is None or spec.origin is None:
            raise ToolchainError(
                f"falcopy-sdk is damaged: falcopy_sdk.{name} is missing; reinstall"
            )
        origin = Path(spec.origin)
        if name != "__init__" and spec.submodule_search_locations is not None:
            _copy_package(origin.parent, target / name, name)
        else:
            shutil.copyfile(origin, links.place(target / origin.name))
    if suffix is None:
        return ""
    source = bridge(suffix)
    copied = links.place(target / "runtime" / source.name)
    shutil.copyfile(source, copied)
    return copied.relative_to(site.parent).as_posix()


def _copy_package(source: Path, target: Path, name: str) -> None:
    for path in sorted(source.rglob("*.py")):
        relative = path.relative_to(source)
        if f"{name}/{relative.as_posix()}" in _LEFT_OUT:
            continue
        shutil.copyfile(path, links.place(target / relative))
