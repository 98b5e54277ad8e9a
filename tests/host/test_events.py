"""Events as bytes: our encoding, and what is refused as an event."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcopy_sdk.exceptions import ContractError
from falcopy_sdk.host import encode_async_event, encode_plugin_event, foreign_event, split_requests


def test_a_plugin_event_has_the_bytes_of_the_event_table() -> None:
    # PPME_PLUGINEVENT_E with plugin id 999 and the payload "hello", little-endian.
    expected = (
        "ffffffffffffffff ffffffffffffffff 2b000000 4201 02000000 04000000 05000000 e7030000"
        "68656c6c6f"
    )
    assert encode_plugin_event(b"hello", plugin_id=999) == bytes.fromhex(expected)


def test_an_async_event_has_the_bytes_of_the_event_table() -> None:
    raw = encode_async_event("tick", b"hi", ts=1)
    assert len(raw) == 49
    assert raw[:8] == b"\x01" + bytes(7)
    assert raw[30:38] == b"\x05\0\0\0\x02\0\0\0"
    assert raw[42:] == b"tick\0hi"


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_what_is_encoded_is_read_back(data: bytes, plugin_id: int, ts: int) -> None:
    event = foreign_event(encode_plugin_event(data, plugin_id=plugin_id, ts=ts))
    assert (event.data, event.plugin_id, event.ts, event.type) == (data, plugin_id, ts, 322)
    tick = foreign_event(encode_async_event("tick", data, plugin_id=plugin_id, ts=ts))
    assert (tick.name, tick.data, tick.plugin_id, tick.ts) == ("tick", data, plugin_id, ts)


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_refused_or_readable(raw: bytes) -> None:
    try:
        event = foreign_event(raw)
    except ContractError:
        return
    assert event.raw == raw


@given(st.integers(0, 42), st.integers(0, 255))
def test_a_damaged_header_is_refused_or_readable(at: int, value: int) -> None:
    raw = bytearray(encode_async_event("tick", b"hi"))
    raw[at] = value
    try:
        event = foreign_event(bytes(raw))
    except ContractError:
        return
    assert len(event.raw) == len(raw)
    assert len(event.data) <= len(raw)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a,b[x]", ["a", "b[x]"]),
        ("a.b , c.d", ["a.b", "c.d"]),
        ("a[x,y],b", ["a[x,y]", "b"]),
        ("""a["x],y"],b['"']""", ["""a["x],y"]""", """b['"']"""]),
        ("", []),
        ("a[,b", ["a[", "b"]),
    ],
)
def test_a_list_of_fields_is_split_outside_of_arguments(text: str, parts: list[str]) -> None:
    assert split_requests(text) == parts
