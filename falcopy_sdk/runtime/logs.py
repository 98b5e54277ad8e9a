"""Standard-library logging, warnings of threads and ``print`` end in the host's logger."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import threading
import traceback
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from falcopy_sdk.abi.enums import LogSeverity
from falcopy_sdk.runtime.masking import masked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from falcopy_sdk.runtime._bridge import HostLink

__all__ = ["attach", "bound_to", "describe", "detach", "redirect_output"]

_links: list[HostLink] = []
_current: ContextVar[HostLink | None] = ContextVar("falcopy_link", default=None)
_lock = threading.Lock()
_PACKAGE = os.path.dirname(os.path.dirname(__file__))


def describe(error: BaseException) -> str:
    """Return an exception as one line, with the line of code it came from.

    An exception that is a message to the user on its own (a FalcopyError) has no such line.
    """
    from falcopy_sdk.exceptions import FalcopyError

    text = masked(str(error))
    if isinstance(error, FalcopyError) and text:
        return text
    line = f"{type(error).__name__}: {text}" if text else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    # The author's own line says more than ours or a library's: the last one outside the SDK.
    own = [f for f in frames if not f.filename.startswith(_PACKAGE)] or list(frames)
    if own:
        line += f" ({os.path.basename(own[-1].filename)}:{own[-1].lineno})"
    return line


def _severity(level: int) -> LogSeverity:
    for threshold, severity in (
        (logging.CRITICAL, LogSeverity.CRITICAL),
        (logging.ERROR, LogSeverity.ERROR),
        (logging.WARNING, LogSeverity.WARNING),
        (logging.INFO, LogSeverity.INFO),
        (logging.DEBUG, LogSeverity.DEBUG),
    ):
        if level >= threshold:
            return severity
    return LogSeverity.TRACE


class _HostHandler(logging.Handler):
    """Gives records to the host of the plugin state they belong to."""

    def __init__(self) -> None:
        super().__init__()
        self._busy = threading.local()

    def handle(self, record: logging.LogRecord) -> bool:
        # Without the handler's lock: nothing here needs it, hosts may take their time, and an
        # interrupted source thread could leave it taken for ever.
        passed = self.filter(record)
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        link = _current.get() or next(reversed(_links), None)
        # A host written in Python may log what it is given: that must not come back here.
        if link is None or getattr(self._busy, "now", False):
            return
        self._busy.now = True
        try:
            message = masked(record.getMessage())
            error = record.exc_info[1] if record.exc_info else None
            if error is not None:
                message += f": {describe(error)}"
            link.log(_severity(record.levelno), None, message)
            if error is not None:
                text = masked("".join(traceback.format_exception(error)))
                link.log(LogSeverity.DEBUG, None, text)
        except Exception:  # noqa: BLE001 - the logging module's own contract for handlers
            self.handleError(record)
        finally:
            self._busy.now = False


_handler = _HostHandler()


def attach(link: HostLink) -> None:
    """Let records reach this host too; the newest one gets what belongs to no plugin state."""
    with _lock:
        _links.append(link)
        root = logging.getLogger()
        if _handler not in root.handlers:
            root.addHandler(_handler)


def detach(link: HostLink) -> None:
    """Undo :func:`attach`."""
    with _lock:
        if link in _links:
            _links.remove(link)
        if not _links:
            logging.getLogger().removeHandler(_handler)


@contextlib.contextmanager
def bound_to(link: HostLink) -> Iterator[None]:
    """Send what is logged in this context, and in tasks made in it, to one host."""
    token = _current.set(link)
    try:
        yield
    finally:
        _current.reset(token)


class _LogStream(io.TextIOBase):
    """Turns lines written to it into log records, so that ``print`` is never lost."""

    def __init__(self) -> None:
        super().__init__()
        self._pending = ""
        self._lines = threading.Lock()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        with self._lines:
            *complete, self._pending = (self._pending + text).split("\n")
        for line in complete:
            if line:
                logging.getLogger("print").info("%s", line)
        return len(text)


def redirect_output() -> None:
    """Make the private interpreter's output the host's log: its stdout carries alerts."""
    if isinstance(sys.stdout, _LogStream):
        return  # another copy of the same plugin shares this interpreter
    logging.getLogger().setLevel(logging.INFO)
    sys.stdout = _LogStream()

    def thread_failed(args: Any) -> None:
        if args.exc_value is not None and args.exc_type is not SystemExit:
            logging.getLogger("threading").error("a thread has ended", exc_info=args.exc_value)

    threading.excepthook = thread_failed
