"""The SASL layer: a handshake before AMQP that always lets the client in (security 5.3).

Event Hubs clients prove nothing here; they say ANONYMOUS (or MSSBCBS, Azure's name for the same)
and put tokens to ``$cbs`` later ("AMQP 1.0 in Azure Service Bus and Event Hubs protocol guide").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .composite import SYMBOLS, Composite, Slot, primitive, read_one_of, slots
from .conditions import FRAMING_ERROR, AmqpError
from .decode import decode
from .frames import SASL_FRAME, Frame, frame
from .types import Symbol, UByte

MECHANISMS = ("ANONYMOUS", "MSSBCBS")
_OK, _AUTH = 0, 1


@dataclass(slots=True)
class SaslMechanisms(Composite):
    """Tell the mechanisms there are (security 5.3.3.1)."""

    code, symbol = 0x40, "amqp:sasl-mechanisms:list"
    layout: ClassVar[tuple[Slot, ...]] = slots(SYMBOLS.must())
    mechanisms: tuple[str, ...]


@dataclass(slots=True)
class SaslInit(Composite):
    """Choose a mechanism (security 5.3.3.2)."""

    code, symbol = 0x41, "amqp:sasl-init:list"
    layout: ClassVar[tuple[Slot, ...]] = slots(
        primitive(Symbol).must(), primitive(bytes), primitive(str)
    )
    mechanism: str
    initial_response: bytes | None = None
    hostname: str | None = None


@dataclass(slots=True)
class SaslOutcome(Composite):
    """Tell how the exchange ended (security 5.3.3.6)."""

    code, symbol = 0x44, "amqp:sasl-outcome:list"
    layout: ClassVar[tuple[Slot, ...]] = slots(primitive(UByte).must(), primitive(bytes))
    outcome: int
    additional_data: bytes | None = None


def offer() -> bytes:
    """Return the frame that tells the mechanisms."""
    return frame(0, SaslMechanisms(MECHANISMS), SASL_FRAME)


def answer(received: Frame) -> tuple[bytes, bool]:
    """Answer the client's choice.

    Args:
        received: The frame that came after the offer.

    Returns:
        The frame to send, and whether the client may go on to AMQP.

    Raises:
        AmqpError: When the frame is no sasl-init.
    """
    if received.type != SASL_FRAME:
        raise AmqpError(FRAMING_ERROR, f"a frame of type {received.type} before SASL has ended")
    value, _ = decode(received.body)
    chosen = read_one_of(value, (SaslInit,))
    accepted = chosen.mechanism in MECHANISMS
    return frame(0, SaslOutcome(_OK if accepted else _AUTH), SASL_FRAME), accepted
