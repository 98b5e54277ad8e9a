"""The host's side of one plugin state: what the plugin may call back at any time.

A plugin gets an opaque owner pointer and hands it back from any thread, perhaps too late. It is
therefore a number here, never an address: an unknown one is ignored. The C callbacks live as long
as the process, and no Python exception leaves them: it waits in the owner and is raised as soon as
the host is back from the plugin.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from typing import Any

from falcopy_sdk.abi import MAX_ERRLEN, LogSeverity, Rc, ffi

__all__ = [
    "AsyncSink",
    "LogSink",
    "Owner",
    "async_handler",
    "dump_handler",
    "log_fn",
    "log_to_logging",
    "owner_last_error",
]

logger = logging.getLogger(__name__)

#: Takes component, message and severity; called from any thread.
LogSink = Callable[[str, str, LogSeverity], None]
#: Takes the event's pointer; returns None, or why the event is refused.
AsyncSink = Callable[[Any], str | None]

_owners: dict[int, Owner] = {}
_numbers = itertools.count(1)

_LEVELS = {
    LogSeverity.FATAL: logging.CRITICAL,
    LogSeverity.CRITICAL: logging.CRITICAL,
    LogSeverity.ERROR: logging.ERROR,
    LogSeverity.WARNING: logging.WARNING,
    LogSeverity.NOTICE: logging.INFO,
    LogSeverity.INFO: logging.INFO,
    LogSeverity.DEBUG: logging.DEBUG,
    LogSeverity.TRACE: logging.DEBUG,
}


def log_to_logging(component: str, message: str, severity: LogSeverity) -> None:
    """The default log sink: the logger ``falcopy.plugin.<component>``."""
    logging.getLogger(f"falcopy.plugin.{component}").log(_LEVELS[severity], "%s", message)


class Owner:
    """What ``ss_plugin_owner_t *`` stands for.

    Args:
        name: the plugin's name, the component of logs that name none.
        log: where the plugin's logs go.
    """

    def __init__(self, name: str, log: LogSink) -> None:
        self.name = name
        self.log = log
        #: Of events that the plugin sends by itself, and of those that it dumps when asked to. A
        #: plugin may do both at the same time.
        self.async_sink: AsyncSink | None = None
        self.dump_sink: AsyncSink | None = None
        #: The last log of severity WARNING or worse; "" if there was none.
        self.last_warning = ""
        #: C memory that a callback has returned.
        self.keepalive: Any = None
        self._failures: list[BaseException] = []
        self._lock = threading.Lock()
        self._last_error = ffi.new("char[]", b"")
        self._number = next(_numbers)
        self.pointer = ffi.cast("ss_plugin_owner_t *", self._number)
        _owners[self._number] = self

    def release(self) -> None:
        """Ends it: later callbacks with its pointer are ignored."""
        _owners.pop(self._number, None)

    def set_last_error(self, text: str) -> None:
        """Keeps the text for ``get_owner_last_error``."""
        self._last_error = ffi.new("char[]", text.encode())

    @property
    def last_error(self) -> Any:
        """``const char *``, valid until the next error."""
        return self._last_error

    def keep(self, failure: BaseException) -> None:
        """Keeps an exception of a callback for :meth:`reraise`."""
        with self._lock:
            self._failures.append(failure)

    def reraise(self) -> None:
        """Raises the first exception that a callback raised since the last time."""
        with self._lock:
            failures, self._failures = self._failures, []
        if failures:
            raise failures[0]


def owner_of(pointer: Any) -> Owner | None:
    """The owner that a pointer from a plugin stands for, None if there is none any more."""
    return _owners.get(int(ffi.cast("uintptr_t", pointer)))


def _never(*_args: Any) -> None:
    # cffi calls this if an exception reaches the C boundary; the callbacks below catch them all.
    logger.exception("a callback of the host failed")


def _log(pointer: Any, component: Any, message: Any, severity: int) -> None:
    """An unknown severity counts as INFO, a NULL message as ""."""
    owner = owner_of(pointer)
    if owner is None:
        logger.warning("a plugin logged for an owner that is gone")
        return
    try:
        known = severity in LogSeverity._value2member_map_
        level = LogSeverity(severity) if known else LogSeverity.INFO
        text = _string(message)
        if level <= LogSeverity.WARNING:
            owner.last_warning = text
        owner.log(_string(component) or owner.name, text, level)
    except Exception as failure:  # noqa: BLE001 - raised again on this side of the boundary
        owner.keep(failure)


def _owner_last_error(pointer: Any) -> Any:
    owner = owner_of(pointer)
    return ffi.NULL if owner is None else owner.last_error


def _async_event(pointer: Any, event: Any, error: Any) -> int:
    owner = owner_of(pointer)
    return _deliver(owner, owner.async_sink if owner else None, event, error)


def _dumped_event(pointer: Any, event: Any, error: Any) -> int:
    owner = owner_of(pointer)
    return _deliver(owner, owner.dump_sink if owner else None, event, error)


def _deliver(owner: Owner | None, sink: AsyncSink | None, event: Any, error: Any) -> int:
    if owner is None or sink is None:
        refused: str | None = "async event sent with NULL handler"
    else:
        try:
            refused = sink(event)
        except Exception as failure:  # noqa: BLE001 - raised again on this side of the boundary
            owner.keep(failure)
            refused = f"the host failed: {failure}"
    if refused is None:
        return Rc.SUCCESS
    if error != ffi.NULL:
        text = refused.encode()[: MAX_ERRLEN - 1] + b"\0"
        ffi.memmove(error, text, len(text))
    return Rc.FAILURE


def _string(pointer: Any) -> str:
    return "" if pointer == ffi.NULL else ffi.string(pointer).decode(errors="replace")


#: ``ss_plugin_log_fn_t``
log_fn: Any = ffi.callback(
    "void(ss_plugin_owner_t *, const char *, const char *, ss_plugin_log_severity)",
    _log,
    onerror=_never,
)
#: ``get_owner_last_error``: why the last table call of the plugin failed.
owner_last_error: Any = ffi.callback(
    "const char *(ss_plugin_owner_t *)", _owner_last_error, onerror=_never
)
_HANDLER = "ss_plugin_rc(ss_plugin_owner_t *, const ss_plugin_event *, char *)"
#: ``ss_plugin_async_event_handler_t`` of ``set_async_event_handler`` and of ``dump_state``.
async_handler: Any = ffi.callback(_HANDLER, _async_event, error=Rc.FAILURE, onerror=_never)
dump_handler: Any = ffi.callback(_HANDLER, _dumped_event, error=Rc.FAILURE, onerror=_never)
