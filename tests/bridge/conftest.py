"""Plugin classes driven in this process, through the same table of entries as the loader's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from falcopy_sdk.host import Instance, Library, Plugin


class Log(list[tuple[str, str]]):
    """The host's log: (severity name, message)."""

    def __call__(self, component: str, message: str, severity: Any) -> None:
        self.append((severity.name, message))

    def texts(self, severity: str | None = None) -> list[str]:
        return [text for name, text in self if severity in (None, name)]


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def start(log: Log) -> Iterator[Callable[..., Plugin]]:
    """Initialise a class as a host does: ``start(cls, config)``."""
    with ExitStack() as stack:

        def make(cls: type, config: Any = None) -> Plugin:
            library = stack.enter_context(Library.from_class(cls))
            return stack.enter_context(library.init(config, log=log))

        yield make


@pytest.fixture
def opened(start: Callable[..., Plugin]) -> Iterator[Callable[..., tuple[Plugin, Instance]]]:
    """Initialise and open: ``opened(cls, config=None, params="")``."""
    with ExitStack() as stack:

        def make(cls: type, config: Any = None, params: str = "") -> tuple[Plugin, Instance]:
            plugin = start(cls, config)
            return plugin, stack.enter_context(plugin.open(params))

        yield make


def _own_threads() -> set[str]:
    """The ids of the bridge's threads, which Python's threading knows nothing of."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):
            if (task / "comm").read_text().startswith("falcopy"):
                found.add(task.name)
    return found


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = _own_threads()
    yield
    # The kernel lists a thread for a moment after it has been joined.
    deadline = time.monotonic() + 5
    while _own_threads() - before:
        assert time.monotonic() < deadline, "a thread of the bridge is left behind"
        time.sleep(0.01)
