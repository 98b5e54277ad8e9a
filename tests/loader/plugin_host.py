"""What the host processes of these tests import: raw calls into a plugin library.

Not ``falcopy_sdk.host``: these tests must reach what a well-behaved host never does.
"""

import json
import os
from typing import Any

from falcopy_sdk.abi import Rc, SchemaType, ffi

__all__ = ["Library", "Rc", "SchemaType", "emit", "ffi", "text"]

_libc = ffi.dlopen(None)
_dlopen, _dlsym, _dlerror = _libc.dlopen, _libc.dlsym, _libc.dlerror


def _types() -> dict[str, Any]:
    types: dict[str, Any] = {}
    for name, field in ffi.typeof("plugin_api").fields:
        inner = {name: field} if name else dict(field.type.fields)
        types.update((each, found.type) for each, found in inner.items())
    return types


TYPES = _types()


def emit(value: object) -> None:
    """Hands a value to the test."""
    print(json.dumps(value))


def text(pointer: Any) -> str | None:
    """A C string, None for NULL."""
    return None if pointer == ffi.NULL else ffi.string(pointer).decode()


class Library:
    """A plugin, opened like libs' plugin_loader.c does it."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.handle = _dlopen(os.fspath(path).encode(), 2)  # RTLD_NOW | RTLD_LOCAL
        if self.handle == ffi.NULL:
            raise OSError(text(_dlerror()))

    def symbol(self, name: str) -> Any:
        """The address of a symbol, None if there is none."""
        found = _dlsym(self.handle, name.encode())
        return None if found == ffi.NULL else found

    def __getattr__(self, name: str) -> Any:
        address = self.symbol("plugin_" + name)
        if address is None:
            raise AttributeError(name)
        return ffi.cast(TYPES[name], address)

    def exports(self) -> list[str]:
        """The names of the API's symbols that the library has, without ``plugin_``."""
        return [name for name in TYPES if self.symbol("plugin_" + name) is not None]

    def start(self, config: str = "") -> tuple[Any, int]:
        """plugin_init: the state and the return code."""
        text_of_config = ffi.new("char[]", config.encode())
        given = ffi.new("ss_plugin_init_input *", {"config": text_of_config})
        rc = ffi.new("ss_plugin_rc *", 3)
        state = self.init(given, rc)
        return state, int(rc[0])

    def start_text(self, config: str = "") -> list[object]:
        """plugin_init: the return code and the last error."""
        state, rc = self.start(config)
        return [rc, text(self.get_last_error(state))]
