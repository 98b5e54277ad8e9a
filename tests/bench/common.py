"""What the benchmarks share."""

from __future__ import annotations

from pathlib import Path

__all__ = ["GCC", "HERE", "REPOSITORY", "SHARED", "field_arguments"]

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
_INCLUDES = [f"-I{REPOSITORY / 'loader_c/include'}", f"-I{REPOSITORY / 'falcopy_sdk/abi'}"]
GCC = ["gcc", "-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", *_INCLUDES]
SHARED = ["-shared", "-fPIC", "-fvisibility=hidden"]


def field_arguments(names: tuple[str, ...], order: list[str]) -> list[str]:
    """Write fields as the drivers take them: name:id or name:id:key."""
    rows = []
    for name in names:
        base, _, key = name.rstrip("]").partition("[")
        rows.append(f"{base}:{order.index(base)}" + (f":{key}" if key else ""))
    return rows
