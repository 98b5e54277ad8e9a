"""The performatives of AMQP 1.0 and what they carry (transport 2.7 and 2.8, messaging 3.4, 3.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from .composite import ANYTHING, SYMBOLS, Composite, Slot, composite, primitive, read_one_of, slots
from .types import Described, Symbol, UByte, UInt, ULong, UShort

_BOOL, _STR, _BYTES = primitive(bool), primitive(str), primitive(bytes)
_UBYTE, _USHORT, _UINT, _ULONG = map(primitive, (UByte, UShort, UInt, ULong))
_SYMBOL, _MAP = primitive(Symbol), primitive(dict)

Layout = tuple[Slot, ...]


@dataclass(slots=True)
class Error(Composite):
    """Details of an error (transport 2.8.14)."""

    code, symbol = 0x1D, "amqp:error:list"
    layout: ClassVar[Layout] = slots(_SYMBOL.must(), _STR, _MAP)
    condition: str
    description: str | None = None
    info: dict[Any, Any] | None = None


@dataclass(slots=True)
class Received(Composite):
    """Partial progress of a delivery (messaging 3.4.1)."""

    code, symbol = 0x23, "amqp:received:list"
    layout: ClassVar[Layout] = slots(_UINT.must(), _ULONG.must())
    section_number: int
    section_offset: int


@dataclass(slots=True)
class Accepted(Composite):
    """The outcome of a delivery that was taken (messaging 3.4.2)."""

    code, symbol = 0x24, "amqp:accepted:list"
    layout: ClassVar[Layout] = slots()


@dataclass(slots=True)
class Rejected(Composite):
    """The outcome of a delivery that was refused (messaging 3.4.3)."""

    code, symbol = 0x25, "amqp:rejected:list"
    layout: ClassVar[Layout] = slots(composite(Error))
    error: Error | None = None


@dataclass(slots=True)
class Released(Composite):
    """The outcome of a delivery that was not processed (messaging 3.4.4)."""

    code, symbol = 0x26, "amqp:released:list"
    layout: ClassVar[Layout] = slots()


@dataclass(slots=True)
class Modified(Composite):
    """The outcome of a delivery that was not processed, with changes (messaging 3.4.5)."""

    code, symbol = 0x27, "amqp:modified:list"
    layout: ClassVar[Layout] = slots(_BOOL, _BOOL, _MAP)
    delivery_failed: bool | None = None
    undeliverable_here: bool | None = None
    message_annotations: dict[Any, Any] | None = None


_STATE = composite(Received, Accepted, Rejected, Released, Modified)


@dataclass(slots=True)
class Source(Composite):
    """Where a link's messages come from (messaging 3.5.3)."""

    code, symbol = 0x28, "amqp:source:list"
    layout: ClassVar[Layout] = slots(
        ANYTHING, _UINT, _SYMBOL, _UINT, _BOOL, _MAP, _SYMBOL, _MAP, ANYTHING, SYMBOLS, SYMBOLS
    )
    address: Any = None
    durable: int | None = None
    expiry_policy: str | None = None
    timeout: int | None = None
    dynamic: bool | None = None
    dynamic_node_properties: dict[Any, Any] | None = None
    distribution_mode: str | None = None
    filter: dict[Any, Any] | None = None
    default_outcome: Any = None
    outcomes: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()


@dataclass(slots=True)
class Target(Composite):
    """Where a link's messages go (messaging 3.5.4)."""

    code, symbol = 0x29, "amqp:target:list"
    layout: ClassVar[Layout] = slots(ANYTHING, _UINT, _SYMBOL, _UINT, _BOOL, _MAP, SYMBOLS)
    address: Any = None
    durable: int | None = None
    expiry_policy: str | None = None
    timeout: int | None = None
    dynamic: bool | None = None
    dynamic_node_properties: dict[Any, Any] | None = None
    capabilities: tuple[str, ...] = ()


def _read_target(value: object) -> Target | Described:
    if isinstance(value, Described) and value.descriptor not in (Target.code, Target.symbol):
        return value
    return read_one_of(value, (Target,))


def _write_target(value: Target | Described) -> Described:
    return value if isinstance(value, Described) else value.described()


_TARGET = Slot(_read_target, _write_target)


@dataclass(slots=True)
class Open(Composite):
    """Negotiate connection parameters (transport 2.7.1)."""

    code, symbol = 0x10, "amqp:open:list"
    layout: ClassVar[Layout] = slots(
        _STR.must(), _STR, _UINT, _USHORT, _UINT, SYMBOLS, SYMBOLS, SYMBOLS, SYMBOLS, _MAP
    )
    container_id: str
    hostname: str | None = None
    max_frame_size: int = 2**32 - 1
    channel_max: int = 2**16 - 1
    idle_time_out: int | None = None
    outgoing_locales: tuple[str, ...] = ()
    incoming_locales: tuple[str, ...] = ()
    offered_capabilities: tuple[str, ...] = ()
    desired_capabilities: tuple[str, ...] = ()
    properties: dict[Any, Any] | None = None


