"""The checkpoint store goes away, is busy, or gives a partition to another reader."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest
from k8saudit_aks import http
from k8saudit_aks.checkpoints import Checkpointer
from k8saudit_aks.settings import Network

from falcopy_sdk import Secret
from falcopy_sdk.testing.eventhubs import Emulator

from .faultproxy import FaultProxy
from .standins import Authority, Proxy

Live = Any
Logged = Any

BUSY = (
    b"HTTP/1.1 503 Server Busy\r\nx-ms-error-code: ServerBusy\r\nContent-Length: 0\r\n"
    b"Connection: close\r\n\r\n"
)
NAME = "devstoreaccount1.blob.example"
THROTTLED = BUSY.replace(b"503 Server Busy", b"429 Too Many Requests")


def body(audit_id: str) -> bytes:
    log = {"kind": "Event", "auditID": audit_id, "stageTimestamp": "2026-02-03T04:05:06Z"}
    record = {"category": "kube-audit", "properties": {"log": json.dumps(log)}}
    return json.dumps({"records": [record]}).encode()


def through(container: Any, proxy: FaultProxy, host: str = "") -> dict[str, Any]:
    """The configuration of ``container`` by way of ``proxy``; ``host`` has the account's name."""
    config = container.config()
    there = f"127.0.0.1:{container.azurite.port}"
    reached = config["blob_storage_connection_string"].reveal()
    if host:
        reached = reached.replace(f"{there}/devstoreaccount1", f"{host}:{proxy.port}")
    else:
        reached = reached.replace(there, f"127.0.0.1:{proxy.port}")
    return {**config, "blob_storage_connection_string": Secret(reached)}


def saved(container: Any) -> set[int]:
    return set(container.checkpoints().values())


def test_events_flow_on_while_the_store_is_away_and_checkpoints_catch_up(
    live: Live, container: Any, logged: Logged, eventually: Any
) -> None:
    async def run() -> None:
        async with (
            Emulator({"audit": 1}) as emulator,
            FaultProxy(container.azurite.port) as proxy,
            live(emulator, **through(container, proxy)) as host,
        ):
            emulator.append("audit", body("0"))
            await eventually(lambda: saved(container) == {0})
            await proxy.away()
            # As many rounds of sharing out, and checkpoints, as ten minutes have of them.
            for number in range(1, 9):
                emulator.append("audit", body(f"{number}"))
                await asyncio.sleep(1)
            await host.until(lambda host: len(host.ids) == 9)
            await eventually(lambda: host.stats.faults["store"] >= 2, 20)
            assert host.stats.checkpoint_errors >= 1
            # Event Hubs has trouble at the same time: a new client keeps what was ours.
            emulator.stop_listening()
            emulator.faults.abort_connections()
            await eventually(lambda: host.stats.reconnects > 0, 20)
            await emulator.resume_listening()
            emulator.append("audit", body("9"))
            await host.until(lambda host: "9" in host.ids, 30)
            assert saved(container) == {0}
            await proxy.listen()
            await eventually(lambda: saved(container) == {9}, 30)
            await eventually(lambda: bool(logged("checkpoint store: reachable again")))
            assert host.ids == [f"{number}" for number in range(10)]

    asyncio.run(run())
    assert len(logged("Events flow on; checkpoints wait")) == 1


@pytest.mark.parametrize("answer", [BUSY, THROTTLED], ids=["503", "429"])
def test_a_busy_store_is_an_outage_of_the_store(
    live: Live, container: Any, logged: Logged, eventually: Any, answer: bytes
) -> None:
    async def run() -> None:
        async with (
            Emulator({"audit": 1}) as emulator,
            FaultProxy(container.azurite.port) as proxy,
            live(emulator, **through(container, proxy)) as host,
        ):
            emulator.append("audit", body("0"))
            await eventually(lambda: saved(container) == {0})
            proxy.answer = answer
            proxy.reset()
            emulator.append("audit", body("1"))
            await eventually(lambda: host.stats.checkpoint_errors >= 1, 20)
            emulator.append("audit", body("2"))
            await host.until(lambda host: host.ids == ["0", "1", "2"])
            proxy.answer = None
            await eventually(lambda: saved(container) == {2}, 20)

    asyncio.run(run())
    assert len(logged("is busy")) == 1


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin's own limits are below; each test would take them many times."""
    monkeypatch.setattr(http, "_SOCKET_TIMEOUT", 0.5)
    monkeypatch.setattr(http, "_CONNECT_TIMEOUT", 1.0)
    monkeypatch.setattr(http, "_READ_TIMEOUT", 0.7)


