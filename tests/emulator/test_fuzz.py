"""Whatever a client sends, the emulator goes on serving the others."""

from __future__ import annotations

import contextlib
from socket import SHUT_WR
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from falcopy_sdk.testing.eventhubs.amqp.encode import encode
from falcopy_sdk.testing.eventhubs.amqp.types import Described, Symbol, UInt, ULong

FIELDS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(0, 3).map(UInt),
    st.integers(0, 2**32 - 1).map(UInt),
    st.sampled_from(["$cbs", "$management", "shared", "shared/Partitions/0", "x"]),
    st.sampled_from(["accepted", "com.microsoft:epoch"]).map(Symbol),
    st.binary(max_size=8),
    st.dictionaries(
        st.sampled_from([Symbol("com.microsoft:epoch"), "name"]), st.integers(-9, 9), max_size=2
    ),
    st.builds(
        Described,
        st.sampled_from([0x1D, 0x24, 0x28, 0x29, 0x30]).map(ULong),
        st.lists(st.one_of(st.none(), st.sampled_from(["$cbs", "shared", "x"])), max_size=3),
    ),
)
PERFORMATIVES = st.builds(
    Described, st.integers(0x10, 0x18).map(ULong), st.lists(FIELDS, max_size=14)
).map(encode)
FRAMES = st.tuples(st.integers(0, 2), st.one_of(PERFORMATIVES, st.binary(max_size=40))).map(
    lambda pair: (
        (8 + len(pair[1])).to_bytes(4, "big") + b"\x02\x00" + pair[0].to_bytes(2, "big") + pair[1]
    )
)
LIVE = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def drain(client: Any) -> None:
    """Say that nothing more comes, and wait until the emulator has closed the connection."""
    client.socket.settimeout(2)
    with contextlib.suppress(OSError):  # the emulator may have ended the connection already
        client.socket.shutdown(SHUT_WR)
    client.wait_closed()


def serves(wire: Any) -> None:
    with wire.connect() as client:
        client.open()
        client.begin()
    assert wire.emulator.call(lambda e: e.witness.internal_errors) == []


@LIVE
@given(octets=st.binary(max_size=100))
def test_octets_in_place_of_the_header(wire: Any, octets: bytes) -> None:
    with wire.connect() as client:
        client.raw(octets)
        drain(client)
    serves(wire)


@LIVE
@given(octets=st.lists(FRAMES, max_size=6).map(b"".join))
def test_frames_in_place_of_the_open(wire: Any, octets: bytes) -> None:
    with wire.connect() as client:
        client.sasl()
        client.raw(b"AMQP\x00\x01\x00\x00" + octets)
        drain(client)
    serves(wire)


@LIVE
@given(frames=st.lists(FRAMES, max_size=6))
def test_frames_in_a_session_with_links(wire: Any, frames: list[bytes]) -> None:
    with wire.authorized() as client:
        client.attach(wire.reader("r", 0, "shared"))
        client.send(wire.flow(0, 5))
        client.attach(wire.sender("p", 1, "shared"))
        with contextlib.suppress(ConnectionError):
            for octets in frames:
                client.raw(octets)
        drain(client)
    serves(wire)


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_a_client_that_vanishes_in_the_middle_of_a_frame(wire: Any, cut: int) -> None:
    with wire.connect() as client:
        client.open()
        client.raw((b"\x00\x00\x00\xff\x02\x00\x00\x00" + bytes(60))[:cut])
    serves(wire)
    wire.emulator.wait_until(lambda e: not e.witness.connections)
