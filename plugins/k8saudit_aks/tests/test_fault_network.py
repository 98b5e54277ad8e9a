"""Networks that fail in every way between the live stream and Event Hubs."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import certifi
import pytest
from k8saudit_aks import client

from falcopy_sdk import Secret
from falcopy_sdk.testing.eventhubs import Emulator, conditions

from .faultproxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

Live = Any
Logged = Any
#: The plugin's pauses end at 60 s, so that ten minutes are ten of the longest ones; here they end
#: at 1 s. What is silent is noticed after 5 s in place of 20 s: an outage of 10 s goes unnoticed.
TEN_SECONDS, TEN_MINUTES = 2.5, 12.0


def body(audit_id: str) -> bytes:
    log = {"kind": "Event", "auditID": audit_id, "stageTimestamp": "2026-02-03T04:05:06Z"}
    record = {"category": "kube-audit", "properties": {"log": json.dumps(log)}}
    return json.dumps({"records": [record]}).encode()


class Line:
    """A live stream that reaches its emulator through a proxy, and has received an event."""

    def __init__(self, emulator: Emulator, proxy: FaultProxy, host: Any) -> None:
        self.emulator, self.proxy, self.host = emulator, proxy, host
        self.sent: list[str] = []

    def send(self, count: int = 1) -> None:
        """Append events; what they are called goes on from the last one."""
        new = [f"{len(self.sent) + number}" for number in range(count)]
        self.emulator.append("audit", *map(body, new), partition="0")
        self.sent += new

    async def until_all_came(self, within: float = 30.0) -> None:
        """Wait for every event, and find none twice and all in order."""
        await self.host.until(lambda host: len(host.ids) >= len(self.sent), within)
        assert self.host.ids == self.sent

    def faults(self, name: str) -> int:
        return self.host.stats.faults[name]


@pytest.fixture
def line(live: Live, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setattr(client, "_IDLE_TIMEOUT", 3)

    @asynccontextmanager
    async def opened(**options: Any) -> AsyncIterator[Line]:
        async with Emulator({"audit": 1}) as emulator, FaultProxy(emulator.port) as proxy:
            there = emulator.connection_string()
            through = there.replace(str(emulator.port), str(proxy.port))
            options.setdefault("event_hub_namespace_connection_string", Secret(through))
            async with live(emulator, **options) as host:
                line = Line(emulator, proxy, host)
                line.send()
                await line.until_all_came()
                yield line

    return opened


def run(*scenarios: Awaitable[None]) -> None:
    """All at the same time: most of what they do is wait."""

    async def together() -> None:
        async with asyncio.TaskGroup() as group:
            for scenario in scenarios:
                group.create_task(scenario)  # type: ignore[arg-type]

    asyncio.run(together())


def test_resets_cuts_within_a_frame_and_slow_networks_cost_no_event(
    line: Any, logged: Logged
) -> None:
    async def reset() -> None:
        async with line() as it:
            for number in range(1, 4):
                it.proxy.reset()
                it.send(5)
                await it.until_all_came()
                assert it.host.stats.client_reconnects == number
            where = f"Event Hubs 127.0.0.1:{it.proxy.port} was lost; the client made a new one"
            # Not one each: they come within a minute.
            assert 1 <= len(logged(where)) <= 2

    async def cut_within_a_frame() -> None:
        async with line() as it:
            for after in (1, 7, 100, 333):
                it.proxy.cut_after = after
                it.send(5)
                await it.until_all_came()

    async def slow() -> None:
        async with line() as it:
            it.proxy.rate = 2000.0
            it.send(20)
            await it.until_all_came()
            assert it.host.stats.reconnects == 0
            # It is of another stream in this process that a connection was replaced.
            assert it.host.stats.client_reconnects == 0

    run(reset(), cut_within_a_frame(), slow())


# The Azure client leaves connections to peers that froze to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_peers_that_freeze_are_noticed_and_replaced(line: Any, eventually: Any) -> None:
    async def frozen() -> None:
        """For ever: nothing comes and nothing goes, on old connections and on new ones."""
        async with line() as it:
            it.proxy.frozen = True
            it.send()
            await eventually(lambda: it.host.stats.reconnects > 0, 40)
            it.proxy.reset()
            it.proxy.frozen = False
            it.send()
            await it.until_all_came()

    async def frozen_connection() -> None:
        """One connection is forgotten by something in the middle; new ones work."""
        async with line() as it:
            it.proxy.mute = True
            it.send()
            await asyncio.sleep(0.5)
            port, it.proxy.port = it.proxy.port, 0
            await it.proxy.refuse()
            async with FaultProxy(it.emulator.port) as fresh:
                await fresh.refuse()
                fresh.port = port
                await fresh.listen()
                await it.until_all_came(40)
            it.proxy.port = port

    async def deaf() -> None:
        """Half open: what the peer says arrives, what we say does not."""
        async with line() as it:
            it.proxy.deaf = True
            it.send()
            await it.until_all_came()  # there is credit left
            await eventually(lambda: it.host.stats.reconnects > 0, 40)
            it.proxy.reset()
            it.proxy.deaf = False
            it.send()
            await it.until_all_came()

    run(frozen(), frozen_connection(), deaf())


def test_a_link_that_looks_well_and_brings_nothing_is_replaced(
    line: Any, logged: Logged, eventually: Any
) -> None:
    async def scenario() -> None:
        async with line() as it:
            held = it.emulator.faults.hold_events()
            it.send()
            await eventually(lambda: it.faults("silent") > 0, 40)
            it.emulator.faults.withdraw(held)
            await it.until_all_came()

    run(scenario())
    assert logged("looks well and brings nothing")


def test_a_link_that_brings_nothing_is_replaced_also_before_its_first_event(
    live: Live, logged: Logged, eventually: Any
) -> None:
    """Without a checkpoint, and without a store for one."""

    async def scenario() -> None:
        async with Emulator({"audit": 1}) as emulator:
            held = emulator.faults.hold_events()
            async with live(emulator) as host:
                await eventually(lambda: host.stream.receiving)
                emulator.append("audit", body("a"))
                await eventually(lambda: host.stats.faults["silent"] > 0, 40)
                emulator.faults.withdraw(held)
                await host.until(lambda host: host.ids == ["a"], 30)

    run(scenario())
    assert logged("looks well and brings nothing")


def test_one_question_without_an_answer_tears_down_no_link_that_brings_events(
    live: Live, eventually: Any, quick: Any
) -> None:
    """A namespace answers 50 questions a second, and other readers ask as well."""

    async def scenario() -> None:
        timing = replace(quick, census=3600.0)  # which would ask as well
        async with Emulator({"audit": 2}) as emulator, live(emulator, timing=timing) as host:
            await eventually(lambda: host.stream.receiving)
            once = emulator.faults.refuse_links(
                conditions.SERVER_BUSY, kind="management", manner="detach", times=1
            )
            sent = 0

            async def feed(condition: Callable[[], bool]) -> None:
                """Keep partition 0 busy and partition 1 quiet."""
                nonlocal sent
                async with asyncio.timeout(40):
                    while not condition():
                        emulator.append("audit", body(f"{sent}"), partition="0")
                        sent += 1
                        await asyncio.sleep(0.2)

            await feed(lambda: once.times == 0)
            partition = next(item for item in host.stream.partitions if item.id == "1")
            assert partition.newest is None
            # Time enough to close a client, and to ask again.
            later = time.monotonic() + timing.silent + 2.0
            await feed(lambda: time.monotonic() > later)
            assert host.stats.reconnects == 0
            emulator.faults.refuse_links(conditions.SERVER_BUSY, kind="management", manner="detach")
            # Twice in a row is trouble.
            await feed(lambda: host.stats.reconnects > 0)

    run(scenario())


def test_authorities_that_are_missing_for_a_moment_are_waited_for(
    live: Live, tmp_path: Path, logged: Logged, eventually: Any
) -> None:
    authorities = tmp_path / "authorities.pem"
    kept = Path(certifi.where()).read_bytes()
    authorities.write_bytes(kept)

    async def scenario() -> None:
        async with (
            Emulator({"audit": 1}) as emulator,
            live(emulator, ca_file=str(authorities)) as host,
        ):
            emulator.append("audit", body("a"))
            await host.until(lambda host: host.ids == ["a"])
            authorities.unlink()
            held = emulator.faults.hold_events()
            emulator.append("audit", body("b"))
            await eventually(lambda: host.stats.faults["untrusted"] >= 2, 40)
            emulator.faults.withdraw(held)
            authorities.write_bytes(kept)
            await host.until(lambda host: host.ids == ["a", "b"], 30)

    run(scenario())
    assert len(logged(f"ca_file {authorities} cannot be used (No such file")) == 1


def test_a_replica_without_a_partition_notices_an_outage_and_its_end(
    live: Live, container: Any, logged: Logged, eventually: Any
) -> None:
    async def scenario() -> None:
        async with (
            Emulator({"audit": 1}) as emulator,
            live(emulator, **container.config()) as first,
        ):
            await eventually(lambda: first.stream.receiving)
            async with live(emulator, **container.config()) as second:
                await eventually(lambda: second.stream.receiving, 30)
                assert not any(partition.owned for partition in second.stream.partitions)
                emulator.stop_listening()
                emulator.faults.abort_connections()
                await eventually(lambda: second.stats.reconnects > 0, 40)
                await emulator.resume_listening()
                await eventually(lambda: second.stream.receiving, 40)

    run(scenario())
    assert logged("receiving from audit again")


def test_outages_of_any_length_are_one_line_and_cost_no_event(
    line: Any, logged: Logged, eventually: Any
) -> None:
    seconds = {"short": TEN_SECONDS, "long": TEN_MINUTES}

    async def outage(length: float) -> str:
        async with line() as it:
            await it.proxy.away()
            it.send()
            await asyncio.sleep(length)
            it.send()
            await it.proxy.listen()
            await it.until_all_came()
            stats = it.host.stats
            if stats.reconnects:
                await eventually(lambda: bool(logged("receiving from audit again")))
            else:
                # Survived by the client: known once it is over.
                assert stats.client_reconnects == 1
                lost = logged(f"Event Hubs 127.0.0.1:{it.proxy.port} was lost")
                assert lost == [
                    f"partition 0: the connection to Event Hubs 127.0.0.1:{it.proxy.port} was "
                    "lost; the client made a new one"
                ]
                await eventually(lambda: bool(logged("partition 0: receiving again")))
            return f"127.0.0.1 port {it.proxy.port} "

    async def scenario(length: float) -> None:
        where = await outage(length)
        assert len(logged(where)) <= 1, "not one line a retry"

    run(*(scenario(length) for length in seconds.values()))
    # The long one was noticed, and its end too.
    assert logged("cannot be reached")
    assert logged("receiving from audit again")


def test_a_name_that_no_longer_resolves_is_named_and_waited_for(
    live: Live, logged: Logged, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, known = socket.getaddrinfo, {"hub.example": True}

    def resolve(host: Any, *args: Any, **options: Any) -> Any:
        if host == "hub.example":
            if not known[host]:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            host = "127.0.0.1"
        return real(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    async def scenario() -> None:
        async with Emulator({"audit": 1}) as emulator:
            named = emulator.connection_string().replace("127.0.0.1", "hub.example")
            async with live(emulator, event_hub_namespace_connection_string=Secret(named)) as host:
                emulator.append("audit", body("a"))
                await host.until(lambda host: host.ids == ["a"])
                known["hub.example"] = False
                emulator.faults.abort_connections()
                emulator.append("audit", body("b"))
                await eventually(lambda: host.stats.faults["unresolved"] >= 3, 30)
                known["hub.example"] = True
                await host.until(lambda host: host.ids == ["a", "b"])

    run(scenario())
    assert len(logged("hub.example does not resolve")) == 1


def test_a_clock_that_jumps_back_an_hour_stops_nothing(
    line: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any, quick: Any
) -> None:
    from azure.eventhub.aio._transport import _pyamqp_transport_async as transport

    class Clock:
        ahead = 0.0

        def time(self) -> float:
            return time.time() + self.ahead

    clock = Clock()
    monkeypatch.setattr(transport, "time", clock)

    async def scenario() -> None:
        async with line(timing=replace(quick, silent=4.0)) as it:
            clock.ahead = -3600.0
            # The client's calls stop for an hour; a new client is made instead.
            await eventually(lambda: it.host.stats.reconnects > 0, 20)
            it.send()
            await it.until_all_came()

    run(scenario())
