"""The SDK's own parts in a bundle, and the loader around it."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Final

from falcopy_sdk.exceptions import ToolchainError

__all__ = ["bridge", "copy", "loader"]

#: What runs in the host; the command line and the tools behind it stay out.
_SHIPPED: Final = ("__init__", "abi", "declare", "exceptions", "hooks", "runtime")
#: Of these packages, what serves their development only.
_LEFT_OUT: Final = frozenset({"abi/generate.py"})


def bridge() -> Path:
    """The bridge, an extension module.

    Raises:
        ToolchainError: the SDK is installed without its native parts.
    """
    spec = importlib.util.find_spec("falcopy_sdk.runtime._bridge")
    if spec is None or spec.origin is None:
        raise ToolchainError(
            "falcopy-sdk is installed without its native parts (falcopy_sdk.runtime._bridge). "
            "Reinstall it: pip install --force-reinstall falcopy-sdk"
        )
    return Path(spec.origin)


def bridge_for(suffix: str) -> Path:
    """The bridge for a platform whose extension modules end so.

    Raises:
        ToolchainError: this installation of the SDK has none for it.
    """
    path = bridge().with_name(f"_bridge{suffix}")
    if not path.is_file():
        raise ToolchainError(
            f"this falcopy-sdk has no {path.name}, the bridge for that platform. Install a wheel "
            "that was built with it, or build one: FALCOPY_MACHINES of loader_c/CMakeLists.txt."
        )
    return path


def loader(machine: str) -> Path:
    """The prebuilt loader for ``"x86_64"`` or ``"aarch64"``.

    Raises:
        ToolchainError: this installation of the SDK has none for that machine.
    """
    path = bridge().with_name(f"loader-{machine}.so")
    if not path.is_file():
        raise ToolchainError(
            f"this falcopy-sdk has no loader for {machine} ({path} is missing). Install its wheel "
            "for that machine: pip install --force-reinstall falcopy-sdk"
        )
    return path


def copy(site: Path, suffix: str = "") -> str:
    """Copies the SDK's modules and the bridge into ``site``.

    Args:
        site: the bundle's site-packages.
        suffix: of the platform's extension modules, ``".cpython-311-aarch64-linux-gnu.so"``;
            empty: this machine's.

    Returns:
        the bridge's place below ``site``'s parent, ``"site-packages/falcopy_sdk/runtime/…"``.

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
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(origin, target / origin.name)
    source = bridge_for(suffix) if suffix else bridge()
    copied = target / "runtime" / source.name
    shutil.copyfile(source, copied)
    return copied.relative_to(site.parent).as_posix()


def _copy_package(source: Path, target: Path, name: str) -> None:
    for path in sorted(source.rglob("*.py")):
        relative = path.relative_to(source)
        if f"{name}/{relative.as_posix()}" in _LEFT_OUT:
            continue
        (target / relative).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / relative)