@dataclass(slots=True)
class Begin(Composite):
    """Begin a session on a channel (transport 2.7.2)."""

    code, symbol = 0x11, "amqp:begin:list"
    layout: ClassVar[Layout] = slots(
        _USHORT, _UINT.must(), _UINT.must(), _UINT.must(), _UINT, SYMBOLS, SYMBOLS, _MAP
    )
    remote_channel: int | None = None
    next_outgoing_id: int = 0
    incoming_window: int = 0
    outgoing_window: int = 0
    handle_max: int = 2**32 - 1
    offered_capabilities: tuple[str, ...] = ()
    desired_capabilities: tuple[str, ...] = ()
    properties: dict[Any, Any] | None = None


@dataclass(slots=True)
class Attach(Composite):
    """Attach a link to a session (transport 2.7.3)."""

    code, symbol = 0x12, "amqp:attach:list"
    layout: ClassVar[Layout] = slots(
        _STR.must(),
        _UINT.must(),
        _BOOL.must(),
        _UBYTE,
        _UBYTE,
        composite(Source),
        _TARGET,
        _MAP,
        _BOOL,
        _UINT,
        _ULONG,
        SYMBOLS,
        SYMBOLS,
        _MAP,
    )
    name: str
    handle: int
    receiver: bool
    """The field ``role``: True when the one who sends this frame receives the messages."""
    snd_settle_mode: int = 2
    rcv_settle_mode: int = 0
    source: Source | None = None
    target: Target | Described | None = None
    """A `Target`, or the described list of a coordinator (transactions 4.5.1)."""
    unsettled: dict[Any, Any] | None = None
    incomplete_unsettled: bool | None = None
    initial_delivery_count: int | None = None
    max_message_size: int | None = None
    offered_capabilities: tuple[str, ...] = ()
    desired_capabilities: tuple[str, ...] = ()
    properties: dict[Any, Any] | None = None


@dataclass(slots=True)
class Flow(Composite):
    """Update windows and credit (transport 2.7.4)."""

    code, symbol = 0x13, "amqp:flow:list"
    layout: ClassVar[Layout] = slots(
        _UINT,
        _UINT.must(),
        _UINT.must(),
        _UINT.must(),
        _UINT,
        _UINT,
        _UINT,
        _UINT,
        _BOOL,
        _BOOL,
        _MAP,
    )
    next_incoming_id: int | None = None
    incoming_window: int = 0
    next_outgoing_id: int = 0
    outgoing_window: int = 0
    handle: int | None = None
    delivery_count: int | None = None
    link_credit: int | None = None
    available: int | None = None
    drain: bool = False
    echo: bool = False
    properties: dict[Any, Any] | None = None


@dataclass(slots=True)
class Transfer(Composite):
    """Transfer a message, or a part of one (transport 2.7.5)."""

    code, symbol = 0x14, "amqp:transfer:list"
    layout: ClassVar[Layout] = slots(
        _UINT.must(), _UINT, _BYTES, _UINT, _BOOL, _BOOL, _UBYTE, _STATE, _BOOL, _BOOL, _BOOL
    )
    handle: int
    delivery_id: int | None = None
    delivery_tag: bytes | None = None
    message_format: int | None = None
    settled: bool | None = None
    more: bool = False
    rcv_settle_mode: int | None = None
    state: Composite | None = None
    resume: bool = False
    aborted: bool = False
    batchable: bool = False


@dataclass(slots=True)
class Disposition(Composite):
    """Tell the state of deliveries (transport 2.7.6)."""

    code, symbol = 0x15, "amqp:disposition:list"
    layout: ClassVar[Layout] = slots(_BOOL.must(), _UINT.must(), _UINT, _BOOL, _STATE, _BOOL)
    receiver: bool
    """The field ``role``: True when the receiver of the messages sends this frame."""
    first: int
    last: int | None = None
    settled: bool = False
    state: Composite | None = None
    batchable: bool = False


@dataclass(slots=True)
class Detach(Composite):
    """Detach a link (transport 2.7.7)."""

    code, symbol = 0x16, "amqp:detach:list"
    layout: ClassVar[Layout] = slots(_UINT.must(), _BOOL, composite(Error))
    handle: int
    closed: bool = False
    error: Error | None = None


@dataclass(slots=True)
class End(Composite):
    """End a session (transport 2.7.8)."""

    code, symbol = 0x17, "amqp:end:list"
    layout: ClassVar[Layout] = slots(composite(Error))
    error: Error | None = None


@dataclass(slots=True)
class Close(Composite):
    """Close the connection (transport 2.7.9)."""

    code, symbol = 0x18, "amqp:close:list"
    layout: ClassVar[Layout] = slots(composite(Error))
    error: Error | None = None


PERFORMATIVES = (Open, Begin, Attach, Flow, Transfer, Disposition, Detach, End, Close)
