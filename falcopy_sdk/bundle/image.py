"""The part of the loader that a build fills in: ``struct falcopy_image`` of falcopy_image.h."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from falcopy_sdk.bundle.elf import UNREADABLE
from falcopy_sdk.declare.facts import StaticFacts
from falcopy_sdk.exceptions import BuildError, BundleFormatError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

__all__ = [
    "BLOB_SIZE",
    "EXPORTS",
    "IMAGE",
    "STRINGS",
    "Image",
    "is_built",
    "pack",
    "place_of",
    "read_image",
]

MAGIC: Final = b"falcopy-image-1\0"
SECTION: Final = ".falcopy"
#: Of an ELF file whose header counts them (elf(5), e_shnum).
_MOST_SECTIONS: Final = 0xFFFF
#: FALCOPY_IMAGE_BLOB_SIZE, in bytes.
BLOB_SIZE: Final = 512 * 1024
_STRING_SLOTS: Final = 32
#: struct falcopy_image on a 64-bit little-endian machine; it has no padding.
IMAGE: Final = struct.Struct(f"<16sIIQQQ72s16sIIII{_STRING_SLOTS}I{BLOB_SIZE}s")

#: enum falcopy_export: the bit of an export is its index.
EXPORTS: Final = (
    "get_init_schema",
    "get_id",
    "get_event_source",
    "open",
    "close",
    "list_open_params",
    "get_progress",
    "event_to_string",
    "next_batch",
    "get_extract_event_types",
    "get_extract_event_sources",
    "get_fields",
    "extract_fields",
    "get_parse_event_types",
    "get_parse_event_sources",
    "parse_event",
    "get_async_event_sources",
    "get_async_events",
    "set_async_event_handler",
    "dump_state",
    "set_config",
    "get_metrics",
    "capture_open",
    "capture_close",
    "get_required_event_schema_version",
)

#: enum falcopy_string; all but the last are attributes of StaticFacts.
STRINGS: Final = (
    "required_api_version",
    "version",
    "name",
    "description",
    "contact",
    "event_source",
    "init_schema",
    "fields",
    "extract_event_sources",
    "parse_event_sources",
    "async_event_sources",
    "async_events",
    "required_event_schema_version",
    "plugin_ref",
    "bridge_path",
)


@dataclass(frozen=True, slots=True)
class Image:
    """What a built plugin tells before any Python runs."""

    facts: StaticFacts
    #: Of the bridge, relative to the unpacked folder.
    bridge_path: str
    #: Of the ZIP in the file; both 0 in a loader that no build has filled in.
    payload_offset: int
    payload_size: int
    payload_sha256: str
    #: The oldest glibc that can load the payload, ``"2.36"``.
    glibc_floor: str


def pack(image: Image) -> bytes:
    """The bytes of ``struct falcopy_image``.

    Raises:
        BuildError: the strings do not fit, or one has a NUL or is no valid UTF-8.
    """
    facts = image.facts
    unknown = set(facts.exports) - set(EXPORTS)
    if unknown:
        raise BuildError(f"the plugin API has no optional entry named {', '.join(sorted(unknown))}")
    texts = {name: getattr(facts, name) for name in STRINGS[:-1]}
    texts["bridge_path"] = image.bridge_path
    blob = bytearray(b"\0")
    offsets: list[int] = []
    for name in STRINGS:
        offsets.append(_add_text(blob, name, texts[name]))
    extract, parse = (
        _add_types(blob, types) for types in (facts.extract_event_types, facts.parse_event_types)
    )
    if len(blob) > BLOB_SIZE:
        largest = sorted(texts, key=lambda name: len(texts[name]), reverse=True)[:2]
        sizes = " and ".join(f"{name} ({len(texts[name])} characters)" for name in largest)
        raise BuildError(
            f"the static facts of {facts.name} take {len(blob)} bytes, the loader has room for "
            f"{BLOB_SIZE}. The largest are {sizes}: shorten their descriptions."
        )
    return IMAGE.pack(
        MAGIC,
        facts.id,
        0,
        sum(1 << EXPORTS.index(name) for name in facts.exports),
        image.payload_offset,
        image.payload_size,
        image.payload_sha256.encode("ascii"),
        image.glibc_floor.encode("ascii"),
        *extract,
        *parse,
        *offsets,
        *(0,) * (_STRING_SLOTS - len(STRINGS)),
        bytes(blob),
    )


def _add_text(blob: bytearray, name: str, text: str) -> int:
    if not text:
        return 0
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise BuildError(f"{name}: cannot be written as UTF-8 ({error}); remove it") from error
    if b"\0" in data:
        raise BuildError(f"{name}: has a NUL character, where a C host would cut it off; remove it")
    offset = len(blob)
    blob += data + b"\0"
    return offset


def _add_types(blob: bytearray, types: tuple[int, ...]) -> tuple[int, int]:
    if not types:
        return 0, 0
    blob += bytes(len(blob) % 2)
    offset = len(blob)
    blob += struct.pack(f"<{len(types)}H", *types)
    return offset, len(types)


def place_of(stream: BinaryIO, path: Path) -> int:
    """Where the image starts in a loader or a built plugin, in bytes from the file's start.

    Raises:
        BundleFormatError: the file has none.
    """
    found = _section(stream, path)
    magic = b""
    if found is not None and found[1] >= IMAGE.size:
        stream.seek(found[0])
        magic = stream.read(len(MAGIC))
    if found is None or magic != MAGIC:
        raise BundleFormatError(
            f"{path}: a shared library, but not one that falcopy build made, or one of another "
            "version of it"
        )
    return found[0]


def is_built(path: Path) -> bool:
    """Whether falcopy built the file, or it says so.

    Raises:
        BundleFormatError: it is no shared library.
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        return _section(stream, path) is not None


