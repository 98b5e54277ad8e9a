"""An embedded emulator of Azure Event Hubs, for tests and demonstrations.

It speaks AMQP 1.0 on loopback, so that the unmodified Azure clients work: producers, consumers,
consumer groups, epochs, management and authorization. It can be run in an event loop
(`Emulator`), in a thread (`run_in_thread`) or as a program (``python -m
falcopy_sdk.testing.eventhubs``), go wrong on demand (`Faults`) and tell what it saw (`Witness`).

Events live in memory and end with it. TLS and web sockets are there when asked for; Kafka,
transactions, schema registry and geo-replication are not.
"""

from .amqp import conditions
from .faults import Faults
from .rules import Rule, TokenRule
from .server import Emulator
from .service import Limits
from .store import Hub, Partition, StoredEvent
from .thread import EmulatorThread, run_in_thread
from .witness import LinkRecord, TokenRecord, Witness

__all__ = [
    "Emulator",
    "EmulatorThread",
    "Faults",
    "Hub",
    "Limits",
    "LinkRecord",
    "Partition",
    "Rule",
    "StoredEvent",
    "TokenRecord",
    "TokenRule",
    "Witness",
    "conditions",
    "run_in_thread",
]
