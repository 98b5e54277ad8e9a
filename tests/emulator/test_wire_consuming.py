"""What the emulator says on the wire, seen by a bare client: consuming and faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from falcopy_sdk.testing.eventhubs import conditions, run_in_thread
from falcopy_sdk.testing.eventhubs.amqp import message
from falcopy_sdk.testing.eventhubs.amqp.frames import SASL_HEADER
from falcopy_sdk.testing.eventhubs.amqp.performatives import (
    Accepted,
    Attach,
    Close,
    Detach,
    Disposition,
    Flow,
    Rejected,
    Transfer,
)

if TYPE_CHECKING:
    from falcopy_sdk.testing.eventhubs import EmulatorThread


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
