"""The plugin class: three events, then the end."""

import ctypes
import decimal
import hashlib
import lzma
import sqlite3
import ssl
import sys
import uuid
import zlib
from collections.abc import Iterator
from xml.etree import ElementTree

import cffi
import orjson

from falcopy_sdk import Event, extract, plugin, source


@plugin(
    name="tiny",
    id=999,
    version="0.1.0",
    event_source="tiny",
    description="Tells which libraries its Python runs with",
    contact="https://example.org/tiny",
)
class Tiny:
    """Uses every kind of native module once."""

    verb = extract.path("tiny.verb", "verb", desc="What was done")

    @source
    def events(self) -> Iterator[Event]:
        """Work done by OpenSSL, zlib, libffi, SQLite, liblzma, expat, libmpdec and libuuid."""
        yield Event({"verb": "start"})
        yield Event({"verb": "libraries", **self.libraries()})
        yield Event({"verb": "end"})

    def libraries(self) -> dict[str, object]:
        """Each value comes out of a native library."""
        ssl.create_default_context()
        callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda number: number + 1)
        foreign = cffi.FFI()
        foreign.cdef("int abs(int);")
        database = sqlite3.connect(":memory:")
        return {
            "python": sys.version.split()[0],
            "modules": len(sys.modules),
            "openssl": ssl.OPENSSL_VERSION,
            "sha256": hashlib.new("sha256", b"tiny").hexdigest(),
            "zlib": zlib.decompress(zlib.compress(b"zlib")).decode(),
            "lzma": lzma.decompress(lzma.compress(b"lzma")).decode(),
            "callback": callback(41),
            "abs": foreign.dlopen(None).abs(-7),
            "sqlite": database.execute("select 6 * 7").fetchone()[0],
            "expat": ElementTree.fromstring("<a>expat</a>").text,
            "decimal": str(decimal.Decimal(1) / 3),
            "uuid": uuid.uuid1().version,
            "orjson": orjson.loads(b"[1]")[0],
            "executable": sys.executable,
        }
