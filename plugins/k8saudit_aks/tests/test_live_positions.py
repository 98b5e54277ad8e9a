"""Where the live stream begins: without a checkpoint, after a restart, in new partitions."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from falcopy_sdk.testing.eventhubs import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Live = Any


def body(audit_id: str) -> bytes:
    log = {"kind": "Event", "auditID": audit_id, "stageTimestamp": "2026-02-03T04:05:06Z"}
    record = {"category": "kube-audit", "properties": {"log": json.dumps(log)}}
    return json.dumps({"records": [record]}).encode()


def ids(partition: int, numbers: range) -> list[str]:
    return [f"p{partition}-{number}" for number in numbers]


def fill(emulator: Emulator, numbers: range, partitions: range) -> list[str]:
    """Append events to each partition; returns their ids."""
    for partition in partitions:
        emulator.append("audit", *map(body, ids(partition, numbers)), partition=str(partition))
    return [audit_id for partition in partitions for audit_id in ids(partition, numbers)]


def kept(request: pytest.FixtureRequest, kind: str, folder: Path) -> dict[str, Any]:
    """The keys for one kind of checkpoint store."""
    if kind == "file":
        return {"checkpoint_file": str(folder / "positions.db")}
    keys: dict[str, Any] = request.getfixturevalue("container").config()
    return keys


@pytest.mark.parametrize("store", ["blob", "file"])
def test_latest_is_the_latest_of_the_first_start_though_no_event_came_then(
    live: Live, request: pytest.FixtureRequest, tmp_path: Path, eventually: Any, store: str
) -> None:
    """Neither a restart of a quiet hub nor a kill before the first checkpoint skips anything."""
    keys = {"starting_position": "latest", **kept(request, store, tmp_path)}

    async def run() -> None:
        async with Emulator({"audit": 2}) as emulator:
            fill(emulator, range(5), range(1))
            async with live(emulator, finishes=False, **keys) as host:
                await eventually(lambda: host.stats.checkpoints == 2)
                # Handed over and never finished with, as when Falco is killed.
                fill(emulator, range(5, 6), range(2))
                await host.until(lambda host: len(host.ids) == 2)
            fill(emulator, range(6, 8), range(2))
            async with live(emulator, **keys) as host:
                await host.until(lambda host: len(host.ids) >= 6)
                assert sorted(host.ids) == [*ids(0, range(5, 8)), *ids(1, range(5, 8))]

    asyncio.run(run())


def test_partitions_that_are_added_are_read_from_their_first_event(
    live: Live, container: Any, logged: Callable[..., list[str]], eventually: Any
) -> None:
    async def run() -> None:
        async with (
            Emulator({"audit": 1}) as emulator,
            live(emulator, starting_position="latest", **container.config()) as host,
        ):
            await eventually(lambda: host.stats.checkpoints == 1)
            emulator.hub("audit").grow(3)
            sent = fill(emulator, range(3), range(1, 3))
            await host.until(lambda host: len(host.ids) >= len(sent), 30)
            assert sorted(host.ids) == sent
            assert host.stats.reconnects == 0

    asyncio.run(run())
    assert logged("partitions 1, 2 of audit came to be: reading from the beginning")


def test_the_four_keys_of_the_go_plugin_are_enough(
    live: Live, container: Any, eventually: Any
) -> None:
    """As the host hands them over, after it has put in the variables of its environment."""

    async def run() -> None:
        async with (
            Emulator({"audit": 2}) as emulator,
            live(emulator, starting_position=None, **container.config()) as host,
        ):
            await eventually(lambda: host.stats.checkpoints == 2)
            sent = fill(emulator, range(3), range(2))
            await host.until(lambda host: len(host.ids) >= len(sent))
            assert sorted(host.ids) == sent
            await eventually(lambda: set(container.checkpoints().values()) == {2})

    asyncio.run(run())
