"""Write Falco plugins in Python; ship them as one shared library."""

from falcopy_sdk.declare.constraints import Length, Pattern, Range
from falcopy_sdk.declare.event import UNSET, Batch, Event
from falcopy_sdk.declare.fields import extract
from falcopy_sdk.declare.plugin import plugin, plugin_spec
from falcopy_sdk.declare.secret import Secret
from falcopy_sdk.declare.spec import FieldType, PluginSpec
from falcopy_sdk.declare.tables import (
    Int8,
    Int16,
    Int32,
    Int64,
    OwnTable,
    Table,
    TableEntry,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    table,
)
from falcopy_sdk.declare.tags import (
    async_events,
    capture_close,
    capture_open,
    decode,
    dump_state,
    event_to_string,
    init_schema,
    metrics,
    open_params,
    parse,
    progress,
    set_config,
    source,
)
from falcopy_sdk.declare.values import Metric, OpenParam
from falcopy_sdk.exceptions import (
    ConfigError,
    DeclarationError,
    EventDecodeError,
    FalcopyError,
    SourceEnd,
    SourceError,
    SourceFatal,
    SourceRetry,
    SourceSkip,
    TableError,
)

__all__ = [
    "UNSET",
    "Batch",
    "ConfigError",
    "DeclarationError",
    "Event",
    "EventDecodeError",
    "FalcopyError",
    "FieldType",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "Length",
    "Metric",
    "OpenParam",
    "OwnTable",
    "Pattern",
    "PluginSpec",
    "Range",
    "Secret",
    "SourceEnd",
    "SourceError",
    "SourceFatal",
    "SourceRetry",
    "SourceSkip",
    "Table",
    "TableEntry",
    "TableError",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "async_events",
    "capture_close",
    "capture_open",
    "decode",
    "dump_state",
    "event_to_string",
    "extract",
    "init_schema",
    "metrics",
    "open_params",
    "parse",
    "plugin",
    "plugin_spec",
    "progress",
    "set_config",
    "source",
    "table",
]

# Tracebacks and documentation name what authors import, not where it is written.
for _name in __all__:
    if isinstance(globals()[_name], type):
        globals()[_name].__module__ = __name__
del _name