def test_requests_to_storage_and_for_tokens_end_within_seconds() -> None:
    async def run() -> None:
        transport = http.options(Network())["transport"]
        limits = transport.connection_config
        assert (limits.timeout, limits.read_timeout) == (5.0, 15.0)
        await transport.close()

    asyncio.run(run())


@pytest.mark.usefixtures("impatient")
def test_a_store_that_takes_requests_and_never_answers_is_named_at_the_start(
    live: Live, container: Any, logged: Logged, eventually: Any
) -> None:
    async def run() -> None:
        async with (
            Emulator({"audit": 1}) as emulator,
            FaultProxy(container.azurite.port) as proxy,
        ):
            proxy.frozen = True
            emulator.append("audit", body("0"))
            async with live(emulator, **through(container, proxy)) as host:
                # Each round is two requests, since the client tries once more.
                await eventually(lambda: proxy.accepted >= 6, 40)
                assert host.stream.store_works is False
                assert host.ids == []
                proxy.frozen = False
                await host.until(lambda host: host.ids == ["0"], 30)
                await eventually(lambda: saved(container) == {0})

    asyncio.run(run())
    assert len(logged("does not answer; check network, DNS and firewall")) == 1
    assert len(logged("checkpoint store: reachable again")) == 1


@pytest.mark.usefixtures("impatient")
def test_a_store_that_freezes_later_is_named_and_events_flow_on(
    live: Live, container: Any, logged: Logged, eventually: Any
) -> None:
    async def run() -> None:
        async with (
            Emulator({"audit": 1}) as emulator,
            FaultProxy(container.azurite.port) as proxy,
            live(emulator, **through(container, proxy)) as host,
        ):
            emulator.append("audit", body("0"))
            await eventually(lambda: saved(container) == {0})
            proxy.frozen = True
            emulator.append("audit", body("1"))
            await eventually(lambda: host.stats.checkpoint_errors >= 2, 40)
            await eventually(lambda: host.stats.faults["store"] >= 2, 40)
            assert host.stream.store_works is False
            emulator.append("audit", body("2"))
            await host.until(lambda host: host.ids == ["0", "1", "2"])
            proxy.frozen = False
            await eventually(lambda: saved(container) == {2}, 30)
            await eventually(lambda: bool(logged("checkpoint store: reachable again")))

    asyncio.run(run())
    assert len(logged("does not answer; check network, DNS and firewall")) == 1


