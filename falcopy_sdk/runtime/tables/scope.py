"""When tables of others are usable: during calls of the host, on the thread of the call."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, Protocol

from falcopy_sdk.abi import ffi
from falcopy_sdk.exceptions import TableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from falcopy_sdk.runtime._bridge import HostLink

__all__ = ["Call", "CallScope"]


class Borrowed(Protocol):
    """An entry that the host lent for the length of a call."""

    def give_back(self, reader: Any, /) -> None:
        """Give it back by the reader of its call."""


class Call:
    """One call of the host that hands over table functions."""

    __slots__ = ("borrowed", "reader", "thread", "writer")

    def __init__(self, reader: Any, writer: Any) -> None:
        self.reader = reader
        self.writer = writer
        #: Table functions are not thread-safe, and the call is only this thread's.
        self.thread = threading.get_ident()
        self.borrowed: set[Borrowed] = set()


class CallScope:
    """When tables of others are usable: during calls of the host, on the thread of the call."""

    def __init__(self, link: HostLink) -> None:
        self._link = link
        self._call: Call | None = None

    @contextlib.contextmanager
    def during(self, input_type: str, address: int) -> Iterator[None]:
        """Let tables be used; every entry that is left is given back at the end.

        Args:
            input_type: What the host handed over, ``"ss_plugin_event_parse_input"``.
            address: Where it is; 0: nothing to use.
        """
        before, self._call = self._call, _new_call(input_type, address)
        try:
            yield
        finally:
            call, self._call = self._call, before
            if call is not None:
                for entry in call.borrowed:
                    entry.give_back(call.reader)

    def extracting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap what computes a field, so that it may read tables."""

        def extract(*arguments: Any) -> Any:
            with self.during("ss_plugin_field_extract_input", self._link.extracting):
                return function(*arguments)

        return extract

    def call(self, name: str) -> Call:
        """Return the call that this thread is in.

        Raises:
            TableError: It is in none.
        """
        call = self._call
        if call is None or call.thread != threading.get_ident():
            raise TableError(
                f'table "{name}" is not usable here: only in @parse, @capture_open, '
                "@capture_close and fields with cache=False, on the thread that runs them"
            )
        return call

    def failed(self, what: str) -> TableError:
        """Return the error of a table function, with what the host says about it."""
        reason = self._link.owner_last_error()
        return TableError(f"{what}: {reason}" if reason else what)


def _new_call(input_type: str, address: int) -> Call | None:
    if address == 0:
        return None
    given = ffi.cast(f"{input_type} *", address)
    writes = input_type != "ss_plugin_field_extract_input"
    writer = given.table_writer_ext if writes else ffi.NULL
    # Hosts pass both or none; without a reader nothing could be given back.
    return None if given.table_reader_ext == ffi.NULL else Call(given.table_reader_ext, writer)
