"""TLS, web sockets, proxies and endpoints of one's own, with the real client and Azurite."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import TYPE_CHECKING, Any

import pytest
from k8saudit_aks.log import redact

from falcopy_sdk import Secret
from falcopy_sdk.exceptions import SourceFatal
from falcopy_sdk.testing.eventhubs import Emulator

from .standins import Authority, Proxy

if TYPE_CHECKING:
    from pathlib import Path

Live = Any
CA = Authority()


def body(audit_id: str) -> bytes:
    log = {"kind": "Event", "auditID": audit_id, "stageTimestamp": "2026-02-03T04:05:06Z"}
    record = {"category": "kube-audit", "properties": {"log": json.dumps(log)}}
    return json.dumps({"records": [record]}).encode()


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    return str(CA.write(tmp_path)[0])


@pytest.mark.parametrize("transport", ["amqp", "websocket"])
def test_events_arrive_over_tls_with_an_authority_of_ones_own(
    live: Live, ca_file: str, transport: str
) -> None:
    async def run() -> None:
        async with Emulator(
            {"audit": 2}, tls=CA.server(), websocket=transport == "websocket"
        ) as emulator:
            keys = {"custom_endpoint": emulator.custom_endpoint, "ca_file": ca_file}
            emulator.append("audit", body("a"), partition="0")
            emulator.append("audit", body("b"), partition="1")
            async with live(emulator, transport=transport, **keys) as host:
                await host.until(lambda host: sorted(host.ids) == ["a", "b"])
                emulator.append("audit", body("c"), partition="1")
                await host.until(lambda host: "c" in host.ids)
            assert emulator.witness.internal_errors == []

    asyncio.run(run())


def test_an_authority_that_is_not_trusted_is_named_with_what_to_do(
    live: Live, logged: Any, eventually: Any
) -> None:
    async def run() -> None:
        async with (
            Emulator({"audit": 1}, tls=CA.server()) as emulator,
            live(emulator, custom_endpoint=emulator.custom_endpoint),
        ):
            await eventually(lambda: bool(logged("not trusted")))

    asyncio.run(run())
    assert "ca_file" in logged("not trusted")[0]


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_of_authorities_that_is_none_ends_the_source(
    live: Live, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)

    async def run() -> None:
        async with Emulator({"audit": 1}) as emulator, live(emulator, ca_file=str(path)):
            await asyncio.sleep(1)

    with pytest.raises(SourceFatal, match=r"ca.pem cannot be used .*readable PEM file"):
        asyncio.run(run())


def test_a_proxy_with_a_password_leads_to_event_hubs(live: Live, ca_file: str) -> None:
    async def run() -> None:
        async with (
            Emulator({"audit": 1}, tls=CA.server(), websocket=True) as emulator,
            Proxy(lambda target: ("127.0.0.1", emulator.port)) as proxy,
        ):
            emulator.append("audit", body("a"))
            # No endpoint of one's own: the client asks the proxy for the namespace, port 443.
            async with live(
                emulator,
                ca_file=ca_file,
                http_proxy=f"http://127.0.0.1:{proxy.port}",
                http_proxy_username="falco",
                http_proxy_password=Secret("proxy-password"),
            ) as host:
                await host.until(lambda host: host.ids == ["a"])
            assert set(proxy.connected) == {"127.0.0.1:443"}

    asyncio.run(run())


# The client leaves its session behind when a web socket cannot be opened.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_proxy_that_refuses_is_retried_and_its_password_is_in_no_line(
    live: Live, ca_file: str, logged: Any, eventually: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        async with (
            Emulator({"audit": 1}, tls=CA.server(), websocket=True) as emulator,
            Proxy(lambda target: ("127.0.0.1", emulator.port)) as proxy,
            live(
                emulator,
                ca_file=ca_file,
                http_proxy=f"http://127.0.0.1:{proxy.port}",
                http_proxy_username="falco",
                http_proxy_password=Secret("not-the-password"),
            ) as host,
        ):
            await eventually(lambda: host.stats.reconnects >= 2 and proxy.refused >= 2)
            gc.collect()
            assert "Unclosed client session" not in caplog.text

    asyncio.run(run())
    assert logged("the proxy 127.0.0.1 refused us (407); check http_proxy_username")
    assert not logged("not-the-password")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("url='http://falco:p:@ss@proxy:3128'.", "url='http://falco:***@proxy:3128'."),
        ("see https://learn.microsoft.com/a:b@c", "see https://learn.microsoft.com/a:b@c"),
        ("token eyJhbGciOiJ9.eyJhdWQi.c2ln-_ is", "token *** is"),
        ("AccountKey=a2V5;x", "AccountKey=***;x"),
    ],
)
def test_what_grants_access_is_taken_out_of_texts(text: str, shown: str) -> None:
    assert redact(text) == shown
