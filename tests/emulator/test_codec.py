"""AMQP's types, sections and frames, to octets and back."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from falcopy_sdk.testing.eventhubs.amqp import frames, message, performatives
from falcopy_sdk.testing.eventhubs.amqp.composite import read_one_of
from falcopy_sdk.testing.eventhubs.amqp.conditions import AmqpError, DecodeError
from falcopy_sdk.testing.eventhubs.amqp.decode import MAX_DEPTH, decode
from falcopy_sdk.testing.eventhubs.amqp.encode import encode
from falcopy_sdk.testing.eventhubs.amqp.performatives import PERFORMATIVES, Transfer
from falcopy_sdk.testing.eventhubs.amqp.types import (
    Array,
    Byte,
    Char,
    Decimal,
    Described,
    Float,
    Int,
    Short,
    SizedInt,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
)

SIZED: list[type[SizedInt]] = [UByte, UShort, UInt, ULong, Byte, Short, Int, Timestamp]
SCALARS: dict[type, st.SearchStrategy[Any]] = {
    **{kind: st.integers(kind.low, kind.high).map(kind) for kind in SIZED},
    int: st.integers(-(2**63), 2**63 - 1),
    bool: st.booleans(),
    float: st.floats(allow_nan=False),
    Float: st.floats(allow_nan=False, width=32).map(Float),
    str: st.text(max_size=300),
    Symbol: st.text(st.characters(max_codepoint=127), max_size=300).map(Symbol),
    Char: st.characters().map(Char),
    bytes: st.binary(max_size=300),
    type(None): st.none(),
}
DECIMALS = st.one_of(
    *(st.binary(min_size=width, max_size=width).map(Decimal) for width in (4, 8, 16))
)
ARRAYS = st.sampled_from(list(SCALARS)).flatmap(
    lambda kind: st.lists(SCALARS[kind], max_size=300 if kind is bool else 40).map(
        lambda items: Array(kind, tuple(items))
    )
)


def nest(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keys = st.one_of(SCALARS[str], SCALARS[Symbol], SCALARS[int])
    return st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(keys, inner, max_size=5),
        st.builds(Described, SCALARS[ULong], inner),
        st.lists(st.lists(inner, max_size=3), max_size=3).map(lambda i: Array(list, tuple(i))),
    )


VALUES = st.recursive(
    st.one_of(*SCALARS.values(), st.uuids(), DECIMALS, ARRAYS), nest, max_leaves=20
)


def same(left: object, right: object) -> bool:
    """Equal, and of the same types all the way down: an int is no UInt."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return same(list(left.items()), list(right.items()))
    if isinstance(left, tuple) and isinstance(right, tuple):
        return same(list(left), list(right))
    if isinstance(left, Array) and isinstance(right, Array):
        return left.element is right.element and same(left.items, right.items)
    if isinstance(left, Described) and isinstance(right, Described):
        return same(left.descriptor, right.descriptor) and same(left.value, right.value)
    return left == right


@given(VALUES)
@example(Array(Array, (Array(Symbol, (Symbol("a"),)), Array(int, ()))))
@example(Array(dict, ({"a": 1}, {})))
@example(Array(str, ("x",), Symbol("acme:text")))
@example(list(range(300)))
@example({str(number): "x" * number for number in range(200)})
def test_what_was_encoded_decodes_to_the_same(value: object) -> None:
    octets = encode(value)
    decoded, end = decode(octets)
    assert same(decoded, value)
    assert end == len(octets)


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        # Examples of the standard (types 1.1 to 1.6) and forms it calls the shortest.
        (None, "40"),
        (True, "41"),
        (UInt(0), "43"),
        (UInt(255), "52ff"),
        (UInt(256), "7000000100"),
        (ULong(0), "44"),
        (ULong(16), "5310"),
        (-1, "55ff"),
        (Int(-129), "71ffffff7f"),
        ("Hello Glorious Messaging World", "a11e" + b"Hello Glorious Messaging World".hex()),
        (Symbol("x"), "a30178"),
        (b"", "a000"),
        ([], "45"),
        (["a"], "c00401a10161"),
        ({}, "c10100"),
        (Timestamp(1), "830000000000000001"),
        (Described("URL", "http://example.org"), "00a10355524ca112" + b"http://example.org".hex()),
        (Array(Symbol, (Symbol("A"),)), "e00701b30000000141"),
        (Char("A"), "7300000041"),
    ],
)
def test_encodings_are_the_standards_own(value: object, octets: str) -> None:
    assert encode(value).hex() == octets


@settings(max_examples=500)
@given(st.binary(max_size=200))
@example(b"\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40")  # four thousand million nulls
@example(b"\xd0\x00\x00\x00\x04\xff\xff\xff\xff")
@example(b"\xa1\x02\xff\xfe")
@example(b"\x73\x00\x11\x00\x00")
@example(b"\xc1\x03\x02\x45\x40")  # a map with a list as its key
def test_any_octets_decode_to_a_value_or_a_decode_error(octets: bytes) -> None:
    with contextlib.suppress(DecodeError):
        _, end = decode(octets)
        assert 0 < end <= len(octets)


@given(VALUES, st.data())
def test_a_value_cut_short_is_a_decode_error(value: object, data: st.DataObject) -> None:
    octets = encode(value)
    cut = data.draw(st.integers(0, len(octets) - 1))
    with pytest.raises(DecodeError):
        decode(octets[:cut])


