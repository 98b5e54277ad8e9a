"""One emulator for all tests, a hub for each, and a bare AMQP client to look at the wire."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, TypeVar

import pytest
from azure.eventhub.aio import EventHubConsumerClient

from falcopy_sdk.testing.eventhubs import EmulatorThread, run_in_thread
from falcopy_sdk.testing.eventhubs.amqp import message
from falcopy_sdk.testing.eventhubs.amqp.composite import Composite, read_one_of
from falcopy_sdk.testing.eventhubs.amqp.decode import decode
from falcopy_sdk.testing.eventhubs.amqp.frames import (
    AMQP_HEADER,
    EMPTY_FRAME,
    SASL_FRAME,
    SASL_HEADER,
    FrameBuffer,
    frame,
)
from falcopy_sdk.testing.eventhubs.amqp.performatives import (
    PERFORMATIVES,
    Attach,
    Begin,
    Flow,
    Open,
    Source,
    Target,
    Transfer,
)
from falcopy_sdk.testing.eventhubs.amqp.sasl import SaslInit, SaslMechanisms, SaslOutcome
from falcopy_sdk.testing.eventhubs.amqp.types import Described, Symbol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

P = TypeVar("P", bound=Composite)
_numbers = itertools.count()


@pytest.fixture(scope="session")
def emulator() -> Iterator[EmulatorThread]:
    with run_in_thread({"shared": 1}, consumer_groups=["siem"]) as thread:
        yield thread
        assert thread.call(lambda e: e.witness.internal_errors) == []


@pytest.fixture
def hub(emulator: EmulatorThread, request: pytest.FixtureRequest) -> Iterator[str]:
    words = "".join(c if c.isalnum() else "-" for c in request.node.name)
    name = f"{words[:40]}-{next(_numbers)}"
    emulator.call(lambda e: e.add_hub(name, 2))
    yield name
    emulator.call(lambda e: e.faults.clear())
    emulator.resume_listening()


class ClosedError(Exception):
    """The emulator has closed the TCP connection."""


class RawClient:
    """A blocking AMQP client that sends and takes one performative at a time."""

    def __init__(self, port: int, idle_time_out: int | None = None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = FrameBuffer(1024 * 1024)
        self.idle_time_out = idle_time_out
        self.beats = 0
        self.payload = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def raw(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def _fill(self) -> None:
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            raise ClosedError from None
        if not data:
            raise ClosedError
        self.buffer.feed(data)

    def take(self, size: int) -> bytes:
        while (taken := self.buffer.take(size)) is None:
            self._fill()
        return taken

    def receive(self, *kinds: type[Composite]) -> Any:
        while True:
            received = self.buffer.next_frame()
            if received is None:
                self._fill()
            elif not received.body:
                self.beats += 1
            else:
                value, at = decode(received.body)
                self.payload = bytes(received.body[at:])
                return read_one_of(value, kinds or PERFORMATIVES)

    def expect(self, kind: type[P]) -> P:
        performative = self.receive()
        assert isinstance(performative, kind), performative
        return performative

    def send(self, performative: Composite, payload: bytes = b"", channel: int = 0) -> None:
        octets = frame(channel, performative) + payload
        self.raw(len(octets).to_bytes(4, "big") + octets[4:])

    def sasl(self) -> None:
        self.raw(SASL_HEADER)
        assert self.take(8) == SASL_HEADER
        assert "ANONYMOUS" in self.receive(SaslMechanisms).mechanisms
        self.raw(frame(0, SaslInit(Symbol("ANONYMOUS")), SASL_FRAME))
        assert self.receive(SaslOutcome).outcome == 0

    def open(self, max_frame_size: int = 65536) -> Open:
        self.sasl()
        self.raw(AMQP_HEADER)
        assert self.take(8) == AMQP_HEADER
        self.send(Open("raw", max_frame_size=max_frame_size, idle_time_out=self.idle_time_out))
        return self.expect(Open)

    def begin(self, incoming_window: int = 1000) -> None:
        self.send(Begin(next_outgoing_id=0, incoming_window=incoming_window, outgoing_window=1000))
        self.expect(Begin)

    def attach(self, attach: Attach) -> Attach:
        self.send(attach)
        return self.expect(Attach)

    def request(
        self, node: str, value: object, fields: dict[str, object], handle: int
    ) -> message.Message:
        """Ask on a new pair of links, with handles from `handle` on."""
        reply_to = f"answers-{handle}"
        self.attach(sender(f"ask-{handle}", handle, node))
        assert self.expect(Flow).link_credit
        self.attach(
            Attach(
                f"answer-{handle}",
                handle + 1,
                receiver=True,
                source=Source(node),
                target=Target(reply_to),
            )
        )
        self.send(flow(handle + 1, 10))
        octets = (
            message.section(message.PROPERTIES, ["id-1", None, None, None, reply_to])
            + message.section(message.APPLICATION_PROPERTIES, fields)
            + message.section(message.VALUE, value)
        )
        self.send(Transfer(handle, 0, b"0", 0, settled=True), octets)
        self.expect(Transfer)
        answer = message.parse(self.payload)
        assert answer.properties[5] == "id-1"
        return answer

    def authorize(self, emulator: EmulatorThread) -> None:
        token = emulator.call(lambda e: e.shared_access_signature())
        fields: dict[str, object] = {
            "operation": "put-token",
            "type": "servicebus.windows.net:sastoken",
            "name": "sb://localhost/",
        }
        answer = self.request("$cbs", token, fields, 100)
        assert answer.application_properties["status-code"] == 202

    def wait_closed(self, seconds: float = 5.0) -> None:
        """Read until the emulator closes the TCP connection."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                self._fill()
            except ClosedError:
                return
        raise AssertionError("the connection is still open")