@pytest.mark.usefixtures("impatient")
def test_a_store_without_a_connection_is_one_line_and_no_signature_is_in_it(
    live: Live, logged: Logged, eventually: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """aiohttp names the whole URL of a request that got no connection, and so its signature."""
    caplog.set_level("DEBUG")

    async def run() -> None:
        # TCP is taken, and nothing said: TLS never begins.
        async with Emulator({"audit": 1}) as emulator, FaultProxy(emulator.port) as proxy:
            proxy.frozen = True
            keys = {
                "blob_storage_connection_string": Secret(
                    f"BlobEndpoint=https://127.0.0.1:{proxy.port}/devstoreaccount1;"
                    "SharedAccessSignature=sv=2025-01-05&sp=rwcl&sig=c2VjcmV0IHNpZ25hdHVyZQ%3D%3D"
                ),
                "blob_storage_container_name": "positions",
                "dead_letter_container": "dead",
            }
            async with live(emulator, **keys):
                await eventually(lambda: proxy.accepted >= 8, 60)

    asyncio.run(run())
    (line,) = logged("checkpoint store: ")
    assert "container positions of account 127.0.0.1 cannot be reached (no connection in" in line
    assert len(logged("dead letters: container dead")) == 1
    assert "c2VjcmV0" not in caplog.text


@pytest.mark.usefixtures("impatient")
def test_a_proxy_that_never_answers_is_no_reason_to_wait_for_ever(
    live: Live, logged: Logged, eventually: Any
) -> None:
    async def run() -> None:
        async with (
            Emulator({"audit": 1}, tls=Authority().server(), websocket=True) as emulator,
            Proxy(lambda _: ("127.0.0.1", emulator.port)) as proxy,
        ):
            proxy.silent = True
            keys = {
                "http_proxy": f"http://127.0.0.1:{proxy.port}",
                "blob_storage_connection_string": Secret(
                    "AccountName=acme;AccountKey=a2V5;BlobEndpoint=https://acme.blob.example"
                ),
                "blob_storage_container_name": "positions",
            }
            async with live(emulator, **keys) as host:
                await eventually(lambda: bool(logged("cannot be reached (no connection in")), 40)
                assert host.stream.store_works is False

    asyncio.run(run())


def test_a_store_whose_name_does_not_resolve_is_waited_for_at_the_start_and_later(
    live: Live,
    container: Any,
    logged: Logged,
    eventually: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, known = socket.getaddrinfo, {NAME: False}

    def resolve(host: Any, *args: Any, **options: Any) -> Any:
        if host == NAME:
            if not known[host]:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            host = "127.0.0.1"
        return real(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    async def run() -> None:
        async with (
            Emulator({"audit": 1}) as emulator,
            FaultProxy(container.azurite.port) as proxy,
            live(emulator, **through(container, proxy, NAME)) as host,
        ):
            emulator.append("audit", body("0"))
            # Without its position the stream does not begin.
            await eventually(lambda: bool(logged(NAME)))
            assert host.ids == []
            known[NAME] = True
            await host.until(lambda host: host.ids == ["0"])
            await eventually(lambda: saved(container) == {0})
            known[NAME] = False

            def noticed() -> bool:
                proxy.reset()  # the client remembers addresses for some seconds
                return bool(host.stats.faults["store"])

            await eventually(noticed, 30)
            emulator.append("audit", body("1"))
            await host.until(lambda host: host.ids == ["0", "1"])
            known[NAME] = True
            await eventually(lambda: saved(container) == {1}, 30)

    asyncio.run(run())


def test_a_partition_claimed_by_another_reader_is_let_go_and_taken_back_when_free(
    live: Live, container: Any, logged: Logged, eventually: Any
) -> None:
    async def run() -> None:
        async with (
            Emulator({"audit": 1}) as emulator,
            live(emulator, **container.config()) as host,
        ):
            emulator.append("audit", body("0"))
            await eventually(lambda: saved(container) == {0})
            name = f"{emulator.fully_qualified_namespace}/audit/$default/ownership/0"
            blob = container.service.get_blob_client(container.name, name)
            # Its etag changes: our next claim fails with 412.
            blob.set_blob_metadata({"ownerid": "somebody-else"})
            await eventually(lambda: host.stats.faults["moved"] == 1)
            # That reader is never heard of again.
            emulator.append("audit", body("1"))
            await host.until(lambda host: host.ids == ["0", "1"], 30)
            await eventually(lambda: saved(container) == {1})

    asyncio.run(run())
    assert len(logged("moved to another reader")) == 1
    assert logged("partition 0: receiving again")


def test_a_stream_that_ends_at_any_moment_leaves_no_claim_behind(
    live: Live, container: Any
) -> None:
    async def run() -> None:
        async with Emulator({"audit": 4}) as emulator:
            for seconds in (0.7, 1.1, 1.5, 2.2):
                async with live(emulator, **container.config()):
                    await asyncio.sleep(seconds)
                blobs = container.service.get_container_client(container.name).list_blobs(
                    include=["metadata"]
                )
                owners = {
                    blob.name: blob.metadata["ownerid"]
                    for blob in blobs
                    if "/ownership/" in blob.name
                }
                assert not any(owners.values()), owners

    asyncio.run(run())


def test_checkpoints_that_cannot_even_be_tried_end_the_stream_with_the_cause(
    live: Live, container: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours: the runtime starts the source again, which silence would not."""

    async def broken(*_: Any) -> None:
        raise RuntimeError("a mistake in the plugin")

    monkeypatch.setattr(Checkpointer, "flush", broken)

    async def run() -> None:
        async with Emulator({"audit": 1}) as emulator, live(emulator, **container.config()):
            await asyncio.sleep(3)

    with pytest.raises(RuntimeError, match="a mistake in the plugin"):
        asyncio.run(run())
