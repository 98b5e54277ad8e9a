"""The plugin API's enums, by their numbers (falcosecurity/libs, plugin_types.h)."""

from __future__ import annotations

import enum

__all__ = [
    "FieldTypeCode",
    "LogSeverity",
    "MetricType",
    "MetricValueType",
    "Rc",
    "SchemaType",
    "StateType",
]


class Rc(enum.IntEnum):
    """``ss_plugin_rc``: what an entry returns."""

    SUCCESS = 0
    FAILURE = 1
    TIMEOUT = -1
    EOF = 2
    NOT_SUPPORTED = 3


class FieldTypeCode(enum.IntEnum):
    """``ss_plugin_field_type``: the number of a field's type.

    Member names are those of :class:`falcopy_sdk.declare.spec.FieldType`; in lower case they
    are the type names in ``get_fields``.
    """

    UINT64 = 8
    STRING = 9
    RELTIME = 20
    ABSTIME = 21
    BOOL = 25
    IPADDR = 40
    IPNET = 41


class SchemaType(enum.IntEnum):
    """``ss_plugin_schema_type``: the format of the init configuration's schema."""

    NONE = 0
    JSON = 1


class StateType(enum.IntEnum):
    """``ss_plugin_state_type``: types of table keys and table fields."""

    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    STRING = 9
    TABLE = 10
    BOOL = 25


class LogSeverity(enum.IntEnum):
    """``ss_plugin_log_severity``: 1 is the most severe."""

    FATAL = 1
    CRITICAL = 2
    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6
    DEBUG = 7
    TRACE = 8


class MetricType(enum.IntEnum):
    """``ss_plugin_metric_type``, as numbered since API 3.6."""

    MONOTONIC = 0
    NON_MONOTONIC = 1


class MetricValueType(enum.IntEnum):
    """``ss_plugin_metric_value_type``: which member of the value union is set."""

    U32 = 0
    S32 = 1
    U64 = 2
    S64 = 3
    D = 4
    F = 5
    I = 6  # noqa: E741 - the header's name
