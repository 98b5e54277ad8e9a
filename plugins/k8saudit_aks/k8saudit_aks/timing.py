"""Intervals of the live stream."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Timing"]


@dataclass(frozen=True, slots=True)
class Timing:
    """Intervals in seconds; the configuration names some of them."""

    #: Between two calls of the client for an idle partition. Not under 2: failing attempts to
    #: open a link restart this timer about once a second, which is what keeps them silent.
    beat: float = 5.0
    #: After which a partition without a call counts as silent.
    silent: float = 20.0
    #: After which a partition without an event is compared with what Event Hubs has of it: a
    #: connection can look well and bring nothing.
    idle: float = 60.0
    #: Between two looks at which partitions the event hub has.
    census: float = 300.0
    #: Without new trouble after a relapse, until it counts as over.
    settle: float = 60.0
    #: Between two rounds of sharing out partitions among readers with the same store.
    balancing: float = 10.0
    #: After which a partition of a reader that was not heard of may be taken.
    ownership: float = 60.0
    #: For the requests before a client is started.
    look_up: float = 20.0
    #: Between attempts, doubling from the first to the last.
    first_pause: float = 1.0
    last_pause: float = 60.0
    #: Between two checkpoints of a partition, if as many audit events did not come before.
    checkpoint: float = 5.0
    checkpoint_events: int = 5000
    #: At most for the last checkpoints, and for the client, when the stream is closed.
    close: float = 5.0
