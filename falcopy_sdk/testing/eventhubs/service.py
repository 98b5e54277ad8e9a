"""What all connections of one emulator share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from .amqp import conditions
from .amqp.conditions import AmqpError
from .rules import Rules
from .witness import Witness

if TYPE_CHECKING:
    from collections.abc import Callable

    from .access import Policy
    from .store import Hub, Namespace, Partition

MAX_READERS = 5
"""Readers without epoch on one partition and group ("Event Hubs quotas", Microsoft Learn)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the emulator allows.

    Attributes:
        max_message_size: Octets in a message; 1 MiB as in the service's Standard tier.
        max_frame_size: Octets in a frame.
        idle_timeout: Seconds of silence after which a connection is closed. Half of it is told to
            the client, as AMQP asks (transport 2.4.5).
        authorize: Whether links need a token that covers their entity.
        missing_group: How a consumer of a missing group is turned down: ``refuse`` without
            a source, as AMQP asks (transport 2.6.3), or ``detach`` right after an attach.
    """

    max_message_size: int = 1024 * 1024
    max_frame_size: int = 64 * 1024
    idle_timeout: float = 480.0
    authorize: bool = True
    missing_group: Literal["refuse", "detach"] = "refuse"


class Claimant(Protocol):
    """A reader of a partition."""

    epoch: int | None

    def detach(self, error: AmqpError | None) -> None:
        """End the reader's link."""


class Claims:
    """Who reads what: the service's rules for readers with and without an epoch.

    "Event consumers in Azure Event Hubs" (Microsoft Learn) tells them: a reader with a higher or
    equal epoch takes the partition over, one without is refused while one with an epoch reads.
    """

    def __init__(self) -> None:
        self._readers: dict[tuple[str, str, str], list[Claimant]] = {}

    def admit(self, key: tuple[str, str, str], reader: Claimant) -> None:
        """Let a reader in, and those out whose place it takes.

        Args:
            key: Hub, consumer group and partition, in lower case.
            reader: The newcomer.

        Raises:
            AmqpError: When it may not read.
        """
        readers = self._readers.setdefault(key, [])
        highest = max((r.epoch for r in readers if r.epoch is not None), default=None)
        if reader.epoch is None:
            if highest is not None:
                raise AmqpError(
                    conditions.LINK_STOLEN,
                    f"At least one receiver for the endpoint is created with epoch of '{highest}', "
                    "and so non-epoch receiver is not allowed. Either reconnect with a higher "
                    "epoch, or make sure all epoch receivers are closed or disconnected.",
                )
            if len(readers) >= MAX_READERS:
                raise AmqpError(
                    conditions.RESOURCE_LIMIT_EXCEEDED,
                    "Exceeded the maximum number of allowed receivers per partition in a consumer "
                    f"group which is {MAX_READERS}.",
                )
        else:
            if highest is not None and highest > reader.epoch:
                raise AmqpError(
                    conditions.LINK_STOLEN,
                    f"Receiver with a higher epoch of '{highest}' already exists. Receiver with "
                    f"epoch {reader.epoch} cannot be created.",
                )
            for other in tuple(readers):
                other.detach(
                    AmqpError(
                        conditions.LINK_STOLEN,
                        f"New receiver with higher epoch of '{reader.epoch}' is created hence "
                        f"current receiver with epoch '{other.epoch}' is getting disconnected.",
                    )
                )
            readers.clear()
        readers.append(reader)

    def leave(self, key: tuple[str, str, str], reader: Claimant) -> None:
        """Forget a reader; one that was never let in does not matter."""
        readers = self._readers.get(key, [])
        if reader in readers:
            readers.remove(reader)


@dataclass(slots=True)
class Service:
    """The shared state.

    Attributes:
        namespace: The hubs.
        policy: The keys.
        limits: What is allowed.
        clock: Gives seconds since the epoch, for enqueued times.
        witness: What was seen.
        rules: What to refuse.
        claims: Who reads what.
        stalled: Whether connections neither read nor write.
    """

    namespace: Namespace
    policy: Policy
    limits: Limits
    clock: Callable[[], float]
    witness: Witness = field(default_factory=Witness)
    rules: Rules = field(default_factory=Rules)
    claims: Claims = field(default_factory=Claims)
    stalled: bool = False

    def hub(self, name: str) -> Hub:
        """Return a hub.

        Raises:
            AmqpError: ``amqp:not-found`` when there is none of that name.
        """
        hub = self.namespace.find(name)
        if hub is None:
            raise AmqpError(
                conditions.NOT_FOUND, f"The messaging entity '{name}' could not be found."
            )
        return hub

    def partition(self, hub: Hub, partition_id: str) -> Partition:
        """Return a partition of a hub.

        Raises:
            AmqpError: ``com.microsoft:argument-out-of-range`` when there is none of that id.
        """
        try:
            return hub.partitions[partition_id]
        except KeyError:
            raise AmqpError(
                "com.microsoft:argument-out-of-range",
                f"The specified partition is invalid for an EventHub partition sender or receiver. "
                f"It should be between 0 and {len(hub.partitions) - 1}: '{partition_id}'.",
            ) from None
