"""What many outages cost: processor time, sockets, tasks, threads and memory."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import threading
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from azure.eventhub._pyamqp.aio._receiver_async import ReceiverLink

from falcopy_sdk.testing.eventhubs import Emulator

Live = Any
#: Outages are the product; set FALCOPY_OUTAGE_STREAMS=67 for 200 of them.
STREAMS, ROUNDS = int(os.environ.get("FALCOPY_OUTAGE_STREAMS", "8")), 3


def body(audit_id: str) -> bytes:
    log = {"kind": "Event", "auditID": audit_id, "stageTimestamp": "2026-02-03T04:05:06Z"}
    record = {"category": "kube-audit", "properties": {"log": json.dumps(log)}}
    return json.dumps({"records": [record]}).encode()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def resident() -> int:
    """Bytes of memory in use."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def most_tags() -> int:
    """The most delivery tags that a receive link of the Azure client holds."""
    links = [found for found in gc.get_objects() if type(found) is ReceiverLink]
    return max(len(link._received_delivery_tags) for link in links)


def test_links_do_not_grow_with_the_events_that_came_through(live: Live, eventually: Any) -> None:
    async def run() -> None:
        async with Emulator({"audit": 1}) as emulator, live(emulator) as host:
            emulator.append("audit", *(body(str(number)) for number in range(300)))
            await host.until(lambda host: len(host.ids) == 300)
            # Links for requests have a few.
            await eventually(lambda: most_tags() < 10)
            emulator.append("audit", *(body(str(number)) for number in range(300, 600)))
            await host.until(lambda host: len(host.ids) == 600)
            assert host.ids == [str(number) for number in range(600)]

    asyncio.run(run())


async def settled() -> tuple[int, int, int, int]:
    """Descriptors, tasks, threads and memory, when no more of them go.

    What the last clients close, they close in a second, and on a busy machine in some.
    """
    least, since = (1 << 62, 1 << 62), time.monotonic()
    while time.monotonic() - since < 3.0:
        gc.collect()
        now = descriptors(), len(asyncio.all_tasks())
        if now[0] < least[0] or now[1] < least[1]:
            least, since = (min(least[0], now[0]), min(least[1], now[1])), time.monotonic()
        await asyncio.sleep(0.2)
    return *least, threading.active_count(), resident()


# The Azure client leaves connections that were reset to the garbage collector; they are counted.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_many_outages_leave_nothing_behind(live: Live, eventually: Any, quick: Any) -> None:
    """Streams of one process lose Event Hubs again and again, each time for new clients."""
    found: list[tuple[int, int, int, int]] = []

    async def run() -> None:
        hubs = {f"hub{number}": 1 for number in range(STREAMS)}
        timing = replace(quick, silent=4.0, idle=60.0)
        async with Emulator(hubs) as emulator, AsyncExitStack() as stack:
            hosts = [
                await stack.enter_async_context(live(emulator, event_hub_name=hub, timing=timing))
                for hub in hubs
            ]

            async def round_trip(number: int) -> None:
                for hub in hubs:
                    emulator.append(hub, body(f"{number}"))
                expected = [f"{known}" for known in range(number + 1)]
                await eventually(lambda: all(host.ids == expected for host in hosts), 60)

            await round_trip(0)
            for number in range(1, ROUNDS + 1):
                before = [host.stats.reconnects for host in hosts]
                emulator.stop_listening()
                emulator.faults.abort_connections()
                await eventually(
                    lambda before=before: all(
                        host.stats.reconnects > count
                        for host, count in zip(hosts, before, strict=True)
                    ),
                    60,
                )
                await emulator.resume_listening()
                await round_trip(number)
                found.append(await settled())

    asyncio.run(run())
    print(found)
    first, last = found[1], found[-1]
    # One descriptor or task left by an outage would be as many as streams a round.
    assert last[0] - first[0] < STREAMS, found
    assert last[1] - first[1] < STREAMS, found
    assert last[2] <= first[2] + 2, found
    # The emulator's record of links and tokens is in there as well.
    assert last[3] - first[3] < 100_000 * STREAMS, found


def test_an_outage_costs_next_to_no_processor_time(live: Live, eventually: Any) -> None:
    async def run() -> float:
        async with Emulator({"audit": 4}) as emulator, live(emulator) as host:
            emulator.append("audit", body("0"), partition="0")
            await host.until(lambda host: host.ids == ["0"])
            emulator.stop_listening()
            emulator.faults.abort_connections()
            # Refused at once, which is when a client that does not pause spins.
            began, used = time.monotonic(), time.process_time()
            await asyncio.sleep(12)
            return (time.process_time() - used) / (time.monotonic() - began)

    share = asyncio.run(run())
    print(f"CPU share during an outage: {share:.1%}")
    assert share < 0.15
