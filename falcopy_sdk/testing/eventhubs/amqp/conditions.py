"""Error conditions and the one exception by which the emulator refuses something on the wire.

Conditions are those of AMQP 1.0 (transport 2.8.15 to 2.8.18) and the ``com.microsoft:`` ones that
the Azure clients know (Azure's "AMQP errors" page).
"""

from __future__ import annotations

INTERNAL_ERROR = "amqp:internal-error"
NOT_FOUND = "amqp:not-found"
UNAUTHORIZED_ACCESS = "amqp:unauthorized-access"
DECODE_ERROR = "amqp:decode-error"
RESOURCE_LIMIT_EXCEEDED = "amqp:resource-limit-exceeded"
NOT_ALLOWED = "amqp:not-allowed"
INVALID_FIELD = "amqp:invalid-field"
NOT_IMPLEMENTED = "amqp:not-implemented"
CONNECTION_FORCED = "amqp:connection:forced"
FRAMING_ERROR = "amqp:connection:framing-error"
HANDLE_IN_USE = "amqp:session:handle-in-use"
UNATTACHED_HANDLE = "amqp:session:unattached-handle"
DETACH_FORCED = "amqp:link:detach-forced"
LINK_STOLEN = "amqp:link:stolen"
TRANSFER_LIMIT_EXCEEDED = "amqp:link:transfer-limit-exceeded"
MESSAGE_SIZE_EXCEEDED = "amqp:link:message-size-exceeded"
SERVER_BUSY = "com.microsoft:server-busy"


class AmqpError(Exception):
    """Something the peer must be told: it ends the link, session or connection it happened in.

    It never leaves the emulator; the peer sees its condition and description in a detach, end
    or close (transport 2.8.14).

    Args:
        condition: The error condition, a symbol such as ``amqp:not-found``.
        description: The sentence for the peer.
    """

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(f"{condition}: {description}")
        self.condition = condition
        self.description = description


class DecodeError(AmqpError):
    """Bytes that are no AMQP 1.0 encoding (``amqp:decode-error``, transport 2.8.15)."""

    def __init__(self, description: str) -> None:
        super().__init__(DECODE_ERROR, description)
