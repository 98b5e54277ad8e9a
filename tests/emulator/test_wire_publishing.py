"""What the emulator says on the wire, seen by a bare client: entities and publishing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from falcopy_sdk.testing.eventhubs import Limits, run_in_thread
from falcopy_sdk.testing.eventhubs.amqp import message
from falcopy_sdk.testing.eventhubs.amqp.performatives import (
    Accepted,
    Attach,
    Detach,
    Disposition,
    Flow,
    Source,
    Target,
    Transfer,
)
from falcopy_sdk.testing.eventhubs.amqp.types import Array, Described, Symbol, ULong

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
