"""What the emulator saw: connections, links, tokens and deliveries, for tests to ask about.

Events that were published are in the partitions themselves (`store.Partition.events`). An event
counts as delivered to a link once it was handed to the link's connection; a connection that breaks
may lose events after that.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from .store import StoredEvent

LinkKind = Literal["consumer", "producer", "cbs", "management", "unknown"]


@dataclass(slots=True, eq=False)
class LinkRecord:
    """A link, from its attach on; it stays readable after its end.

    Attributes:
        id: Counts the links of the emulator from 1.
        connection: The number of its connection, from 1.
        container_id: What the client calls itself.
        name: The link's name, chosen by the client.
        kind: What the link is for.
        address: The entity's path as the client wrote it.
        hub: The hub's name, empty for ``$cbs``.
        consumer_group: The group, for consumers.
        partition: The partition's id, where the link names one.
        epoch: The reader's epoch (owner level), None for readers without.
        attached_at: Seconds since the epoch.
        ended_at: The same, None while the link lives.
        refused: Whether it was refused instead of attached.
        condition: The error condition by which the emulator ended or refused it, if it did.
        description: The sentence that went with it.
        sequence_numbers: Of the events delivered, in order.
        offsets: Of the events delivered, in order.
        received: How many messages came in on it.
    """

    id: int
    connection: int
    container_id: str
    name: str
    kind: LinkKind = "unknown"
    address: str = ""
    hub: str = ""
    consumer_group: str | None = None
    partition: str | None = None
    epoch: int | None = None
    attached_at: float = field(default_factory=time.time)
    ended_at: float | None = None
    refused: bool = False
    condition: str | None = None
    description: str | None = None
    sequence_numbers: array[int] = field(default_factory=lambda: array("q"))
    offsets: array[int] = field(default_factory=lambda: array("q"))
    received: int = 0

    @property
    def active(self) -> bool:
        """Whether the link is attached."""
        return self.ended_at is None

    def delivered(self, event: StoredEvent) -> None:
        """Record an event handed to the connection."""
        self.sequence_numbers.append(event.sequence_number)
        self.offsets.append(event.offset)

    def matches(
        self,
        *,
        kind: LinkKind | None = None,
        hub: str | None = None,
        consumer_group: str | None = None,
        partition: str | None = None,
        link: int | None = None,
    ) -> bool:
        """Tell whether the link has all the given traits; case does not matter in names."""
        return (
            (kind is None or kind == self.kind)
            and (hub is None or hub.lower() == self.hub.lower())
            and (
                consumer_group is None
                or consumer_group.lower() == (self.consumer_group or "").lower()
            )
            and (partition is None or partition == self.partition)
            and (link is None or link == self.id)
        )


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token put to ``$cbs``: for what, of which type, and the answer. The token is not kept."""

    connection: int
    audience: str
    type: str
    status: int
    expires: float


class Witness:
    """Everything recorded so far.

    Attributes:
        links: Every link, in the order of their attaches, refused ones included.
        tokens: Every token that was put.
        connections_opened: How many TCP connections were accepted.
        connections: The numbers of those that are open.
        conditions: How often each error condition was sent.
        internal_errors: Tracebacks of faults of the emulator's own; a test may assert there
            are none.
    """

    def __init__(self) -> None:
        self.links: list[LinkRecord] = []
        self.tokens: list[TokenRecord] = []
        self.connections_opened = 0
        self.connections: set[int] = set()
        self.conditions: Counter[str] = Counter()
        self.internal_errors: list[str] = []
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._check_scheduled = False

    def new_link(self, connection: int, container_id: str, name: str) -> LinkRecord:
        """Record a link that asks to attach."""
        record = LinkRecord(len(self.links) + 1, connection, container_id, name)
        self.links.append(record)
        self.changed()
        return record

    def active_links(
        self,
        *,
        kind: LinkKind | None = None,
        hub: str | None = None,
        consumer_group: str | None = None,
        partition: str | None = None,
    ) -> list[LinkRecord]:
        """Return the attached links that have all the given traits."""
        return [
            record
            for record in self.links
            if record.active
            and record.matches(
                kind=kind, hub=hub, consumer_group=consumer_group, partition=partition
            )
        ]

    def owners(self, hub: str, consumer_group: str = "$Default") -> dict[str, list[str]]:
        """Return who reads: partition id to the container ids of its attached consumers."""
        owners: dict[str, list[str]] = {}
        for record in self.active_links(kind="consumer", hub=hub, consumer_group=consumer_group):
            owners.setdefault(record.partition or "", []).append(record.container_id)
        return owners

    def delivered(
        self, hub: str, partition: str, consumer_group: str = "$Default"
    ) -> list[tuple[int, int]]:
        """Return what a partition's consumers were sent, ended links included.

        Returns:
            (link id, sequence number) pairs, link by link in the order of their attaches.
        """
        return [
            (record.id, number)
            for record in self.links
            if record.matches(
                kind="consumer", hub=hub, consumer_group=consumer_group, partition=partition
            )
            for number in record.sequence_numbers
        ]

    def changed(self) -> None:
        """Let those who wait look again, once the current callback has ended."""
        if self._waiters and not self._check_scheduled:
            self._check_scheduled = True
            asyncio.get_running_loop().call_soon(self._check)

    async def wait_until(self, predicate: Callable[[], bool], seconds: float) -> None:
        """Wait until a condition on what was recorded holds.

        Raises:
            TimeoutError: When it does not hold in time.
        """
        if predicate():
            return
        waiter = predicate, asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await asyncio.wait_for(waiter[1], seconds)
        except TimeoutError:
            raise TimeoutError(
                f"the condition waited for did not hold within {seconds} s; links: "
                + "; ".join(
                    f"{r.id} {r.kind} {r.address} sent {len(r.offsets)} "
                    + ("active" if r.active else r.condition or "ended")
                    for r in self.links[-10:]
                )
            ) from None
        finally:
            self._waiters.remove(waiter)

    def _check(self) -> None:
        self._check_scheduled = False
        for predicate, future in self._waiters:
            if future.done():
                continue
            try:
                holds = predicate()
            except Exception as error:  # noqa: BLE001 - it is the waiting caller's to handle
                future.set_exception(error)
            else:
                if holds:
                    future.set_result(None)
