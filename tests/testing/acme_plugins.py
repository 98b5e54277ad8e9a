"""Plugins of an imaginary author: a good one, and ones that break what the battery looks at."""

from __future__ import annotations

import itertools
import logging
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from falcopy_sdk import (
    Event,
    Metric,
    Secret,
    SourceRetry,
    extract,
    init_schema,
    metrics,
    plugin,
    source,
)

ABOUT: dict[str, Any] = {
    "version": "0.1.0",
    "event_source": "acme_audit",
    "description": "Acme audit log",
    "contact": "https://example.org/acme",
}

EVENTS = [
    {"actor": {"login": "ann", "groups": ["admins", "staff"]}, "region": "eu", "tags": {"a": "1"}},
    {"actor": {"login": "bob"}, "region": "us"},
]
CONFIG = {"region": "eu", "token": "a-very-secret-token"}


@dataclass
class Config:
    region: Annotated[str, "Only events of this region"] = ""
    token: Annotated[Secret | None, "For the API"] = None


class Base:
    """What they share."""

    Config = init_schema(Config)

    def __init__(self, config: Config) -> None:
        self.config = config

    @source
    def events(self, params: str) -> Iterator[Event]:
        for number in range(int(params or "3")):
            yield Event({**EVENTS[number % 2], "n": number})

    user = extract.path("acme.user", "actor", "login", desc="Who acted")
    number = extract.path("acme.n", "n", desc="Number", type=int)

    @extract("acme.groups")
    def groups(self, event: Event) -> list[str] | None:
        """Groups of who acted."""
        return event.json["actor"].get("groups")

    @extract("acme.tag")
    def tag(self, event: Event, key: str) -> str | None:
        """One tag."""
        return event.json["tags"].get(key) if "tags" in event.json else None


@plugin(name="acme-audit", id=999, **ABOUT)
class Acme(Base):
    @metrics
    def figures(self) -> dict[str, Metric | int | float]:
        return {"events": 1}


@dataclass
class PlainConfig:
    region: str = ""
    token: Annotated[str, "For the API: text where a Secret belongs"] = ""


@plugin(name="talkative", id=999, **ABOUT)
class Talkative(Base):
    Config = init_schema(PlainConfig)

    def __init__(self, config: PlainConfig) -> None:
        self.config = config
        logging.getLogger("acme").info("using the token %s", config.token)


@plugin(name="failing-field", id=999, **ABOUT)
class FailingField(Base):
    @extract("acme.upper")
    def upper(self, event: Event) -> str:
        """The region, loud."""
        return event.json["zone"].upper()


_count = itertools.count()


@plugin(name="changing-field", id=999, **ABOUT)
class ChangingField(Base):
    @extract("acme.call")
    def call(self, event: Event) -> int:
        """Another number at each call."""
        return next(_count)


@plugin(name="once-only", id=999, **ABOUT)
class OnceOnly(Base):
    """Its source works once an object."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.lines: Any = iter(range(100))

    @source
    def events(self, params: str) -> Iterator[Event]:
        if self.lines is None:
            raise ValueError("I/O operation on closed file")
        lines, self.lines = self.lines, None
        for _ in lines:
            yield Event(EVENTS[0])


_kept: list[object] = []


@plugin(name="leaking", id=999, **ABOUT)
class Leaking(Base):
    def __init__(self, config: Config) -> None:
        super().__init__(config)
        _kept.append([[number] for number in range(50)])


_running = threading.Lock()


@plugin(name="one-source", id=999, **ABOUT)
class OneSource(Base):
    """Shares what only one source can have."""

    @source
    def events(self, params: str) -> Iterator[Event]:
        if not _running.acquire(blocking=False):
            raise RuntimeError("a source runs already")
        try:
            for _ in itertools.count():
                yield Event(EVENTS[0])
        finally:
            _running.release()


@plugin(name="rate-limited", id=999, **ABOUT)
class RateLimited(Base):
    """Polls what answers once a day."""

    asked = 0

    @source
    def events(self, params: str) -> Iterator[Event]:
        RateLimited.asked += 1
        if RateLimited.asked > 1:
            raise SourceRetry("asked too often", after=86400)
        for _ in itertools.count():
            yield Event(EVENTS[0])


@plugin(name="listening", id=999, **ABOUT)
class Listening(Base):
    """Listens where its open parameters say."""

    @source
    def events(self, params: str) -> Iterator[Event]:
        with socket.create_server(("127.0.0.1", int(params))):
            for _ in itertools.count():
                yield Event(EVENTS[0])


@plugin(name="quiet", id=999, **ABOUT)
class Quiet(Base):
    """Its source gives nothing."""

    @source
    def events(self, params: str) -> Iterator[Event]:
        threading.Event().wait(0.01)
        yield from ()


@dataclass
class ServerConfig:
    port: int
    token: Secret


@plugin(name="fetching", id=999, **ABOUT)
class Fetching(Base):
    """Reads from a server: its address is known once the server is there."""

    Config = init_schema(ServerConfig)

    def __init__(self, config: ServerConfig) -> None:
        self.address = ("127.0.0.1", config.port)

    @source
    def events(self, params: str) -> Iterator[Event]:
        for _ in range(int(params)):
            with socket.create_connection(self.address) as connection:
                yield Event(connection.makefile("rb").read())


@dataclass
class OddConfig:
    zone: str = "a"

    def __post_init__(self) -> None:
        if self.zone == "c":
            raise ValueError("there is no zone c")


@plugin(name="odd-example", id=999, **ABOUT)
class OddExample(Base):
    """Refuses one of the configurations that it documents."""

    Config = init_schema(examples=[{"zone": "b"}, {"zone": "c"}])(OddConfig)

    def __init__(self, config: OddConfig) -> None:
        self.config = config
