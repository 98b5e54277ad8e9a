"""Drives any Falco plugin from Python: a ``.so`` in any language, or a class in this process.

The host behaves like libsinsp: the same calls in the same order with the same garbage in
out-parameters, the same checks, and an error where a real host would stop or crash.

    with Library.load("libdummy.so") as library, library.init({"jitter": 10}) as plugin:
        with plugin.open("") as instance:
            for event in instance.events(limit=10):
                print(event.num, plugin.extract(event, "dummy.value"))
"""

from falcopy_sdk.host.answers import Metric, OpenParam
from falcopy_sdk.host.builtin import BuiltinTable
from falcopy_sdk.host.events import (
    HostEvent,
    encode_async_event,
    encode_plugin_event,
    foreign_event,
)
from falcopy_sdk.host.extraction import Offsets, Scalar, Value
from falcopy_sdk.host.facts import Capability, Facts
from falcopy_sdk.host.fields import FieldInfo, FieldRequest, split_requests
from falcopy_sdk.host.instance import Instance
from falcopy_sdk.host.library import Library
from falcopy_sdk.host.owner import LogSink
from falcopy_sdk.host.plugin import Plugin
from falcopy_sdk.host.tables import TableRegistry

__all__ = [
    "BuiltinTable",
    "Capability",
    "Facts",
    "FieldInfo",
    "FieldRequest",
    "HostEvent",
    "Instance",
    "Library",
    "LogSink",
    "Metric",
    "Offsets",
    "OpenParam",
    "Plugin",
    "Scalar",
    "TableRegistry",
    "Value",
    "encode_async_event",
    "encode_plugin_event",
    "foreign_event",
    "split_requests",
]
