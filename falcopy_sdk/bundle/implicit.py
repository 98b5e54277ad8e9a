"""What is imported where no ``import`` statement says so: by C code, by name, at start-up."""

from __future__ import annotations

from encodings import aliases, normalize_encoding
from typing import Final

__all__ = ["IMPLICIT", "START", "codec_module"]

#: What an interpreter imports before any code of a bundle runs (pylifecycle.c, codecs.c), and what
#: it looks for to print an exception (traceback.c, pythonrun.c).
START: Final = (
    "_collections_abc",
    "abc",
    "codecs",
    "encodings",
    "genericpath",
    "importlib",
    "importlib._bootstrap",
    "importlib._bootstrap_external",
    "importlib.machinery",
    "importlib.util",
    "io",
    "linecache",
    "os",
    "posixpath",
    "stat",
    "traceback",
    "warnings",
    "zipimport",
)

#: Encodings that data from outside commonly has; others come with the code that names them.
_CODECS: Final = (
    *("ascii", "charmap", "cp1252", "cp437", "idna", "iso8859_1", "iso8859_15", "latin_1"),
    *("punycode", "raw_unicode_escape", "unicode_escape", "utf_16", "utf_16_be", "utf_16_le"),
    *("utf_32", "utf_32_be", "utf_32_le", "utf_7", "utf_8", "utf_8_sig"),
)

#: Imported when a function of the module is called, by C code or under a computed name. What a
#: C module imports as soon as it is imported itself is found by doing so (trace.py).
IMPLICIT: Final = {
    "_asyncio": ("asyncio.base_futures", "asyncio.base_tasks", "asyncio.coroutines"),
    "_ctypes": ("ctypes._endian",),
    "_datetime": ("_strptime",),
    "_elementtree": ("xml.etree.ElementPath",),
    "_pickle": ("_compat_pickle", "copyreg"),
    "_sqlite3": ("sqlite3.dump",),
    "_zoneinfo": ("zoneinfo._common", "zoneinfo._tzpath"),
    "datetime": ("_datetime", "_strptime"),
    "decimal": ("_decimal", "_pydecimal"),
    "encodings": ("encodings.aliases", *(f"encodings.{name}" for name in _CODECS)),
    "sqlite3": ("sqlite3.dump",),
    "time": ("_strptime",),
}


def codec_module(name: str) -> str | None:
    """The module of the encoding that code calls by that name; None: none that is a module."""
    normal = normalize_encoding(name).lower() if name.isascii() else ""
    return f"encodings.{aliases.aliases.get(normal, normal)}" if normal.isidentifier() else None
