"""The live stream when something is wrong: the sentence a user gets, and how it goes on."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from falcopy_sdk import Secret
from falcopy_sdk.exceptions import SourceFatal
from falcopy_sdk.testing.eventhubs import Emulator, conditions

Live = Any
Logged = Any


def body(audit_id: str) -> bytes:
    log = {
        "kind": "Event",
        "auditID": audit_id,
        "stageTimestamp": "2026-02-03T04:05:06Z",
    }
    record = {"category": "kube-audit", "properties": {"log": json.dumps(log)}}
    return json.dumps({"records": [record]}).encode()


def test_a_wrong_key_is_named_and_the_stream_goes_on_once_it_is_right(
    live: Live, logged: Logged, eventually: Any
) -> None:
    async def run() -> None:
        async with Emulator({"audit": 1}) as emulator:
            emulator.append("audit", body("a"))
            wrong = emulator.connection_string(key="d3Jvbmcga2V5")
            async with live(emulator, event_hub_namespace_connection_string=Secret(wrong)) as host:
                await eventually(lambda: bool(logged("refused the credentials")))
                emulator.faults.revoke_key("d3Jvbmcga2V5")
                await host.until(lambda host: host.ids == ["a"])

    asyncio.run(run())
    (line,) = logged("refused the credentials")
    assert "policy RootManageSharedAccessKey" in line
    assert "d3Jvbmcga2V5" not in line


def test_an_unknown_hub_is_named(live: Live, logged: Logged, eventually: Any) -> None:
    async def run() -> None:
        async with Emulator({"audit": 1}) as emulator, live(emulator, event_hub_name="audits"):
            await eventually(lambda: bool(logged("has no event hub audits; check event_hub_name")))

    asyncio.run(run())


def test_an_unknown_host_is_named(live: Live, logged: Logged, eventually: Any) -> None:
    async def run() -> None:
        async with Emulator({"audit": 1}) as emulator:
            there = emulator.connection_string()
            nowhere = there.replace("127.0.0.1", "no-such-namespace.invalid")
            async with live(emulator, event_hub_namespace_connection_string=Secret(nowhere)):
                await eventually(lambda: bool(logged("no-such-namespace.invalid does not resolve")))

    asyncio.run(run())


def test_an_unreachable_hub_is_retried_with_one_line_until_it_is_there(
    live: Live, logged: Logged, eventually: Any
) -> None:
    async def run() -> None:
        async with Emulator({"audit": 2}) as emulator:
            emulator.append("audit", body("a"))
            emulator.stop_listening()
            async with live(emulator) as host:
                await eventually(lambda: host.stats.reconnects >= 3)
                await emulator.resume_listening()
                await host.until(lambda host: host.ids == ["a"])
                await eventually(lambda: bool(logged("receiving from audit again")))

    asyncio.run(run())
    assert len(logged("cannot be reached")) == 1


@pytest.mark.parametrize("manner", ["refuse", "detach"])
def test_a_missing_consumer_group_is_named_although_the_client_is_silent(
    live: Live, logged: Logged, eventually: Any, manner: Any
) -> None:
    async def run() -> None:
        async with Emulator({"audit": 2}, consumer_groups=["falco"]) as emulator:
            # The emulator refuses a missing group at once; a service may attach and then detach.
            missing = emulator.faults.refuse_links(
                conditions.NOT_FOUND,
                "The messaging entity 'audit/falco' could not be found.",
                kind="consumer",
                manner=manner,
            )
            async with live(emulator, consumer_group="falco") as host:
                await eventually(lambda: bool(logged("consumer group falco")), 30)
                emulator.append("audit", body("a"))
                emulator.faults.withdraw(missing)
                await host.until(lambda host: host.ids == ["a"], 30)

    asyncio.run(run())


def test_a_connection_that_is_reset_costs_no_event_and_gives_none_twice(
    live: Live, eventually: Any
) -> None:
    async def run() -> None:
        async with Emulator({"audit": 2}) as emulator, live(emulator) as host:
            sent = []
            for number in range(40):
                emulator.append("audit", body(f"{number}"), partition=str(number % 2))
                sent.append(f"{number}")
                if number in (10, 25):
                    await host.until(lambda host: len(host.ids) >= 5)
                    emulator.faults.abort_connections()
            await host.until(lambda host: len(host.ids) >= len(sent), 30)
            assert sorted(host.ids) == sorted(sent)

    asyncio.run(run())


def test_an_outage_costs_no_event_and_gives_none_twice(
    live: Live, logged: Logged, eventually: Any, container: Any
) -> None:
    async def run() -> None:
        async with (
            Emulator({"audit": 2}) as emulator,
            live(emulator, **container.config()) as host,
        ):
            emulator.append("audit", body("before"), partition="0")
            await host.until(lambda host: host.ids == ["before"])
            emulator.stop_listening()
            emulator.faults.abort_connections()
            await eventually(lambda: host.stats.reconnects >= 2, 30)
            emulator.append("audit", body("during"), partition="0")
            await emulator.resume_listening()
            await host.until(lambda host: "during" in host.ids, 30)
            assert host.ids == ["before", "during"]

    asyncio.run(run())


def test_a_link_that_another_reader_took_is_named(
    live: Live, logged: Logged, eventually: Any, container: Any
) -> None:
    async def run() -> None:
        async with (
            Emulator({"audit": 1}) as emulator,
            live(emulator, **container.config()) as host,
        ):
            emulator.append("audit", body("a"))
            await host.until(lambda host: host.ids == ["a"])
            emulator.faults.detach(conditions.LINK_STOLEN, kind="consumer")
            await eventually(lambda: bool(logged("another reader of consumer group $Default")))
            emulator.append("audit", body("b"))
            await host.until(lambda host: host.ids == ["a", "b"])
            await eventually(lambda: bool(logged("partition 0: receiving again")))

    asyncio.run(run())


def test_a_missing_container_ends_the_source_with_what_to_do(live: Live, azurite: Any) -> None:
    async def run() -> None:
        async with (
            Emulator({"audit": 1}) as emulator,
            live(
                emulator,
                blob_storage_connection_string=Secret(azurite.connection_string()),
                blob_storage_container_name="not-there",
            ),
        ):
            await asyncio.sleep(3)

    with pytest.raises(SourceFatal, match="container not-there of account devstoreaccount1 does"):
        asyncio.run(run())


def test_a_wrong_storage_key_is_named_and_not_shown(
    live: Live, logged: Logged, eventually: Any, container: Any
) -> None:
    key = "d3Jvbmcgc3RvcmFnZSBrZXk="

    async def run() -> None:
        config = container.config()
        wrong = Secret(container.azurite.connection_string(key))
        config["blob_storage_connection_string"] = wrong
        async with Emulator({"audit": 1}) as emulator, live(emulator, **config):
            await eventually(
                lambda: bool(logged("refused the credentials of blob_storage_connection_string"))
            )

    asyncio.run(run())
    assert not logged(key)


def test_a_container_that_vanishes_stops_checkpoints_and_not_events(
    live: Live, logged: Logged, eventually: Any, container: Any
) -> None:
    async def run() -> None:
        async with (
            Emulator({"audit": 1}) as emulator,
            live(emulator, **container.config()) as host,
        ):
            emulator.append("audit", body("a"))
            await host.until(lambda host: host.ids == ["a"])
            container.service.delete_container(container.name)
            emulator.append("audit", body("b"))
            await host.until(lambda host: host.ids == ["a", "b"])
            await eventually(lambda: bool(logged("does not exist")), 30)
            container.service.create_container(container.name)
            await eventually(lambda: bool(logged("checkpoint store: reachable again")), 30)
            emulator.append("audit", body("c"))
            await host.until(lambda host: host.ids == ["a", "b", "c"])
            await eventually(lambda: set(container.checkpoints().values()) == {2}, 30)

    asyncio.run(run())


def test_bad_bodies_are_named_by_place_and_pass(live: Live, logged: Logged) -> None:
    async def run() -> None:
        async with Emulator({"audit": 2}) as emulator, live(emulator) as host:
            emulator.append("audit", body("a"), b"{not json", body("b"), partition="1")
            await host.until(lambda host: host.ids == ["a", "b"])
            bad = emulator.partition("audit", "1").events[1]
            (line,) = logged("passed over a body")
            assert line.startswith(
                f"passed over a body at partition 1, offset {bad.offset}: not valid JSON"
            )
            assert host.stats.bad_bodies == 1

    asyncio.run(run())
