"""The plugin's logger: one line a state change, and no secret in any of them."""

from __future__ import annotations

import contextlib
import logging
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ClientLog", "StateLog", "log", "redact"]

#: The parts of Azure connection strings and SAS URLs that grant access. ``SharedAccessKeyName``
#: names a policy and stays readable: it is what a user needs to find the wrong key.
_SECRET = re.compile(
    r"""\b(SharedAccessKey|AccountKey|SharedAccessSignature|sig)(\s*=\s*)[^;&\s"',)]+""",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """``text`` without the keys and signatures of Azure connection strings and SAS tokens."""
    return _SECRET.sub(r"\1\2***", text)


class _Redact(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), None
        return True


log = logging.getLogger("k8saudit_aks")
log.addFilter(_Redact())


class StateLog:
    """Logs when something breaks, when the cause changes and when it works again.

    Retries repeat the same sentence many times; a user wants it once.
    """

    def __init__(self, recovered: str) -> None:
        """``recovered`` is the sentence to log when the trouble is over."""
        self._recovered = recovered
        self._trouble = ""

    @property
    def trouble(self) -> str:
        """The sentence logged last, empty while all is well."""
        return self._trouble

    def down(self, sentence: str) -> None:
        """Note that it does not work, and why; logged unless it is what was logged last."""
        if sentence != self._trouble:
            self._trouble = sentence
            log.warning("%s", sentence)

    def up(self) -> None:
        """Note that it works; logged only after a :meth:`down`."""
        if self._trouble:
            self._trouble = ""
            log.info("%s", self._recovered)


class ClientLog(logging.Handler):
    """Takes over what the Azure client libraries log while a stream is open.

    They warn on every retry, about once a second during an outage. Those lines go on at debug
    level, and the newest one is kept: for a link that the service refuses it is the only place
    where the client names the reason.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record's text and pass it on at debug level."""
        self.last = redact(record.getMessage())
        log.debug("%s: %s", record.name, self.last)

    @classmethod
    @contextlib.contextmanager
    def attached(cls) -> Iterator[ClientLog]:
        """The handler on the logger ``azure``, in place of its usual way up to the root."""
        client, handler = logging.getLogger("azure"), cls()
        before = client.propagate, client.level
        client.addHandler(handler)
        client.propagate = False
        # At INFO it tells of every request to Blob and every change of a link's state.
        client.setLevel(logging.WARNING)
        try:
            yield handler
        finally:
            client.removeHandler(handler)
            client.propagate = before[0]
            client.setLevel(before[1])
