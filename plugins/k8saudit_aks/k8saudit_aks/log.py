"""The plugin's logger: one line a state change, and no secret in any of them."""

from __future__ import annotations

import contextlib
import logging
import re
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["ClientLog", "StateLog", "brief", "log", "quoted", "redact"]

#: The parts of Azure connection strings and SAS URLs that grant access. ``SharedAccessKeyName``
#: names a policy and stays readable: it is what a user needs to find the wrong key.
_SECRET = re.compile(
    r"""\b(SharedAccessKey|AccountKey|SharedAccessSignature|sig)(\s*=\s*)[^;&\s"',)]+""",
    re.IGNORECASE,
)
#: The password in a URL, such as a proxy's: RFC 3986 ends it with the last ``@`` before a slash.
_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^/\s]+@")
#: Three parts of base64, of which the first two are JSON objects (RFC 7519).
_JWT = re.compile(r"\beyJ[\w-]+\.eyJ[\w-]+\.[\w-]*")


def redact(text: str) -> str:
    """``text`` without what grants access.

    That is: keys and signatures of Azure's connection strings and SAS tokens, passwords in URLs,
    and JSON web tokens.
    """
    text = _SECRET.sub(r"\1\2***", text)
    return _JWT.sub("***", _PASSWORD.sub(r"\1***@", text))


#: The path and the query of a URL: names of blobs, signatures.
_BEYOND_HOST = re.compile(r"(https?://[^/\s'\"]+)/[^\s'\"]*")


def brief(said: object) -> str:
    """The first line of what a client library says, for a sentence of ours.

    Without what grants access, and of URLs no more than the host.
    """
    lines = redact(str(said)).strip().splitlines() or [type(said).__name__]
    return _BEYOND_HOST.sub(r"\1", lines[0])


_QUOTED = re.compile(r" \(the client said: .*\)", re.DOTALL)
#: Which partitions of a hub (others at each retry), a URL, or a word with a digit in it: a GUID, a
#: time, an address, a number of a request. Short ones stay, such as a status.
_PASSING = re.compile(r"\bpartitions? \d+(, \d+)*|https?://\S+|(?=[\w.:+-]*\d)[\w.:+-]{4,}")


def quoted(client_said: str) -> str:
    """What a client library said beside our sentence; it does not make it another sentence."""
    return f" (the client said: {client_said})" if client_said else ""


def _gist(sentence: str) -> str:
    """What stays the same when the same trouble is told again."""
    return _PASSING.sub("", _QUOTED.sub("", sentence))


class _Redact(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), None
        return True


log = logging.getLogger("k8saudit_aks")
log.addFilter(_Redact())


