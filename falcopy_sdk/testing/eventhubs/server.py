"""The emulator as a whole, in the event loop that starts it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from .access import Policy
from .amqp import message
from .amqp.types import Symbol
from .connection import Connection
from .faults import Faults
from .listener import Listener
from .service import Limits, Service
from .store import Namespace

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import Callable, Iterable, Mapping

    from .store import Hub, Partition, StoredEvent
    from .witness import Witness

_SHUTDOWN = 2.0
"""Seconds that connections have to end before they are reset."""


class Emulator:
    """An Event Hubs namespace on loopback, over AMQP 1.0.

    Args:
        hubs: Name and number of partitions of each hub.
        consumer_groups: Groups every hub has beside ``$Default``.
        host: The address to listen on.
        port: The port, 0 for one the system picks.
        key_name: The shared access policy's name.
        key: Its key; None makes one up.
        retention_events: How many events a partition keeps; None keeps all.
        limits: What is allowed.
        clock: Gives seconds since the epoch, for enqueued times.
        tls: Certificate and key to speak TLS with; None: plain TCP. Clients use TLS unless the
            connection string says that it is for an emulator, and port 5671 unless they are told
            `custom_endpoint`.
        websocket: Whether AMQP travels over web sockets; needs the package websockets.
        check_jwt: Takes a JSON web token and returns the time it expires at, in seconds since the
            epoch, or raises ValueError; None: any token passes.

    Attributes:
        witness: What the emulator saw.
        faults: What it can do wrong.

    Raises:
        ValueError: When there is no hub, or one without partitions.

    Example:
        >>> async with Emulator({"audit": 4}) as emulator:
        ...     client = EventHubConsumerClient.from_connection_string(
        ...         emulator.connection_string("audit"), "$Default")
    """

    witness: Witness
    faults: Faults

    def __init__(
        self,
        hubs: Mapping[str, int],
        *,
        consumer_groups: Iterable[str] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        key_name: str = "RootManageSharedAccessKey",
        key: str | None = None,
        retention_events: int | None = None,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
        tls: ssl.SSLContext | None = None,
        websocket: bool = False,
        check_jwt: Callable[[str], float] | None = None,
    ) -> None:
        self._service = Service(
            namespace=Namespace(hubs, consumer_groups, retention_events),
            policy=Policy(key_name, key, check_jwt),
            limits=limits or Limits(),
            clock=clock,
        )
        self._host = host
        self._connections: set[Connection] = set()
        self._tls, self._websocket = tls is not None, websocket
        self._listener = Listener(host, port, self._accept, tls)
        self.witness = self._service.witness
        self.faults = Faults(self._service, self._connections)

    def _connect(self) -> Connection:
        return Connection(self._service, self._connections)

    def _accept(self) -> asyncio.Protocol:
        if not self._websocket:
            return self._connect()
        from .websocket import WebSocket

        return WebSocket(self._connect, self._service.limits.max_message_size * 2)

    async def start(self) -> Self:
        """Listen.

        Raises:
            OSError: When the address cannot be had.
        """
        await self._listener.start()
        return self

    async def aclose(self) -> None:
        """Stop listening, close all connections, and return when they are gone."""
        self._listener.close()
        self.faults.unstall()
        for connection in tuple(self._connections):
            connection.close(None)
        try:
            await self.wait_until(lambda: not self._connections, _SHUTDOWN)
        except TimeoutError:
            self.faults.abort_connections()
            await self.wait_until(lambda: not self._connections, _SHUTDOWN)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def port(self) -> int:
        """The port, once started."""
        return self._listener.port

    @property
    def fully_qualified_namespace(self) -> str:
        """Host and port, which stand for the namespace's name."""
        return f"{self._host}:{self.port}"

    @property
    def custom_endpoint(self) -> str:
        """What clients are told to connect to when they use TLS or web sockets."""
        return f"sb://{self.fully_qualified_namespace}"

    def connection_string(self, hub: str | None = None, *, key: str | None = None) -> str:
        """Return what a client needs to connect, beside `custom_endpoint` with TLS.

        Args:
            hub: The hub to name in it; None leaves the choice to the client.
            key: Another key than the valid one.
        """
        policy = self._service.policy
        parts = {
            "Endpoint": f"sb://{self._host if self._tls else self.fully_qualified_namespace}",
            "SharedAccessKeyName": policy.name,
            "SharedAccessKey": policy.keys[0] if key is None else key,
        }
        if not self._tls:
            parts["UseDevelopmentEmulator"] = "true"
        if hub is not None:
            parts["EntityPath"] = hub
        return ";".join(f"{name}={value}" for name, value in parts.items())

    def shared_access_signature(self, path: str = "", seconds: int = 3600) -> str:
        """Return a token for clients that sign none themselves.

        Args:
            path: The entity's path; the empty one is the namespace.
            seconds: How long it is valid; negative is already expired.
        """
        resource = f"sb://{self.fully_qualified_namespace}/{path}"
        return self._service.policy.sign(resource, int(time.time()) + seconds)

    def stop_listening(self) -> None:
        """Refuse new connections; the port stays taken. `faults` ends those that are open."""
        self._listener.stop()

    async def resume_listening(self) -> None:
        """Accept connections again, on the same port."""
        await self._listener.start()

    @property
    def hubs(self) -> list[Hub]:
        """All hubs."""
        return self._service.namespace.hubs

    def add_hub(self, name: str, partitions: int) -> Hub:
        """Add a hub to a running emulator.

        Raises:
            ValueError: When there is one of that name, or no partition.
        """
        if self._service.namespace.find(name) is not None:
            raise ValueError(f"the emulator has a hub {name!r} already")
        return self._service.namespace.add(name, partitions)

    def hub(self, name: str) -> Hub:
        """Return a hub, to look at its partitions and events.

        Raises:
            LookupError: When there is none of that name.
        """
        hub = self._service.namespace.find(name)
        if hub is None:
            known = ", ".join(hub.name for hub in self.hubs)
            raise LookupError(f"the emulator has no hub {name!r}; it has {known}")
        return hub

    def partition(self, hub: str, partition_id: str) -> Partition:
        """Return a partition of a hub.

        Raises:
            LookupError: When there is none of that name or id.
        """
        partitions = self.hub(hub).partitions
        if partition_id not in partitions:
            raise LookupError(
                f"the hub {hub!r} has no partition {partition_id!r}; it has {', '.join(partitions)}"
            )
        return partitions[partition_id]

    def append(
        self,
        hub: str,
        *bodies: bytes,
        partition: str | None = None,
        partition_key: str | None = None,
        application_properties: Mapping[str, object] | None = None,
        enqueued_time: float | None = None,
    ) -> list[StoredEvent]:
        """Append events to one partition without a producer, in one go.

        Args:
            hub: The hub.
            bodies: The events' bodies.
            partition: The partition; None takes that of the key, or the next in turn.
            partition_key: The events' partition key.
            application_properties: The events' application properties.
            enqueued_time: Seconds since the epoch; None asks the clock.

        Raises:
            LookupError: When there is no such hub or partition.
        """
        found = self.hub(hub)
        log = found.choose(partition_key) if partition is None else self.partition(hub, partition)
        annotations = (
            {} if partition_key is None else {Symbol("x-opt-partition-key"): partition_key}
        )
        seconds = self._service.clock() if enqueued_time is None else enqueued_time
        appended = log.append(
            (
                message.Message(
                    annotations=annotations, bare=message.encode_bare(body, application_properties)
                )
                for body in bodies
            ),
            int(seconds * 1000),
        )
        self.witness.changed()
        return appended

    async def wait_until(self, predicate: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait until a condition on what the emulator saw holds.

        Raises:
            TimeoutError: When it does not hold in time.
        """
        await self.witness.wait_until(predicate, seconds)
