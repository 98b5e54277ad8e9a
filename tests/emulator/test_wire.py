"""What the emulator says on the wire, seen by a bare client."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from falcopy_sdk.testing.eventhubs import Limits, conditions, run_in_thread
from falcopy_sdk.testing.eventhubs.amqp import message
from falcopy_sdk.testing.eventhubs.amqp.frames import AMQP_HEADER, SASL_FRAME, SASL_HEADER, frame
from falcopy_sdk.testing.eventhubs.amqp.performatives import (
    Accepted,
    Attach,
    Begin,
    Close,
    Detach,
    Disposition,
    End,
    Flow,
    Open,
    Rejected,
    Source,
    Target,
    Transfer,
)
from falcopy_sdk.testing.eventhubs.amqp.sasl import SaslInit, SaslMechanisms, SaslOutcome
from falcopy_sdk.testing.eventhubs.amqp.types import Array, Described, Symbol, Timestamp, ULong

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


# Connections.


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


# Authorization.


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


# Entities.


def test_entities_that_are_missing_are_refused(wire: Any, hub: str) -> None:
    with wire.authorized() as client:
        for handle, attach in enumerate(
            [
                wire.sender("a", 0, "no-such-hub"),
                wire.reader("b", 1, "no-such-hub"),
                wire.reader("c", 2, hub, group="no-such-group"),
                wire.sender("d", 3, f"{hub}/surprise"),
                wire.reader("e", 4, f"{hub}/surprise"),
            ]
        ):
            assert attach.handle == handle
            client.send(attach)
            assert refused(client) == "amqp:not-found"
        client.send(wire.reader("f", 5, hub, "7"))
        assert refused(client) == "com.microsoft:argument-out-of-range"
        client.send(wire.sender("g", 6, f"{hub}/Partitions/7"))
        assert refused(client) == "com.microsoft:argument-out-of-range"
        nowhere = Attach("h", 7, receiver=True, source=Source(None), target=Target("h"))
        client.send(nowhere)
        assert refused(client) == "amqp:invalid-field"
        coordinator = Described(ULong(0x30), [Array(Symbol, (Symbol("amqp:local-transactions"),))])
        client.send(Attach("i", 8, receiver=False, source=Source("i"), target=coordinator))
        assert refused(client) == "amqp:not-implemented"


def test_a_missing_group_can_be_detached_after_a_whole_attach(wire: Any) -> None:
    with run_in_thread({"audit": 1}, limits=Limits(missing_group="detach")) as emulator:
        wire = type(wire)(emulator)
        with wire.authorized() as client:
            assert client.attach(wire.reader("r", 0, "audit", group="none")).source is not None
            assert condition(client.expect(Detach)) == "amqp:not-found"


def test_management_describes_hubs_and_partitions(
    wire: Any, hub: str, emulator: EmulatorThread
) -> None:
    emulator.call(lambda e: e.append(hub, b"a", b"b", partition="1", enqueued_time=1_700_000_000))
    with wire.authorized() as client:
        fields = {"operation": "READ", "name": hub.upper()}
        about = {"type": "com.microsoft:eventhub", **fields}
        answer = client.request("$management", None, about, 0)
        assert answer.application_properties["status-code"] == 200
        assert answer.value["name"] == hub
        assert answer.value["partition_ids"] == Array(str, ("0", "1"))
        about = {"type": "com.microsoft:partition", "partition": "1", **fields}
        described = client.request("$management", None, about, 10).value
        assert described["begin_sequence_number"] == 0
        assert described["last_enqueued_sequence_number"] == 1
        assert described["last_enqueued_time_utc"] == 1_700_000_000_000
        assert int(described["last_enqueued_offset"]) > 0
        assert described["is_partition_empty"] is False
        for handle, (wrong, status) in enumerate(
            [
                ({**about, "name": "none"}, 404),
                ({**about, "partition": "9"}, 400),
                ({**about, "operation": "DELETE"}, 501),
            ]
        ):
            answer = client.request("$management", None, wrong, 20 + 2 * handle)
            assert answer.application_properties["status-code"] == status


def test_management_needs_a_token_too(wire: Any, hub: str) -> None:
    with wire.connect() as client:
        client.open()
        client.begin()
        about = {"operation": "READ", "type": "com.microsoft:eventhub", "name": hub}
        answer = client.request("$management", None, about, 0)
        assert answer.application_properties["status-code"] == 401


# Publishing.


def test_an_event_is_stored_with_what_the_producer_wrote(
    wire: Any, hub: str, emulator: EmulatorThread
) -> None:
    octets = message.encode_annotations(
        message.MESSAGE_ANNOTATIONS, [("x-opt-partition-key", "k"), ("mine", 1)]
    ) + message.encode_bare(b"body", {"a": "b"})
    with wire.authorized() as client:
        client.attach(wire.sender("p", 0, f"{hub}/Partitions/1"))
        assert client.expect(Flow).link_credit == 1000
        client.send(Transfer(0, 0, b"t", 0), octets)
        outcome = client.expect(Disposition)
        assert (outcome.first, outcome.settled, outcome.state) == (0, True, Accepted())
    (event,) = emulator.call(lambda e: e.partition(hub, "1").events)
    assert (event.body, event.partition_key) == (b"body", "k")
    assert event.application_properties == {"a": "b"}
    assert abs(event.enqueued_time / 1000 - time.time()) < 60
    assert message.parse(event.annotations).annotations == {
        "x-opt-partition-key": "k",
        "mine": 1,
        "x-opt-sequence-number": 0,
        "x-opt-offset": "0",
        "x-opt-enqueued-time": event.enqueued_time,
    }


def test_a_message_in_many_frames_is_put_together_and_an_aborted_one_dropped(
    wire: Any, hub: str, emulator: EmulatorThread
) -> None:
    octets = message.encode_bare(bytes(range(256)) * 10)
    with wire.authorized() as client:
        client.attach(wire.sender("p", 0, f"{hub}/Partitions/0"))
        client.expect(Flow)
        client.send(Transfer(0, 0, b"0", 0, more=True), b"lost")
        client.send(Transfer(0, aborted=True))
        for start in range(0, len(octets), 100):
            first = (1, b"1", 0) if start == 0 else (None, None, None)
            last = start + 100 >= len(octets)
            client.send(Transfer(0, *first, more=not last), octets[start : start + 100])
        assert client.expect(Disposition).first == 1
    (event,) = emulator.call(lambda e: e.partition(hub, "0").events)
    assert event.body == bytes(range(256)) * 10


def test_a_batch_becomes_events_of_one_partition(
    wire: Any, hub: str, emulator: EmulatorThread
) -> None:
    inner = [message.encode_bare(b"%d" % number) for number in range(3)]
    octets = message.encode_annotations(
        message.MESSAGE_ANNOTATIONS, [("x-opt-partition-key", "k")]
    ) + b"".join(message.section(message.DATA, item) for item in inner)
    with wire.authorized() as client:
        client.attach(wire.sender("p", 0, hub))
        client.expect(Flow)
        for delivery in range(2):
            client.send(Transfer(0, delivery, b"t", message.BATCH_FORMAT), octets)
            client.expect(Disposition)
    logs = emulator.call(lambda e: [p.events for p in e.hub(hub).partitions.values()])
    stored = max(logs, key=len)
    assert [event.body for event in stored] == [b"0", b"1", b"2"] * 2
    assert {event.partition_key for event in stored} == {"k"}
    assert min(map(len, logs)) == 0


def test_a_message_that_is_too_large_or_none_at_all_ends_the_link(wire: Any, hub: str) -> None:
    with wire.authorized() as client:
        client.attach(wire.sender("p", 0, hub))
        client.expect(Flow)
        client.send(Transfer(0, 0, b"0", 0, more=True), b"x" * 60000)
        for _ in range(20):
            client.send(Transfer(0, more=True), b"x" * 60000)
        assert condition(client.expect(Detach)) == "amqp:link:message-size-exceeded"
        client.attach(wire.sender("q", 1, hub))
        client.expect(Flow)
        client.send(Transfer(1, 1, b"1", 0), b"no sections")
        assert condition(client.expect(Detach)) == "amqp:decode-error"
        client.attach(wire.sender("r", 2, hub))
        client.expect(Flow)
        client.send(Transfer(2, None, b"2", 0), b"")
        assert condition(client.expect(Detach)) == "amqp:invalid-field"


def test_producers_get_new_credit_and_may_not_exceed_it(wire: Any, hub: str) -> None:
    octets = message.encode_bare(b"x")
    with wire.authorized() as client:
        client.attach(wire.sender("p", 0, hub))
        assert client.expect(Flow).link_credit == 1000
        for number in range(500):
            client.send(Transfer(0, number, b"t", 0, settled=True), octets)
        again = client.expect(Flow)
        assert (again.delivery_count, again.link_credit) == (500, 1000)


# Consuming.


def sequence_number(client: Any) -> int:
    client.expect(Transfer)
    annotations = message.parse(client.payload).annotations
    return int(annotations["x-opt-sequence-number"])


def test_events_come_as_far_as_credit_goes(wire: Any, hub: str, emulator: EmulatorThread) -> None:
    emulator.call(lambda e: e.append(hub, *[b"x"] * 10, partition="0"))
    with wire.authorized() as client:
        client.attach(wire.reader("r", 0, hub))
        client.send(wire.flow(0, 3))
        assert [sequence_number(client) for _ in range(3)] == [0, 1, 2]
        client.send(wire.flow(0, 3, echo=True, delivery_count=2))
        assert [sequence_number(client) for _ in range(2)] == [3, 4]
        state = client.expect(Flow)
        assert (state.delivery_count, state.link_credit) == (5, 0)
        client.send(wire.flow(0, 100, drain=True, delivery_count=5))
        assert [sequence_number(client) for _ in range(5)] == [5, 6, 7, 8, 9]
        drained = client.expect(Flow)
        assert (drained.delivery_count, drained.link_credit, drained.drain) == (105, 0, True)


def test_an_event_larger_than_a_frame_comes_in_parts_and_waits_for_the_window(
    wire: Any, hub: str, emulator: EmulatorThread
) -> None:
    body = bytes(range(256)) * 10
    emulator.call(lambda e: e.append(hub, body, b"next", partition="0"))
    with wire.authorized(max_frame_size=512, incoming_window=10) as client:
        client.attach(wire.reader("r", 0, hub))
        client.send(wire.flow(0, 10, next_incoming_id=1, incoming_window=2))
        parts = []
        first = client.expect(Transfer)
        parts.append(client.payload)
        assert (first.delivery_id, first.settled, first.more) == (1, True, True)
        assert client.expect(Transfer).delivery_id is None
        parts.append(client.payload)
        # The window of two is used up; the rest comes when it opens.
        client.send(wire.flow(0, 10, next_incoming_id=3, incoming_window=100))
        more = True
        while more:
            more = client.expect(Transfer).more
            parts.append(client.payload)
        assert len(parts) == 6
        assert message.parse(b"".join(parts)).body == body
        assert sequence_number(client) == 1


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (None, 0),
        ("amqp.annotation.x-opt-offset > '-1'", 0),
        ("amqp.annotation.x-opt-offset > '{offset}'", 3),
        ("amqp.annotation.x-opt-offset >= '{offset}'", 2),
        ("amqp.annotation.x-opt-sequence-number > '2'", 3),
        ("amqp.annotation.x-opt-sequence-number >= '2'", 2),
        ("amqp.annotation.x-opt-enqueued-time > '1002000'", 3),
        ("amqp.annotation.x-opt-enqueued-time >= '1001500'", 2),
        ("amqp.annotation.x-opt-offset > '@latest'", 5),
        ("amqp.annotation.x-opt-offset > '99999999'", 5),
    ],
)
def test_reading_starts_where_the_filter_says(
    wire: Any, hub: str, emulator: EmulatorThread, selector: str | None, expected: int
) -> None:
    for number in range(5):
        emulator.call(
            lambda e, n=number: e.append(hub, b"x", partition="0", enqueued_time=1000 + n)
        )
    offset = emulator.call(lambda e: e.partition(hub, "0").events[2].offset)
    with wire.authorized() as client:
        text = selector and selector.format(offset=offset)
        client.attach(wire.reader("r", 0, hub, selector=text))
        client.send(wire.flow(0, 1, echo=True))
        if expected == 5:
            client.expect(Flow)
            emulator.call(lambda e: e.append(hub, b"new", partition="0"))
        assert sequence_number(client) == expected


@pytest.mark.parametrize("selector", ["1 = 1", "amqp.annotation.x-opt-offset > 'x'", ""])
def test_a_filter_that_makes_no_sense_is_refused(wire: Any, hub: str, selector: str) -> None:
    with wire.authorized() as client:
        client.send(wire.reader("r", 0, hub, selector=selector))
        assert refused(client) == "amqp:invalid-field"


def test_the_runtime_metric_comes_when_asked_for(
    wire: Any, hub: str, emulator: EmulatorThread
) -> None:
    emulator.call(lambda e: e.append(hub, b"x", b"y", partition="0", enqueued_time=5))
    with wire.authorized() as client:
        attach = wire.reader("r", 0, hub)
        attach.desired_capabilities = ("com.microsoft:enable-receiver-runtime-metric",)
        assert client.attach(attach).offered_capabilities == attach.desired_capabilities
        client.send(wire.flow(0, 1))
        client.expect(Transfer)
        assert client.payload.startswith(b"\x00\x53\x71")
        assert b"last_enqueued_sequence_number\x55\x01" in client.payload


def test_epochs_decide_who_reads(wire: Any, hub: str, emulator: EmulatorThread) -> None:
    with wire.authorized() as client:
        client.attach(wire.reader("plain", 0, hub))
        client.send(wire.reader("one", 1, hub, epoch=1))
        stolen = client.expect(Detach)
        assert (stolen.handle, condition(stolen)) == (0, "amqp:link:stolen")
        assert client.expect(Attach).handle == 1
        client.send(wire.reader("plain again", 2, hub))
        assert refused(client) == "amqp:link:stolen"
        client.send(wire.reader("zero", 3, hub, epoch=0))
        assert refused(client) == "amqp:link:stolen"
        client.send(wire.reader("one again", 4, hub, epoch=1))
        assert client.expect(Detach).handle == 1
        assert client.expect(Attach).handle == 4
        # Another group and another partition are other matters.
        client.attach(wire.reader("siem", 5, hub, group="SIEM"))
        client.attach(wire.reader("other", 6, hub, "1"))
        owners = emulator.call(lambda e: e.witness.owners(hub))
        assert owners == {"0": ["raw"], "1": ["raw"]}
        client.send(Detach(4, closed=True))
        assert client.expect(Detach).error is None
        client.attach(wire.reader("plain at last", 7, hub))


def test_five_readers_without_epoch_are_the_most(wire: Any, hub: str) -> None:
    with wire.authorized() as client:
        for handle in range(5):
            client.attach(wire.reader(f"r{handle}", handle, hub))
        client.send(wire.reader("r5", 5, hub))
        assert refused(client) == "amqp:resource-limit-exceeded"


def test_what_was_delivered_can_be_asked(wire: Any, hub: str, emulator: EmulatorThread) -> None:
    emulator.call(lambda e: e.append(hub, b"a", b"b", b"c", partition="1"))
    with wire.authorized() as client:
        client.attach(wire.reader("r", 0, hub, "1"))
        client.send(wire.flow(0, 2))
        assert [sequence_number(client) for _ in range(2)] == [0, 1]
        (record,) = emulator.call(lambda e: e.witness.active_links(kind="consumer", hub=hub))
        assert record.sequence_numbers.tolist() == [0, 1]
        offsets = emulator.call(lambda e: [x.offset for x in e.partition(hub, "1").events])
        assert record.offsets.tolist() == offsets[:2]
        assert emulator.call(lambda e: e.witness.delivered(hub, "1")) == [
            (record.id, 0),
            (record.id, 1),
        ]
    emulator.wait_until(lambda e: not record.active)
    assert record.condition is None


def test_only_so_many_events_are_kept(wire: Any) -> None:
    with run_in_thread({"audit": 1}, retention_events=10) as emulator:
        for start in range(0, 5000, 100):
            bodies = [b"%d" % number for number in range(start, start + 100)]
            emulator.call(lambda e, b=bodies: e.append("audit", *b))
        log = emulator.call(lambda e: e.partition("audit", "0"))
        assert [event.body for event in log.events] == [b"%d" % n for n in range(4990, 5000)]
        assert log.first_sequence_number == 4990
        wire = type(wire)(emulator)
        with wire.authorized() as client:
            selector = "amqp.annotation.x-opt-sequence-number > '5'"
            client.attach(wire.reader("r", 0, "audit", selector=selector))
            client.send(wire.flow(0, 100))
            assert [sequence_number(client) for _ in range(10)] == list(range(4990, 5000))


# Faults.


def test_links_are_detached_on_demand_one_or_all(
    wire: Any, hub: str, emulator: EmulatorThread
) -> None:
    with wire.authorized() as client:
        client.attach(wire.reader("r0", 0, hub, "0"))
        client.attach(wire.reader("r1", 1, hub, "1"))
        assert emulator.call(lambda e: e.faults.detach(hub=hub, partition="1")) == 1
        detach = client.expect(Detach)
        assert (detach.handle, condition(detach)) == (1, "amqp:link:detach-forced")
        busy = conditions.SERVER_BUSY
        assert emulator.call(lambda e: e.faults.detach(busy, "slow down", hub=hub)) == 1
        detach = client.expect(Detach)
        assert (detach.handle, condition(detach)) == (0, busy)
        assert detach.error is not None
        assert detach.error.description == "slow down"


def test_connections_are_closed_and_aborted_on_demand(wire: Any, emulator: EmulatorThread) -> None:
    with wire.connect() as client:
        client.open()
        assert emulator.call(lambda e: e.faults.close_connections()) >= 1
        assert condition(client.expect(Close)) == "amqp:connection:forced"
        client.send(Close())
        client.wait_closed()
    with wire.connect() as client:
        client.open()
        assert emulator.call(lambda e: e.faults.abort_connections()) >= 1
        with pytest.raises(ConnectionResetError):
            client.socket.recv(1)


def test_it_stops_listening_and_takes_the_same_port_again(wire: Any) -> None:
    with run_in_thread({"audit": 1}) as emulator:
        wire, port = type(wire)(emulator), emulator.port
        with wire.connect() as open_before:
            open_before.open()
            emulator.stop_listening()
            with pytest.raises(ConnectionRefusedError):
                wire.connect()
            open_before.begin()
        emulator.resume_listening()
        assert emulator.port == port
        with wire.connect() as client:
            client.open()
        emulator.stop_listening()
        emulator.stop_listening()
        with pytest.raises(ConnectionRefusedError):
            wire.connect()


def test_a_stalled_emulator_says_nothing_and_goes_on_where_it_was(
    wire: Any, hub: str, emulator: EmulatorThread
) -> None:
    with wire.authorized() as client:
        client.attach(wire.reader("r", 0, hub))
        client.send(wire.flow(0, 10))
        emulator.call(lambda e: e.faults.stall())
        emulator.call(lambda e: e.append(hub, b"x", partition="0"))
        client.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.receive()
        with wire.connect() as newcomer:
            newcomer.raw(SASL_HEADER)
            newcomer.socket.settimeout(0.1)
            with pytest.raises(TimeoutError):
                newcomer.take(8)
            emulator.call(lambda e: e.faults.unstall())
            newcomer.socket.settimeout(5)
            assert newcomer.take(8) == SASL_HEADER
        client.socket.settimeout(5)
        assert sequence_number(client) == 0


def test_events_are_held_and_let_go(wire: Any, hub: str, emulator: EmulatorThread) -> None:
    with wire.authorized() as client:
        rule = emulator.call(lambda e: e.faults.hold_events(hub=hub, partition="0"))
        emulator.call(lambda e: e.append(hub, b"x", partition="0"))
        client.attach(wire.reader("r", 0, hub))
        client.send(wire.flow(0, 10, echo=True))
        assert client.expect(Flow).link_credit == 10
        emulator.call(lambda e: e.faults.withdraw(rule))
        assert sequence_number(client) == 0


@pytest.mark.parametrize("manner", ["refuse", "detach"])
def test_new_links_are_refused_so_many_times(
    wire: Any, hub: str, emulator: EmulatorThread, manner: Any
) -> None:
    emulator.call(
        lambda e: e.faults.refuse_links(
            conditions.SERVER_BUSY, times=2, manner=manner, hub=hub, kind="consumer"
        )
    )
    with wire.authorized() as client:
        for handle in range(2):
            attach = client.attach(wire.reader(f"r{handle}", handle, hub))
            assert (attach.source is None) == (manner == "refuse")
            assert condition(client.expect(Detach)) == "com.microsoft:server-busy"
        assert client.attach(wire.reader("r2", 2, hub)).source is not None


def test_published_events_are_rejected_so_many_times(
    wire: Any, hub: str, emulator: EmulatorThread
) -> None:
    emulator.call(lambda e: e.faults.reject_events(times=1, hub=hub))
    with wire.authorized() as client:
        client.attach(wire.sender("p", 0, f"{hub}/partitions/0"))
        client.expect(Flow)
        for delivery in range(2):
            client.send(Transfer(0, delivery, b"t", 0), message.encode_bare(b"x"))
        outcomes = [client.expect(Disposition).state for _ in range(2)]
        assert isinstance(outcomes[0], Rejected)
        assert condition(outcomes[0]) == "com.microsoft:server-busy"
        assert outcomes[1] == Accepted()
    assert emulator.call(lambda e: e.partition(hub, "0").next_sequence_number) == 1


def test_tokens_are_rejected_so_many_times(wire: Any, emulator: EmulatorThread) -> None:
    emulator.call(lambda e: e.faults.reject_tokens(503, "Busy: try later", times=1))
    token = emulator.call(lambda e: e.shared_access_signature())
    assert put_token(wire, token) == (503, "Busy")
    assert put_token(wire, token) == (202, "Accepted")


def test_octets_that_are_no_amqp_can_be_sent(wire: Any, emulator: EmulatorThread) -> None:
    with wire.connect() as client:
        client.open()
        emulator.call(lambda e: e.faults.inject(b"\xff" * 8))
        assert client.take(8) == b"\xff" * 8


def test_a_fault_of_the_emulator_itself_ends_one_connection_and_is_told(wire: Any) -> None:
    with run_in_thread({"audit": 1}) as emulator:
        wire = type(wire)(emulator)
        with wire.authorized() as client, wire.connect() as other:
            other.open()
            emulator.call(lambda e: setattr(e.partition("audit", "0"), "_events", None))
            client.send(wire.reader("r", 0, "audit"))
            assert condition(client.expect(Close)) == "amqp:internal-error"
            other.begin()
        (told,) = emulator.call(lambda e: e.witness.internal_errors)
        assert "Traceback" in told
