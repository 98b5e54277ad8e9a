"""The unmodified Azure clients against the emulator."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.credentials import AccessToken
from azure.eventhub import EventData, EventHubConsumerClient, EventHubProducerClient, exceptions
from azure.eventhub.aio import EventHubProducerClient as AioProducer

from falcopy_sdk.testing.eventhubs import Emulator, Limits, conditions, run_in_thread

if TYPE_CHECKING:
    from falcopy_sdk.testing.eventhubs import EmulatorThread


def bodies(emulator: EmulatorThread, hub: str, partition: str) -> list[bytes]:
    return emulator.call(lambda e: [event.body for event in e.partition(hub, partition).events])


def links(emulator: EmulatorThread, hub: str) -> list[Any]:
    """The consumer links there have been, ended ones included."""
    return emulator.call(
        lambda e: [r for r in e.witness.links if r.matches(kind="consumer", hub=hub)]
    )


def producer(emulator: EmulatorThread, hub: str, **options: Any) -> EventHubProducerClient:
    return EventHubProducerClient.from_connection_string(
        emulator.connection_string(hub), retry_backoff_factor=0.01, **options
    )


def test_what_the_aio_producer_sends_the_aio_consumer_gets(
    emulator: EmulatorThread, hub: str, reading: Any
) -> None:
    large = bytes(range(256)) * 2000

    async def run() -> None:
        address = emulator.connection_string(hub)
        async with AioProducer.from_connection_string(address) as client:
            about = await client.get_eventhub_properties()
            assert (about["eventhub_name"], about["partition_ids"]) == (hub, ["0", "1"])
            batch = await client.create_batch(partition_id="0")
            assert batch.max_size_in_bytes == 1024 * 1024
            for number in range(500):
                event = EventData(b"%d" % number)
                event.properties = {"number": number, "kind": "text"}
                batch.add(event)
            await client.send_batch(batch)
            await client.send_event(EventData(large), partition_id="1")
            await client.send_batch([EventData("key"), EventData("key")], partition_key="k")
        async with reading(address, track_last_enqueued_event_properties=True) as consumer:
            await consumer.until(lambda: len(consumer.events) == 503)
        of_zero = [event for id_, event in consumer.events if id_ == "0"][:500]
        assert [event.sequence_number for event in of_zero] == list(range(500))
        assert [b"".join(event.body) for event in of_zero] == [b"%d" % n for n in range(500)]
        assert of_zero[7].properties == {b"number": 7, b"kind": b"text"}
        assert large in consumer.bodies("1")
        keyed = [(id_, event) for id_, event in consumer.events if event.partition_key]
        assert [event.partition_key for _, event in keyed] == [b"k", b"k"]
        assert len({id_ for id_, _ in keyed}) == 1
        assert abs(of_zero[0].enqueued_time.timestamp() - time.time()) < 60
        assert consumer.errors == []

    asyncio.run(run())
    assert {record.consumer_group for record in links(emulator, hub)} == {"$Default"}


def test_what_the_sync_producer_sends_the_sync_consumer_gets(
    emulator: EmulatorThread, hub: str
) -> None:
    with producer(emulator, hub) as client:
        client.send_batch([EventData(b"%d" % number) for number in range(300)], partition_id="1")
        about = client.get_partition_properties("1")
        assert (about["beginning_sequence_number"], about["last_enqueued_sequence_number"]) == (
            0,
            299,
        )
        assert about["is_empty"] is False
    got: list[int] = []
    done = threading.Event()

    def on_batch(_context: Any, events: list[EventData]) -> None:
        got.extend(event.sequence_number or 0 for event in events)
        if len(got) >= 199:
            done.set()

    consumer = EventHubConsumerClient.from_connection_string(
        emulator.connection_string(hub), "siem", load_balancing_interval=1
    )
    thread = threading.Thread(
        target=consumer.receive_batch,
        args=(on_batch,),
        kwargs={"partition_id": "1", "starting_position": 100},
    )
    thread.start()
    assert done.wait(10)
    consumer.close()
    thread.join()
    assert got == list(range(101, 300))


def test_tokens_of_a_credential_are_taken(emulator: EmulatorThread, hub: str) -> None:
    scopes = []

    class Credential:
        def get_token(self, *scope: str, **_: Any) -> AccessToken:
            scopes.append(scope)
            return AccessToken("header.claims.signature", int(time.time()) + 600)

    client = EventHubProducerClient(
        emulator.fully_qualified_namespace, hub, Credential(), use_tls=False
    )
    with client:
        assert client.get_partition_ids() == ["0", "1"]
    assert scopes
    tokens = emulator.call(lambda e: [t for t in e.witness.tokens if t.type == "jwt"])
    assert tokens[-1].status == 202


def test_a_wrong_key_is_an_authentication_error(emulator: EmulatorThread, hub: str) -> None:
    wrong = emulator.connection_string(hub, key="d3Jvbmc=")
    with (
        EventHubProducerClient.from_connection_string(wrong, retry_total=0) as client,
        pytest.raises(exceptions.AuthenticationError),
    ):
        client.get_eventhub_properties()


def test_a_missing_hub_is_a_connect_error(emulator: EmulatorThread) -> None:
    with (
        producer(emulator, "no-such-hub", retry_total=0) as client,
        pytest.raises(exceptions.ConnectError),
    ):
        client.get_eventhub_properties()


def test_a_busy_service_rejects_what_is_sent(emulator: EmulatorThread, hub: str) -> None:
    emulator.call(lambda e: e.faults.reject_events(times=1, hub=hub))
    with producer(emulator, hub) as client:
        with pytest.raises(exceptions.EventDataSendError, match="server-busy"):
            client.send_event(EventData("x"), partition_id="0")
        client.send_event(EventData("y"), partition_id="0")
    assert bodies(emulator, hub, "0") == [b"y"]


def test_an_event_over_the_limit_is_refused(hub: str) -> None:
    with (
        run_in_thread({hub: 1}, limits=Limits(max_message_size=5000)) as emulator,
        producer(emulator, hub, retry_total=0) as client,
    ):
        batch = client.create_batch()
        assert batch.max_size_in_bytes == 5000
        with pytest.raises(ValueError, match="size limit"):
            batch.add(EventData(b"x" * 5000))
        with pytest.raises(exceptions.EventHubError, match="exceeds the limit"):
            client.send_event(EventData(b"x" * 6000))


def test_a_consumer_goes_on_where_it_was_after_each_disconnection(
    emulator: EmulatorThread, hub: str, reading: Any
) -> None:
    disconnections = {
        "detach": lambda e: e.faults.detach(hub=hub, kind="consumer"),
        "abort": lambda e: e.faults.abort_connections(),
        "close": lambda e: e.faults.close_connections(),
    }

    async def run() -> None:
        async with reading(emulator.connection_string(hub), partition_id="0") as consumer:
            for number, disconnect in enumerate(disconnections.values()):
                emulator.call(lambda e, n=number: e.append(hub, b"%d" % n, partition="0"))
                await consumer.until(lambda n=number: len(consumer.events) == n + 1)
                assert emulator.call(disconnect) >= 1
            emulator.call(lambda e: e.append(hub, b"end", partition="0"))
            await consumer.until(lambda: len(consumer.events) == 4)
        assert consumer.bodies() == [b"0", b"1", b"2", b"end"]

    asyncio.run(run())
    assert len(links(emulator, hub)) == 4
    delivered = emulator.call(lambda e: [n for _, n in e.witness.delivered(hub, "0")])
    assert delivered == [0, 1, 2, 3]


def test_a_consumer_outlives_a_service_that_is_away(reading: Any) -> None:
    async def run() -> None:
        async with (
            Emulator({"audit": 1}) as emulator,
            reading(emulator.connection_string("audit"), partition_id="0") as consumer,
        ):
            emulator.append("audit", b"before")
            await consumer.until(lambda: len(consumer.events) == 1)
            emulator.stop_listening()
            emulator.faults.abort_connections()
            emulator.append("audit", b"during")
            await asyncio.sleep(0.5)  # it finds that nobody listens
            assert len(consumer.events) == 1
            await emulator.resume_listening()
            await consumer.until(lambda: len(consumer.events) == 2)
        assert consumer.bodies() == [b"before", b"during"]

    asyncio.run(run())


def test_a_consumer_with_the_same_epoch_steals_the_link(
    emulator: EmulatorThread, hub: str, reading: Any
) -> None:
    async def run() -> None:
        address = emulator.connection_string(hub)
        options = {"partition_id": "0", "owner_level": 0}
        emulator.call(lambda e: e.append(hub, b"x", partition="0"))
        async with reading(address, **options) as first:
            await first.until(lambda: len(first.events) == 1)
            async with reading(address, **options) as second:
                await second.until(lambda: len(second.events) == 1)
                await first.until(lambda: bool(first.errors))
        assert isinstance(first.errors[0], exceptions.ConnectionLostError)
        assert "amqp:link:stolen" in str(first.errors[0])

    asyncio.run(run())
    assert conditions.LINK_STOLEN in [record.condition for record in links(emulator, hub)]


def test_a_frozen_service_is_left_after_the_idle_timeout(reading: Any) -> None:
    async def run() -> None:
        async with (
            Emulator({"audit": 1}) as emulator,
            reading(
                emulator.connection_string("audit"), partition_id="0", idle_timeout=1
            ) as consumer,
        ):
            emulator.append("audit", b"x")
            await consumer.until(lambda: len(consumer.events) == 1)
            opened = emulator.witness.connections_opened
            emulator.faults.stall()
            emulator.append("audit", b"y")
            await emulator.wait_until(lambda: emulator.witness.connections_opened > opened)
            emulator.faults.unstall()
            await consumer.until(lambda: len(consumer.events) == 2)

    asyncio.run(run())
