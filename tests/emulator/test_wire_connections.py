"""What the emulator says on the wire, seen by a bare client: connections and authorization."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from falcopy_sdk.testing.eventhubs import Limits, run_in_thread
from falcopy_sdk.testing.eventhubs.amqp.frames import AMQP_HEADER, SASL_FRAME, SASL_HEADER, frame
from falcopy_sdk.testing.eventhubs.amqp.performatives import (
    Attach,
    Begin,
    Close,
    Detach,
    End,
    Flow,
    Open,
    Transfer,
)
from falcopy_sdk.testing.eventhubs.amqp.sasl import SaslInit, SaslMechanisms, SaslOutcome
from falcopy_sdk.testing.eventhubs.amqp.types import Symbol, Timestamp

if TYPE_CHECKING:
    from falcopy_sdk.testing.eventhubs import EmulatorThread
    from falcopy_sdk.testing.eventhubs.amqp.composite import Composite


def condition(performative: Any) -> str:
    assert performative.error is not None, performative
    return str(performative.error.condition)


def refused(client: Any) -> str:
    """Take an attach without the terminus that is not there, and the detach after it."""
    attach = client.expect(Attach)
    assert attach.source is None or attach.target is None
    detach = client.expect(Detach)
    assert detach.closed
    return condition(detach)


def test_the_open_tells_what_the_emulator_allows(wire: Any) -> None:
    with wire.connect() as client:
        opened = client.open()
        assert (opened.max_frame_size, opened.idle_time_out) == (65536, 240_000)
        client.send(Close())
        assert client.expect(Close).error is None
        client.wait_closed()


def test_a_header_of_another_protocol_is_answered_with_ours(wire: Any) -> None:
    with wire.connect() as client:
        client.raw(b"GET / HT")
        assert client.take(8) == AMQP_HEADER
        client.wait_closed()


def test_a_sasl_mechanism_that_proves_something_is_refused(wire: Any) -> None:
    with wire.connect() as client:
        client.raw(SASL_HEADER)
        client.take(8)
        client.receive(SaslMechanisms)
        client.raw(frame(0, SaslInit(Symbol("GSSAPI")), SASL_FRAME))
        assert client.receive(SaslOutcome).outcome == 1
        client.wait_closed()


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"\x00\x00\x00\x07\x02\x00\x00\x00", "amqp:connection:framing-error"),
        (b"\x7f\xff\xff\xff\x02\x00\x00\x00", "amqp:connection:framing-error"),
        (b"\x00\x00\x00\x0c\x09\x00\x00\x00\x00\x53\x10\x45", "amqp:connection:framing-error"),
        (b"\x00\x00\x00\x0c\x02\x01\x00\x00\x00\x53\x10\x45", "amqp:connection:framing-error"),
        (b"\x00\x00\x00\x0c\x02\x00\x00\x00\xff\xff\xff\xff", "amqp:decode-error"),
        (b"\x00\x00\x00\x0c\x02\x00\x00\x00\x00\x53\x99\x45", "amqp:decode-error"),
        (b"\x00\x00\x00\x0c\x02\x00\x00\x00\x00\x53\x12\x45", "amqp:decode-error"),
        (frame(0, Open("again")), "amqp:not-allowed"),
        (frame(300, Begin()), "amqp:not-allowed"),
        (frame(9, Flow(handle=1)), "amqp:not-allowed"),
    ],
)
def test_what_is_wrong_on_a_connection_closes_it_with_the_reason(
    wire: Any, octets: bytes, expected: str
) -> None:
    with wire.connect() as client:
        client.open()
        client.raw(octets)
        assert condition(client.expect(Close)) == expected
        client.send(Close())
        client.wait_closed()


def test_a_client_that_does_not_answer_a_close_is_reset(wire: Any) -> None:
    with wire.connect() as client:
        client.open()
        client.raw(b"\x00" * 8)
        client.expect(Close)
        client.wait_closed(3)


@pytest.mark.parametrize(
    ("performative", "expected"),
    [
        (Flow(handle=77), "amqp:session:unattached-handle"),
        (Transfer(77, 0, b"0"), "amqp:session:unattached-handle"),
    ],
)
def test_what_is_wrong_in_a_session_ends_it_with_the_reason(
    wire: Any, performative: Composite, expected: str
) -> None:
    with wire.connect() as client:
        client.open()
        client.begin()
        client.send(performative)
        assert condition(client.expect(End)) == expected
        # What was under way to the session that has ended is passed over; a new one can begin.
        client.send(Detach(0))
        client.begin()


def test_a_handle_in_use_ends_the_session(wire: Any) -> None:
    with wire.connect() as client:
        client.open()
        client.begin()
        client.attach(wire.sender("a", 0, "$cbs"))
        client.expect(Flow)
        client.send(wire.sender("b", 0, "$cbs"))
        assert condition(client.expect(End)) == "amqp:session:handle-in-use"


def test_heartbeats_come_at_half_the_time_the_client_allows(wire: Any) -> None:
    with wire.connect(idle_time_out=100) as client:
        client.open()
        began = time.monotonic()
        while client.beats < 4:
            client.socket.settimeout(2)
            client._fill()
            assert client.buffer.next_frame().body == b""
            client.beats += 1
        assert 0.1 < time.monotonic() - began < 1


def test_a_silent_client_is_disconnected_and_one_that_beats_is_not(wire: Any) -> None:
    with run_in_thread({"audit": 1}, limits=Limits(idle_timeout=0.5)) as emulator:
        wire = type(wire)(emulator)
        with wire.connect() as silent, wire.connect() as beating:
            assert silent.open().idle_time_out == 250
            beating.open()
            beating.socket.settimeout(0.1)
            until = time.monotonic() + 1.2
            while time.monotonic() < until:
                beating.raw(wire.EMPTY_FRAME)
                with pytest.raises(TimeoutError):
                    beating.receive()
            assert condition(silent.expect(Close)) == "amqp:resource-limit-exceeded"
            beating.socket.settimeout(5)
            beating.begin()


def put_token(wire: Any, token: object, **fields: object) -> Any:
    with wire.connect() as client:
        client.open()
        client.begin()
        request = {
            "operation": "put-token",
            "type": "servicebus.windows.net:sastoken",
            "name": f"sb://127.0.0.1:{wire.emulator.port}/shared",
            **fields,
        }
        answer = client.request("$cbs", token, request, 0).application_properties
        return answer["status-code"], answer["status-description"].partition(":")[0]


def test_tokens_are_judged_by_signature_time_and_resource(
    wire: Any, emulator: EmulatorThread
) -> None:
    def signed(path: str = "", seconds: int = 60) -> str:
        return emulator.call(lambda e: e.shared_access_signature(path, seconds))

    good = signed("shared")
    assert put_token(wire, good) == (202, "Accepted")
    assert put_token(wire, signed()) == (202, "Accepted")
    assert put_token(wire, good.replace("&skn=", "&skn=Other")) == (401, "InvalidSignature")
    assert put_token(wire, good.replace("shared", "shares")) == (401, "InvalidSignature")
    assert put_token(wire, signed("other")) == (401, "InvalidAudience")
    assert put_token(wire, signed("share")) == (401, "InvalidAudience")
    assert put_token(wire, signed(seconds=-1)) == (401, "ExpiredToken")
    assert put_token(wire, "hello") == (401, "MalformedToken")
    assert put_token(wire, "") == (400, "The token must be a non-empty string.")
    assert put_token(wire, good, operation="delete")[0] == 400
    assert put_token(wire, good, type="saml")[0] == 400
    expires = int(time.time()) + 60
    assert put_token(wire, "a.b.c", type="jwt", expiration=expires) == (202, "Accepted")
    assert put_token(wire, "a.b.c", type="jwt", expiration=1) == (401, "ExpiredToken")


def test_links_need_a_token_for_their_entity(wire: Any, hub: str, emulator: EmulatorThread) -> None:
    with wire.connect() as client:
        client.open()
        client.begin()
        client.send(wire.sender("p", 0, hub))
        assert refused(client) == "amqp:unauthorized-access"
        token = emulator.call(lambda e: e.shared_access_signature(f"{hub}/consumergroups/siem"))
        fields = {
            "operation": "put-token",
            "type": "servicebus.windows.net:sastoken",
            "name": f"sb://x/{hub}/ConsumerGroups/siem",
        }
        client.request("$cbs", token, fields, 10)
        client.send(wire.reader("d", 20, hub))
        assert refused(client) == "amqp:unauthorized-access"
        assert client.attach(wire.reader("s", 21, hub, group="siem")).source is not None


def test_links_end_when_their_token_expires(wire: Any, hub: str, emulator: EmulatorThread) -> None:
    with wire.authorized() as client:
        client.attach(wire.reader("r", 0, hub))
        emulator.call(lambda e: e.faults.expire_tokens())
        assert condition(client.expect(Detach)) == "amqp:unauthorized-access"


def test_a_token_is_forgotten_at_the_time_it_carries(wire: Any, hub: str) -> None:
    with wire.connect() as client:
        client.open()
        client.begin()
        fields = {
            "operation": "put-token",
            "type": "jwt",
            "name": f"sb://x/{hub}",
            "expiration": int(time.time()) + 1,
        }
        assert client.request("$cbs", "a.b.c", fields, 10).application_properties
        client.attach(wire.reader("r", 0, hub))
        assert condition(client.expect(Detach)) == "amqp:unauthorized-access"


def test_a_link_outlives_a_token_that_was_renewed(wire: Any, hub: str) -> None:
    with wire.connect() as client:
        client.open()
        client.begin()
        for handle, seconds in enumerate((1, 60)):
            fields = {
                "operation": "put-token",
                "type": "jwt",
                "name": f"sb://x/{hub}",
                "expiration": Timestamp(int(time.time() + seconds) * 1000),
            }
            client.request("$cbs", "a.b.c", fields, 10 + 2 * handle)
        client.attach(wire.reader("r", 0, hub))
        client.socket.settimeout(1.2)
        with pytest.raises(TimeoutError):
            client.receive()


def test_a_revoked_key_is_no_longer_good(wire: Any) -> None:
    with run_in_thread({"shared": 1}) as emulator:
        wire = type(wire)(emulator)
        old = emulator.call(lambda e: e.shared_access_signature())
        assert put_token(wire, old) == (202, "Accepted")
        emulator.call(lambda e: e.faults.revoke_key())
        assert put_token(wire, old) == (401, "InvalidSignature")
        new = emulator.call(lambda e: e.shared_access_signature())
        assert put_token(wire, new) == (202, "Accepted")


def test_tokens_are_rejected_so_many_times(wire: Any, emulator: EmulatorThread) -> None:
    emulator.call(lambda e: e.faults.reject_tokens(503, "Busy: try later", times=1))
    token = emulator.call(lambda e: e.shared_access_signature())
    assert put_token(wire, token) == (503, "Busy")
    assert put_token(wire, token) == (202, "Accepted")