def _section(stream: BinaryIO, path: Path) -> tuple[int, int] | None:
    """Where the section of the image starts, and its size; None: there is none."""
    size = stream.seek(0, 2)
    stream.seek(0)
    try:
        elf = ELFFile(stream)
        count = elf.num_sections()
        if count > _MOST_SECTIONS or elf["e_shoff"] + count * elf["e_shentsize"] > size:
            raise ELFError(f"it says that it has {count} sections")
        section = elf.get_section_by_name(SECTION)
        if section is None:
            return None
        start, length = int(section["sh_offset"]), int(section["sh_size"])
        if start + length > size:
            raise ELFError(f"{SECTION} ends behind the end of the file, which was cut off")
    except UNREADABLE as error:
        raise BundleFormatError(f"{path}: not a shared library ({error})") from error
    return start, length


def read_image(path: Path) -> Image:
    """Reads what a build wrote.

    Raises:
        BundleFormatError: the file is no built plugin, is damaged or cut off.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        stream.seek(place_of(stream, path))
        data = stream.read(IMAGE.size)
        size = stream.seek(0, 2)
    if len(data) != IMAGE.size:
        raise BundleFormatError(f"{path}: cut off in the middle; build or download it again")
    try:
        image = _unpack(data)
    except (struct.error, ValueError) as error:
        raise BundleFormatError(f"{path}: damaged static facts ({error})") from error
    if image.payload_offset + image.payload_size > size:
        raise BundleFormatError(
            f"{path}: cut off: {size} bytes instead of "
            f"{image.payload_offset + image.payload_size}; build or download it again"
        )
    return image


def _unpack(data: bytes) -> Image:
    (_, plugin_id, _, exports, payload_offset, payload_size, sha256, floor, *rest) = IMAGE.unpack(
        data
    )
    extract, parse, offsets, blob = rest[0:2], rest[2:4], rest[4 : 4 + len(STRINGS)], rest[-1]

    def text(offset: int) -> str:
        return str(blob[offset : blob.index(b"\0", offset)].decode())

    def types(offset: int, count: int) -> tuple[int, ...]:
        return struct.unpack_from(f"<{count}H", blob, offset)

    texts = dict(zip(STRINGS, map(text, offsets), strict=True))
    bridge_path = texts.pop("bridge_path")
    facts = StaticFacts(
        id=plugin_id,
        extract_event_types=types(*extract),
        parse_event_types=types(*parse),
        exports=frozenset(name for bit, name in enumerate(EXPORTS) if exports >> bit & 1),
        **texts,
    )
    return Image(
        facts=facts,
        bridge_path=bridge_path,
        payload_offset=payload_offset,
        payload_size=payload_size,
        payload_sha256=sha256.rstrip(b"\0").decode("ascii"),
        glibc_floor=floor.rstrip(b"\0").decode("ascii"),
    )