class StateLog:
    """Logs when something breaks, when the cause changes and when it works again.

    Retries repeat the same sentence many times, with another time or request in it; a user wants
    it once. Causes that take turns are one trouble, and each is told once. What breaks again right
    after it worked, such as a link that two readers take from each other for ever, counts as
    working again only when it has worked for a while; so it is told of once as well.
    """

    def __init__(
        self, recovered: str, settle: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Nothing is wrong at first.

        Args:
            recovered: The sentence to log when the trouble is over.
            settle: Seconds within which new trouble counts as a relapse, and for which there must
                be none after a relapse. After ten times as long a cause that comes back is told
                again.
            clock: Seconds, for tests.
        """
        self._recovered, self._settle, self._clock = recovered, settle, clock
        self._trouble = ""
        #: By the gist of a sentence, when it was noted last.
        self._noted: dict[str, float] = {}
        #: Since when it has worked again, and whether the trouble is or was a relapse.
        self._up_since: float | None = None
        self._relapse = False

    @property
    def trouble(self) -> str:
        """What is wrong now, empty while all is well."""
        return "" if self._up_since is not None else self._trouble

    def down(self, sentence: str) -> None:
        """Note that it does not work, and why; logged unless the same was noted before."""
        now = self._clock()
        if self._up_since is not None:
            self._relapse = now - self._up_since < self._settle
            self._up_since = None
        gist, before = _gist(sentence), _gist(self._trouble)
        since = now - 10 * self._settle
        recent = {known: noted for known, noted in self._noted.items() if noted >= since}
        self._trouble, self._noted = sentence, {**recent, gist: now}
        if gist != before and gist not in recent:
            log.warning("%s", sentence)

    def up(self) -> None:
        """Note that it works; logged once after a :meth:`down`. To be called again and again."""
        if not self._trouble:
            return
        now = self._clock()
        if self._up_since is None:
            self._up_since = now
        if not self._relapse or now - self._up_since >= self._settle:
            self._trouble = ""
            self._noted.clear()
            log.info("%s", self._recovered)


#: Tells at INFO of a link whose attach the service answered without source or target, which is
#: how AMQP refuses one (AMQP 1.0 transport, 2.6.3). The client says nothing else about it.
_LINKS = "azure.eventhub._pyamqp.aio._link_async"
_REFUSED = "Cannot get source or target"
#: And of each state of a link. That of a partition has a connection, named after its receiver; the
#: two links for its token are attached before it.
_STATE = "Link state changed"
_RECEIVER = re.compile(r"EHReceiver-.+-partition(.+)")
_LINKS_OF_A_RECEIVER = 3


@dataclass(slots=True)
class _Receiver:
    """One receiver of the client: how often its link was attached."""

    name: str
    session: str = ""
    links: int = 0
    opened: int = 0


class ClientLog(logging.Handler):
    """Takes over what the Azure client libraries log while a stream is open.

    They warn on every retry, about once a second during an outage. Those lines go on at debug
    level, and the newest one is kept: for a link that the service refuses it is the only place
    where the client names the reason. It is also the only one where it tells that it has replaced
    a connection.
    """

    #: What the loggers were set to.
    _before: ClassVar[tuple[bool, int, int]]
    #: That of the stream whose task is running, since all streams of a process share the loggers.
    _current: ClassVar[ContextVar[ClientLog]] = ContextVar("k8saudit_aks client log")

    def __init__(self, reopened: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self.last = ""
        #: Links that the service has refused.
        self.refused = 0
        self._reopened = reopened
        #: By partition, the newest one.
        self._receivers: dict[str, _Receiver] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record's text and pass it on at debug level."""
        if self._current.get(self) is not self:
            return
        if record.levelno >= logging.WARNING:
            self.last = redact(record.getMessage())
            log.debug("%s: %s", record.name, self.last)
        elif str(record.msg).startswith(_REFUSED):
            self.refused += 1
        elif str(record.msg).startswith(_STATE) and record.getMessage().endswith("ATTACHED: 3>"):
            self._attached(record)

    def _attached(self, record: logging.LogRecord) -> None:
        name, session = (str(getattr(record, key, "")) for key in ("amqpConnection", "amqpSession"))
        found = _RECEIVER.fullmatch(name)
        if not found:
            return
        partition = found[1]
        receiver = self._receivers.get(partition)
        if receiver is None or receiver.name != name:
            receiver = self._receivers[partition] = _Receiver(name)
        if receiver.session != session:
            receiver.session, receiver.links = session, 0
        receiver.links += 1
        if receiver.links == _LINKS_OF_A_RECEIVER:
            receiver.opened += 1
            if receiver.opened > 1:
                self._reopened(partition)

    @classmethod
    @contextlib.contextmanager
    def attached(cls, reopened: Callable[[str], None]) -> Iterator[ClientLog]:
        """The handler on the logger ``azure``, in place of its usual way up to the root.

        Args:
            reopened: Called with a partition whose connection the client has replaced.
        """
        client, links = logging.getLogger("azure"), logging.getLogger(_LINKS)
        handler = cls(reopened)
        if not any(isinstance(other, cls) for other in client.handlers):
            cls._before = client.propagate, client.level, links.level
            client.propagate = False
            # At INFO it tells of every request to Blob and every change of a link's state.
            client.setLevel(logging.WARNING)
            links.setLevel(logging.INFO)
            logging.getLogger("asyncio").addFilter(_not_left_behind)
        client.addHandler(handler)
        token = cls._current.set(handler)
        try:
            yield handler
        finally:
            cls._current.reset(token)
            client.removeHandler(handler)
            # Several streams may be open in one process; the last one restores.
            if not any(isinstance(other, cls) for other in client.handlers):
                client.propagate = cls._before[0]
                client.setLevel(cls._before[1])
                links.setLevel(cls._before[2])
                logging.getLogger("asyncio").removeFilter(_not_left_behind)


def _not_left_behind(record: logging.LogRecord) -> bool:
    """False for a line that the client causes at each attempt to open a web socket that fails.

    It leaves its aiohttp session behind, without a connection in it, for the garbage collector.
    """
    return not record.getMessage().startswith("Unclosed client session")
