"""A host with tables, and plugins initialised in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from falcopy_sdk.host import BuiltinTable, Library, Plugin, TableRegistry

from .tabled import acting, threads_table


@pytest.fixture
def threads() -> BuiltinTable:
    return threads_table()


@pytest.fixture
def tables(threads: BuiltinTable) -> TableRegistry:
    return TableRegistry(threads)


@pytest.fixture
def start(log: Any, tables: TableRegistry) -> Iterator[Callable[..., Plugin]]:
    """Initialise classes in one host."""
    with ExitStack() as stack:

        def make(cls: type, tables: TableRegistry | None = tables) -> Plugin:
            library = stack.enter_context(Library.from_class(cls))
            return stack.enter_context(library.init(log=log, tables=tables))

        yield make
        acting.clear()