def sender(name: str, handle: int, address: str) -> Attach:
    return Attach(
        name,
        handle,
        receiver=False,
        source=Source(name),
        target=Target(address),
        initial_delivery_count=0,
    )


def reader(
    name: str,
    handle: int,
    hub: str,
    partition: str = "0",
    *,
    group: str = "$Default",
    epoch: int | None = None,
    selector: str | None = None,
) -> Attach:
    key = Symbol("apache.org:selector-filter:string")
    return Attach(
        name,
        handle,
        receiver=True,
        source=Source(
            f"amqps://localhost/{hub}/ConsumerGroups/{group}/Partitions/{partition}",
            filter=None if selector is None else {key: Described(key, selector)},
        ),
        target=Target(name),
        properties=None if epoch is None else {Symbol("com.microsoft:epoch"): epoch},
    )


def flow(handle: int, credit: int, **fields: Any) -> Flow:
    return Flow(
        **{
            "next_incoming_id": 0,
            "incoming_window": 100000,
            "next_outgoing_id": 0,
            "outgoing_window": 1000,
            "handle": handle,
            "delivery_count": 0,
            "link_credit": credit,
            **fields,
        }
    )


class Wire:
    """What tests use of this file, as a fixture (test modules cannot import one another)."""

    sender = staticmethod(sender)
    reader = staticmethod(reader)
    flow = staticmethod(flow)
    ClosedError = ClosedError
    EMPTY_FRAME = EMPTY_FRAME

    def __init__(self, emulator: EmulatorThread) -> None:
        self.emulator = emulator

    def connect(self, port: int | None = None, idle_time_out: int | None = None) -> RawClient:
        return RawClient(port or self.emulator.port, idle_time_out)

    @contextmanager
    def authorized(self, **options: Any) -> Iterator[RawClient]:
        """A client with an open session that may use every hub."""
        window = options.pop("incoming_window", 1000)
        with self.connect() as client:
            client.open(**options)
            client.begin(window)
            client.authorize(self.emulator)
            yield client


@pytest.fixture
def wire(emulator: EmulatorThread) -> Wire:
    return Wire(emulator)


class Reading:
    """The aio consumer, reading all partitions in the background."""

    def __init__(self, connection_string: str, group: str = "$Default", **options: Any) -> None:
        self.client = EventHubConsumerClient.from_connection_string(
            connection_string,
            group,
            retry_backoff_factor=0.05,
            load_balancing_interval=1,
            **{
                key: options.pop(key)
                for key in ("idle_timeout", "checkpoint_store")
                if key in options
            },
        )
        self.options = options
        self.events: list[tuple[str, Any]] = []
        self.errors: list[Exception] = []
        self._changed = asyncio.Event()

    async def _on_batch(self, context: Any, events: list[Any]) -> None:
        self.events += [(context.partition_id, event) for event in events]
        self._changed.set()

    async def _on_error(self, context: Any, error: Exception) -> None:
        self.errors.append(error)
        self._changed.set()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(
            self.client.receive_batch(
                self._on_batch,
                on_error=self._on_error,
                **{"starting_position": "-1", **self.options},
            )
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def until(self, predicate: Callable[[], bool], seconds: float = 15) -> None:
        async with asyncio.timeout(seconds):
            while not predicate():
                self._changed.clear()
                await self._changed.wait()

    def bodies(self, partition: str | None = None) -> list[bytes]:
        return [b"".join(event.body) for id_, event in self.events if partition in (None, id_)]


@pytest.fixture(scope="session")
def reading() -> type[Reading]:
    return Reading