def test_values_nested_too_deep_are_a_decode_error() -> None:
    value: list[object] = []
    for _ in range(MAX_DEPTH + 1):
        value = [value]
    with pytest.raises(DecodeError, match="nested deeper"):
        decode(encode(value))


@pytest.mark.parametrize("value", [2**63, Array(str, ("a", b"b")), object(), Decimal(b"123")])
def test_what_amqp_cannot_say_is_not_encoded(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        encode(value)


def test_a_sized_integer_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="256 does not fit UByte"):
        UByte(256)


@pytest.mark.parametrize("kind", PERFORMATIVES)
def test_performatives_are_written_in_full_length(kind: type[Any]) -> None:
    samples = {
        "Open": ("me",),
        "Attach": ("link", 0, True),
        "Transfer": (0,),
        "Disposition": (True, 0),
        "Detach": (0,),
    }
    performative = kind(*samples.get(kind.__name__, ()))
    value, _ = decode(performative.encoded())
    assert len(value.value) == len(kind.layout)
    assert read_one_of(value, PERFORMATIVES) == performative


def test_performatives_are_read_in_any_length_and_by_symbolic_descriptor() -> None:
    short = Described(Symbol("amqp:open:list"), ["me"])
    assert read_one_of(short, PERFORMATIVES) == performatives.Open("me")


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (Described(ULong(0x10), []), "mandatory field container_id"),
        (Described(ULong(0x10), [UInt(1)]), "container_id: a str was expected, not UInt"),
        (Described(ULong(0x10), ["a"] + [None] * 10), "11 fields, 10 are known"),
        (Described(ULong(0x10), {}), "a list was expected"),
        (Described(ULong(0x99), []), "unexpected descriptor"),
        ([], "a described list was expected"),
        (Described(ULong(0x12), ["n", UInt(0), 1]), "receiver: a bool was expected, not int"),
    ],
)
def test_wrong_performatives_are_decode_errors(value: object, sentence: str) -> None:
    with pytest.raises(DecodeError, match=sentence):
        read_one_of(value, PERFORMATIVES)


@given(
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**32 - 1),
    st.one_of(st.none(), st.integers(0, 2**32 - 1)),
    st.binary(max_size=50),
    st.booleans(),
)
def test_the_fast_transfer_frame_is_what_the_codec_reads(
    channel: int, handle: int, delivery_id: int | None, payload: bytes, more: bool
) -> None:
    buffer = frames.FrameBuffer(1000)
    buffer.feed(frames.transfer_frame(channel, handle, delivery_id, payload, more=more))
    received = buffer.next_frame()
    assert received is not None
    value, at = decode(received.body)
    assert len(value.value) == 11
    tag = None if delivery_id is None else struct.pack(">I", delivery_id)
    message_format = None if delivery_id is None else 0
    assert read_one_of(value, (Transfer,)) == Transfer(
        handle, delivery_id, tag, message_format, settled=True, more=more
    )
    assert bytes(received.body[at:]) == payload
    assert received.channel == channel
    assert len(payload) + frames.TRANSFER_OVERHEAD >= at + len(payload)


@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(1, 20))
def test_frames_are_cut_from_any_pieces(payloads: list[bytes], size: int) -> None:
    octets = b"".join(
        frames.transfer_frame(3, 1, number, payload, more=False)
        for number, payload in enumerate(payloads)
    )
    buffer = frames.FrameBuffer(1000)
    bodies = []
    for start in range(0, len(octets), size):
        buffer.feed(octets[start : start + size])
        while (received := buffer.next_frame()) is not None:
            bodies.append(bytes(received.body[decode(received.body)[1] :]))
    assert bodies == payloads


@pytest.mark.parametrize(
    "header", ["00000007 02000000", "00010001 02000000", "00000010 01000000", "00000008 03000000"]
)
def test_sizes_that_make_no_sense_are_framing_errors(header: str) -> None:
    buffer = frames.FrameBuffer(65536)
    buffer.feed(bytes.fromhex(header))
    with pytest.raises(AmqpError) as raised:
        buffer.next_frame()
    assert raised.value.condition == "amqp:connection:framing-error"


def test_a_message_is_read_section_by_section() -> None:
    octets = (
        message.section(message.HEADER, [True])
        + message.encode_annotations(message.MESSAGE_ANNOTATIONS, [("x-opt-partition-key", "k")])
        + message.section(message.PROPERTIES, ["id", None, None, None, "reply"])
        + message.encode_bare(b"one", {"a": 1})
        + message.section(message.DATA, b"two")
    )
    parsed = message.parse(octets)
    assert parsed.annotations == {"x-opt-partition-key": "k"}
    assert (parsed.message_id, parsed.reply_to) == ("id", "reply")
    assert parsed.application_properties == {"a": 1}
    assert parsed.body == b"onetwo"
    assert octets.endswith(parsed.bare)
    assert parsed.bare.startswith(message.section(message.PROPERTIES, ["id"])[:3])


@settings(max_examples=300)
@given(st.binary(max_size=60).map(lambda tail: b"\x00\x53\x75" + tail))
def test_any_message_parses_or_is_a_decode_error(octets: bytes) -> None:
    with contextlib.suppress(DecodeError):
        assert octets.endswith(message.parse(octets).bare)
