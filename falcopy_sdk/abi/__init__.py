"""The Falco plugin API 3.12.0: declared once in C, seen from Python through ``ffi``.

``plugin_event.h`` and ``plugin_api.h`` are the source, also for the C parts; ``_declared`` is
their parsed form for cffi, together with the loader's interface to the bridge
(``struct falcopy_bridge``). cffi is used in its ABI mode: no compiler, ever.
"""

from __future__ import annotations

from typing import Any, Final

from falcopy_sdk.abi import _declared
from falcopy_sdk.abi.enums import (
    FieldTypeCode,
    LogSeverity,
    MetricType,
    MetricValueType,
    Rc,
    SchemaType,
    StateType,
)

__all__ = [
    "API_VERSION",
    "ASYNC_EVENT_CODE",
    "MAX_ERRLEN",
    "PAYLOAD_OFFSET",
    "PLUGIN_EVENT_CODE",
    "UINT64_MAX",
    "FieldTypeCode",
    "LogSeverity",
    "MetricType",
    "MetricValueType",
    "Rc",
    "SchemaType",
    "StateType",
    "ffi",
]

#: Any: a type checker cannot know the members of C structs.
ffi: Final[Any] = _declared.ffi

#: The newest plugin API that this package knows (plugin_api.h, PLUGIN_API_VERSION).
API_VERSION: Final = "3.12.0"
#: Event type of a plugin's own events (PPME_PLUGINEVENT_E).
PLUGIN_EVENT_CODE: Final = 322
#: Event type of asynchronous events (PPME_ASYNCEVENT_E).
ASYNC_EVENT_CODE: Final = 402
#: Bytes from the start of a plugin event to its payload (PLUGIN_EVENT_PAYLOAD_OFFSET).
PAYLOAD_OFFSET: Final = 38
#: Bytes of a host's error buffer, with the NUL (PLUGIN_MAX_ERRLEN).
MAX_ERRLEN: Final = 1024
#: "Not set" in an event's ``ts`` and ``tid``.
UINT64_MAX: Final = 2**64 - 1
