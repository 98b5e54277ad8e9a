"""The message format: sections, batches, and the messages of ``$cbs`` and ``$management``.

Sections are those of messaging 3.2. A batch (message-format 0x80013700, Azure's AMQP protocol
guide) is a message each data section of which holds one encoded message.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .conditions import DecodeError
from .decode import decode
from .encode import encode
from .types import Described, Int, Symbol, ULong

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BATCH_FORMAT = 0x80013700

HEADER = 0x70
DELIVERY_ANNOTATIONS = 0x71
MESSAGE_ANNOTATIONS = 0x72
PROPERTIES = 0x73
APPLICATION_PROPERTIES = 0x74
DATA = 0x75
SEQUENCE = 0x76
VALUE = 0x77
FOOTER = 0x78

_SECTIONS: dict[object, int] = {
    name: HEADER + index
    for index, name in enumerate(
        (
            *("amqp:header:list", "amqp:delivery-annotations:map", "amqp:message-annotations:map"),
            *("amqp:properties:list", "amqp:application-properties:map", "amqp:data:binary"),
            *("amqp:amqp-sequence:list", "amqp:amqp-value:*", "amqp:footer:map"),
        )
    )
} | {code: code for code in range(HEADER, FOOTER + 1)}
_TYPES: dict[int, type] = {
    **dict.fromkeys((HEADER, PROPERTIES, SEQUENCE), list),
    **dict.fromkeys(
        (DELIVERY_ANNOTATIONS, MESSAGE_ANNOTATIONS, APPLICATION_PROPERTIES, FOOTER), dict
    ),
    DATA: bytes,
    VALUE: object,
}
_MESSAGE_ID, _REPLY_TO, _CORRELATION_ID = 0, 4, 5


def section(code: int, value: object) -> bytes:
    """Encode one section."""
    return encode(Described(ULong(code), value))


@dataclass(slots=True)
class Message:
    """A message, read as far as the emulator has use for it.

    Attributes:
        annotations: The message annotations (messaging 3.2.3).
        properties: The properties by position (messaging 3.2.4).
        application_properties: The application's map (messaging 3.2.5).
        data: The data sections, one item each (messaging 3.2.6).
        value: The value of an amqp-value section (messaging 3.2.8).
        bare: The octets of everything from the properties on: what the sender's application wrote
            and no one may change (messaging 3.2).
    """

    annotations: dict[Any, Any] = field(default_factory=dict)
    properties: list[Any] = field(default_factory=list)
    application_properties: dict[Any, Any] = field(default_factory=dict)
    data: list[bytes] = field(default_factory=list)
    value: Any = None
    bare: bytes = b""

    def _property(self, index: int) -> Any:
        return self.properties[index] if index < len(self.properties) else None

    @property
    def message_id(self) -> Any:
        """The message's id, a ulong, uuid, binary or string, or None."""
        return self._property(_MESSAGE_ID)

    @property
    def reply_to(self) -> Any:
        """The address for replies, or None."""
        return self._property(_REPLY_TO)

    @property
    def body(self) -> bytes:
        """The octets of all data sections, joined."""
        return b"".join(self.data)


def parse(octets: bytes) -> Message:
    """Read a message.

    Raises:
        DecodeError: When the octets are no sequence of sections.
    """
    message = Message()
    at = 0
    bare_from = None
    while at < len(octets):
        start = at
        described, at = decode(octets, at)
        code = _SECTIONS.get(described.descriptor) if isinstance(described, Described) else None
        if code is None:
            raise DecodeError(f"no message section at octet {start}")
        value: Any = described.value
        if not isinstance(described.value, _TYPES[code]):
            raise DecodeError(f"message section 0x{code:02x} holds a {type(value).__name__}")
        if code >= PROPERTIES and bare_from is None:
            bare_from = start
        if code == DATA:
            message.data.append(value)
        elif code == PROPERTIES:
            message.properties = value
        elif code == MESSAGE_ANNOTATIONS:
            message.annotations = value
        elif code == APPLICATION_PROPERTIES:
            message.application_properties = value
        elif code == VALUE:
            message.value = value
    if bare_from is not None:
        message.bare = octets[bare_from:]
    return message


def encode_bare(body: bytes, application_properties: Mapping[str, object] | None = None) -> bytes:
    """Encode a message with one data section, as a producer's application writes it."""
    head = b""
    if application_properties:
        head = section(APPLICATION_PROPERTIES, dict(application_properties))
    return head + section(DATA, body)


def encode_annotations(code: int, items: Iterable[tuple[str, object]]) -> bytes:
    """Encode a section of annotations, the keys of which are symbols (messaging 3.2.10)."""
    return section(code, {Symbol(key): value for key, value in items})


def encode_response(
    request: Message, status: int, description: str, body: object = None, condition: str = ""
) -> bytes:
    """Encode the answer to a request on ``$cbs`` or ``$management``.

    Its correlation-id is the request's message-id (AMQP Management 1.0 WD 9, 3.2), the names of the
    status are those of Azure's AMQP protocol guide.
    """
    properties: list[object] = [None] * (_CORRELATION_ID + 1)
    properties[_CORRELATION_ID] = request.message_id
    # The Azure client reads all thirteen properties by position.
    properties += [None] * (13 - len(properties))
    fields: dict[str, object] = {"status-code": Int(status), "status-description": description}
    if condition:
        fields["error-condition"] = Symbol(condition)
    return (
        section(PROPERTIES, properties)
        + section(APPLICATION_PROPERTIES, fields)
        + section(VALUE, body)
    )
