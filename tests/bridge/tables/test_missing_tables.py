"""What a plugin says when the tables it declares are not those of the host."""

from __future__ import annotations

from typing import Any

import pytest

from falcopy_sdk import (
    Event,
    Int64,
    extract,
    plugin,
    table,
)
from falcopy_sdk.abi import StateType
from falcopy_sdk.exceptions import PluginFailedError
from falcopy_sdk.host import (
    BuiltinTable,
    TableRegistry,
)

from .tabled import (
    ABOUT,
    Reader,
    Thread,
    event,
)


def test_a_missing_table_or_field_stops_init_with_what_there_is(
    start: Any, threads: BuiltinTable
) -> None:
    with pytest.raises(PluginFailedError, match='no table "threads"') as refused:
        start(Reader, TableRegistry())
    assert "optional=True" in str(refused.value)
    del threads.fields["pid"]
    with pytest.raises(PluginFailedError, match="no field 'pid'") as refused:
        start(Reader)
    assert "args, comm, exe, root" in str(refused.value)
    threads.fields["pid"] = StateType.STRING
    with pytest.raises(PluginFailedError, match="pid is string, and the plugin declares an int"):
        start(Reader)
    threads.fields["pid"] = StateType.TABLE
    with pytest.raises(PluginFailedError, match="pid is a table of its own"):
        start(Reader)
    threads.fields["pid"] = StateType.INT32
    threads.failures["add_table_field"] = "no more fields"
    with pytest.raises(PluginFailedError, match="'risk' cannot be added: no more fields"):
        start(Reader)
    threads.failures.clear()
    threads.key_type = StateType.STRING
    with pytest.raises(PluginFailedError, match="its key is string"):
        start(Reader)


@plugin(name="modest", **ABOUT)
class Modest:
    """Does without the table."""

    threads = table("threads", Thread, key=Int64, optional=True)

    @extract("m.has", cache=False)
    def has(self, event: Event) -> bool:
        """Whether it is there"""
        return self.threads is not None and self.threads.get(1) is not None


def test_an_optional_table_is_none_where_the_host_has_none(start: Any) -> None:
    assert start(Modest).extract(event(), "m.has") is True
    assert start(Modest, TableRegistry()).extract(event(), "m.has") is False
