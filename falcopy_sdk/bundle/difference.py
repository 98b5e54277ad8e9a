"""What differs between two built plugins, file by file."""

from __future__ import annotations

import marshal
import zipfile
from typing import TYPE_CHECKING, Any

from falcopy_sdk.bundle import image
from falcopy_sdk.exceptions import BundleFormatError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["differences"]


def differences(one: Path, other: Path) -> list[str]:
    """One sentence for each file, and each static fact, that is not the same in both; sorted.

    Raises:
        BundleFormatError: one is no built plugin.
    """
    if one.read_bytes() == other.read_bytes():
        return []
    found = _static(one, other)
    try:
        with zipfile.ZipFile(one) as first, zipfile.ZipFile(other) as second:
            names = [set(archive.namelist()) for archive in (first, second)]
            found += [f"{name}: only in {one}" for name in sorted(names[0] - names[1])]
            found += [f"{name}: only in {other}" for name in sorted(names[1] - names[0])]
            for name in sorted(names[0] & names[1]):
                data = first.read(name), second.read(name)
                if data[0] != data[1]:
                    found.append(f"{name}: {_how(name, *data)}")
    except zipfile.BadZipFile as error:
        raise BundleFormatError(f"{one} or {other}: its payload is damaged ({error})") from error
    return found or [
        "the files differ outside of the payload: in the loader, or in the ZIP's order"
    ]


def _static(one: Path, other: Path) -> list[str]:
    first, second = image.read_image(one), image.read_image(other)
    names = ("bridge_path", "glibc_floor", "payload_size", "payload_sha256")
    found = [
        f"{name}: {getattr(first, name)} and {getattr(second, name)}"
        for name in names
        if getattr(first, name) != getattr(second, name)
    ]
    for name in first.facts.__dataclass_fields__:
        values = getattr(first.facts, name), getattr(second.facts, name)
        if values[0] != values[1]:
            found.append(f"static facts, {name}: differs")
    return found


def _how(name: str, one: bytes, other: bytes) -> str:
    if len(one) != len(other):
        sizes = f"{len(one)} and {len(other)} bytes"
    else:
        at = next(i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
        sizes = f"{len(one)} bytes each, from byte {at} on"
    if name.endswith(".pyc") and _code(one) == _code(other):
        return f"{sizes}; the same code, marshalled in another way"
    return sizes


def _code(data: bytes) -> Any:
    try:
        return marshal.loads(data[16:])  # noqa: S302 - compared only, never run
    except (EOFError, ValueError, TypeError):
        return None
