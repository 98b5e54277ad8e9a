"""The live stream against the emulator and Azurite: what reaches the host, what is remembered."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from k8saudit_aks.ratelimit import RateLimit

from falcopy_sdk import Secret
from falcopy_sdk.testing.eventhubs import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable

Live = Any
PARTITIONS = 4


def body(audit_id: str, padding: int = 0) -> bytes:
    """A body with one audit event."""
    log = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": audit_id,
        "stage": "ResponseComplete",
        "stageTimestamp": "2026-02-03T04:05:06.000001Z",
        "verb": "get",
        "padding": "x" * padding,
    }
    record = {"category": "kube-audit", "properties": {"log": json.dumps(log)}}
    return json.dumps({"records": [record]}).encode()


def ids(partition: int, numbers: range) -> list[str]:
    return [f"p{partition}-{number}" for number in numbers]


def fill(emulator: Emulator, numbers: range, partitions: range = range(PARTITIONS)) -> list[str]:
    """Append events to every partition; returns their ids."""
    for partition in partitions:
        bodies = [body(audit_id) for audit_id in ids(partition, numbers)]
        emulator.append("audit", *bodies, partition=str(partition))
    return [audit_id for partition in partitions for audit_id in ids(partition, numbers)]


def checkpoint_name(emulator: Emulator, partition: int, group: str = "$default") -> str:
    return f"{emulator.fully_qualified_namespace}/audit/{group}/checkpoint/{partition}"


def test_every_sample_of_every_partition_arrives_once_and_nothing_else(
    live: Live, samples: Any
) -> None:
    async def run() -> None:
        async with Emulator({"audit": PARTITIONS}) as emulator, live(emulator) as host:
            for number, sample in enumerate(samples.bodies + samples.passed_over):
                emulator.append("audit", sample, partition=str(number % PARTITIONS))
            await host.until(lambda host: len(host.ids) >= len(samples.expected))
            last = emulator.append("audit", body("last"), partition="1")
            assert last
            await host.until(lambda host: "last" in host.ids)
            assert sorted(host.ids) == sorted([*samples.expected, "last"])
            assert host.stats.events == len(samples.expected) + 1

    asyncio.run(run())


def test_events_carry_the_time_and_the_compact_json_of_the_audit_event(
    live: Live, samples: Any
) -> None:
    async def run() -> None:
        async with Emulator({"audit": 1}) as emulator, live(emulator) as host:
            emulator.append("audit", samples.bodies[0])
            await host.until(lambda host: bool(host.events))
            event = host.events[0]
            assert event.ts == 1_770_091_501_041_007_000
            assert event.data.startswith(b'{"kind":"Event","apiVersion":"audit.k8s.io/v1",')
            assert json.loads(event.data) == event.json

    asyncio.run(run())


def test_events_carry_where_they_are_in_the_event_hub(live: Live) -> None:
    async def run() -> None:
        async with Emulator({"audit": 2}) as emulator, live(emulator) as host:
            emulator.append("audit", body("a"), partition="1")
            [stored] = emulator.append("audit", body("b"), partition="1")
            await host.until(lambda host: len(host.events) == 2)
            assert host.events[1].json["azure"] == {
                "category": "kube-audit",
                "partition": "1",
                "offset": str(stored.offset),
                "sequenceNumber": stored.sequence_number,
            }

    asyncio.run(run())


def test_latest_starts_after_what_is_there_and_misses_nothing_after(
    live: Live, logged: Any, eventually: Any
) -> None:
    async def run() -> None:
        async with Emulator({"audit": PARTITIONS}) as emulator:
            fill(emulator, range(5), range(2))
            async with live(emulator, starting_position="latest") as host:
                await eventually(lambda: bool(logged("created eventhub processor")))
                # Before any link is open: the position of "latest" is known all the same.
                new = fill(emulator, range(5, 8))
                await host.until(lambda host: len(host.ids) >= len(new))
                assert sorted(host.ids) == sorted(new)

    asyncio.run(run())


def test_the_order_within_a_partition_is_kept(live: Live) -> None:
    async def run() -> None:
        async with Emulator({"audit": 2}) as emulator, live(emulator) as host:
            sent = fill(emulator, range(1000), range(2))
            await host.until(lambda host: len(host.ids) >= len(sent))
            for partition in range(2):
                mine = [audit_id for audit_id in host.ids if audit_id.startswith(f"p{partition}-")]
                assert mine == ids(partition, range(1000))

    asyncio.run(run())


def test_nothing_is_checkpointed_before_the_host_has_finished_with_it(
    live: Live, container: Any, eventually: Any
) -> None:
    async def run() -> None:
        async with (
            Emulator({"audit": 1}) as emulator,
            live(emulator, finishes=False, **container.config()) as host,
        ):
            fill(emulator, range(600), range(1))
            await host.until(lambda host: len(host.ids) >= 600)
            assert len(host.batches) >= 2
            first, *rest = host.batches
            # Several checkpoint intervals with everything handed over and nothing finished.
            await asyncio.sleep(1.0)
            assert container.checkpoints() == {}
            # A later batch that is finished first moves nothing either.
            host.finish(rest)
            await asyncio.sleep(1.0)
            assert container.checkpoints() == {}
            host.finish([first])
            name = checkpoint_name(emulator, 0)
            await eventually(lambda: container.checkpoints() == {name: 599})

    asyncio.run(run())


def test_a_restart_begins_after_the_last_finished_event_of_each_partition(
    live: Live, container: Any
) -> None:
    async def run() -> None:
        async with Emulator({"audit": PARTITIONS}) as emulator:
            old = fill(emulator, range(10))
            async with live(emulator, **container.config()) as host:
                await host.until(lambda host: len(host.ids) >= len(old))
            # Closing wrote the last positions, without waiting for the interval.
            assert set(container.checkpoints().values()) == {9}
            new = fill(emulator, range(10, 13))
            async with live(emulator, **container.config()) as host:
                await host.until(lambda host: len(host.ids) >= len(new))
                assert sorted(host.ids) == sorted(new)

    asyncio.run(run())


def test_what_the_host_had_not_finished_comes_again_after_a_restart(
    live: Live, container: Any
) -> None:
    async def run() -> None:
        async with Emulator({"audit": 1}) as emulator:
            sent = fill(emulator, range(600), range(1))
            async with live(emulator, finishes=False, **container.config()) as host:
                await host.until(lambda host: len(host.ids) >= 600)
                finished = host.batches[0]
                host.finish([finished])
            async with live(emulator, **container.config()) as host:
                await host.until(lambda host: "p0-599" in host.ids)
                assert host.ids == sent[len(finished.events) :]

    asyncio.run(run())


def test_positions_of_the_go_plugin_are_taken_up(live: Live, container: Any) -> None:
    async def run() -> None:
        async with Emulator({"audit": 2}) as emulator:
            fill(emulator, range(10), range(2))
            for partition, number in ((0, 4), (1, 6)):
                event = emulator.partition("audit", str(partition)).events[number]
                container.put_checkpoint(
                    checkpoint_name(emulator, partition, "$Default"), number, str(event.offset)
                )
            async with live(emulator, **container.config()) as host:
                await host.until(lambda host: len(host.ids) >= 8)
                assert sorted(host.ids) == ids(0, range(5, 10)) + ids(1, range(7, 10))
            # Ours are written beside them, and win from now on.
            assert container.checkpoints() == {
                checkpoint_name(emulator, 0, "$Default"): 4,
                checkpoint_name(emulator, 1, "$Default"): 6,
                checkpoint_name(emulator, 0): 9,
                checkpoint_name(emulator, 1): 9,
            }
            new = fill(emulator, range(10, 11), range(2))
            async with live(emulator, **container.config()) as host:
                await host.until(lambda host: len(host.ids) >= 2)
                assert sorted(host.ids) == new

    asyncio.run(run())


def test_a_body_without_events_still_moves_the_checkpoint(
    live: Live, container: Any, eventually: Any
) -> None:
    async def run() -> None:
        async with (
            Emulator({"audit": 1}) as emulator,
            live(emulator, **container.config()),
        ):
            emulator.append("audit", b"no JSON", b"{}")
            name = checkpoint_name(emulator, 0)
            await eventually(lambda: container.checkpoints() == {name: 1})

    asyncio.run(run())


def test_a_host_that_does_not_take_events_stops_the_intake(live: Live, eventually: Any) -> None:
    async def run() -> None:
        async with Emulator({"audit": 1}) as emulator:
            # 90 MB: more than the intake and the client's own buffer hold.
            big = [body(f"p0-{number}", padding=300_000) for number in range(300)]
            emulator.append("audit", *big)
            async with live(emulator, maxEventSize=1_000_000, rate_limit=RateLimit(1, 1)) as host:
                await host.until(lambda host: bool(host.events))
                # A slow host is no silent partition: the watch must leave it alone.
                await asyncio.sleep(7.0)
                assert 0 < len(host.ids) < 20
                assert host.stats.reconnects == 0
                # The intake, what is being cut, and a body that did not fit both.
                assert 6 << 20 < host.stream.queued_bytes < 10 << 20

    asyncio.run(run())


def test_closing_takes_a_few_seconds_at_most(live: Live) -> None:
    async def run() -> float:
        async with Emulator({"audit": 8}) as emulator:
            fill(emulator, range(3), range(8))
            async with live(emulator) as host:
                await host.until(lambda host: len(host.ids) >= 24)
                began = time.monotonic()
            return time.monotonic() - began

    assert asyncio.run(run()) < 5.0


def test_the_steps_of_opening_are_logged_in_order(
    live: Live, container: Any, logged: Callable[..., list[str]]
) -> None:
    async def run() -> None:
        async with Emulator({"audit": 1}) as emulator, live(emulator, **container.config()) as host:
            fill(emulator, range(1), range(1))
            await host.until(lambda host: bool(host.events))

    asyncio.run(run())
    assert logged() == [
        "opened connection to blob storage",
        "opened blob checkpoint connection",
        "opened consumer client",
        "created eventhub processor",
    ]


def test_a_rate_limit_spreads_the_events(live: Live) -> None:
    async def run() -> None:
        async with (
            Emulator({"audit": 1}) as emulator,
            live(emulator, rate_limit=RateLimit(100, 10)) as host,
        ):
            emulator.append("audit", *(body(f"a{number}") for number in range(10)))
            await host.until(lambda host: len(host.ids) >= 10)
            began = time.monotonic()
            for number in range(10, 110, 10):
                emulator.append("audit", *(body(f"a{number + more}") for more in range(10)))
            await host.until(lambda host: len(host.ids) >= 110)
            # 100 more than the burst, at 100 a second; some tokens came back meanwhile.
            assert time.monotonic() - began > 0.7
            assert max(len(batch.events) for batch in host.batches) <= 10

    asyncio.run(run())


def test_secrets_of_the_configuration_are_in_no_log_line(
    live: Live, logged: Any, eventually: Any
) -> None:
    async def run() -> None:
        async with Emulator({"audit": 1}) as emulator:
            wrong = emulator.connection_string(key="VG9wU2VjcmV0S2V5")
            async with live(emulator, event_hub_namespace_connection_string=Secret(wrong)) as host:
                await eventually(lambda: host.stats.reconnects >= 2)

    asyncio.run(run())
    assert logged("refused the credentials")
    assert not logged("VG9wU2VjcmV0S2V5")


def test_two_hosts_with_one_container_share_the_partitions_and_lose_nothing(
    live: Live, container: Any, eventually: Any
) -> None:
    async def run() -> None:
        async with (
            Emulator({"audit": PARTITIONS}) as emulator,
            live(emulator, **container.config()) as first,
        ):
            sent = fill(emulator, range(20))
            await first.until(lambda host: set(host.ids) == set(sent))
            async with live(emulator, **container.config()) as second:
                number = 20
                async with asyncio.timeout(40):
                    while len(second.ids) < 5:
                        sent += fill(emulator, range(number, number + 1))
                        number += 1
                        await asyncio.sleep(0.3)
                # Taking its share stopped neither: the first one has the rest.
                before = len(first.ids)
                sent += fill(emulator, range(number, number + 5))
                number += 5
                await first.until(lambda host: len(host.ids) >= before + 5)
            # The second has left: the first takes over what it had.
            sent += fill(emulator, range(number, number + 5))
            await eventually(lambda: {*first.ids, *second.ids} == set(sent), 40)

    asyncio.run(run())
