"""TLS, web sockets and tokens of the emulator, with the unmodified Azure clients."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import Any

import pytest
import trustme
from azure.core.credentials import AccessToken
from azure.eventhub import EventData, TransportType
from azure.eventhub.aio import EventHubConsumerClient, EventHubProducerClient
from azure.eventhub.exceptions import AuthenticationError

from falcopy_sdk.testing.eventhubs import Emulator

CA = trustme.CA()


def server_side() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    CA.issue_cert("127.0.0.1").configure_cert(context)
    return context


def client_side() -> ssl.SSLContext:
    context = ssl.create_default_context()
    CA.configure_trust(context)
    return context


async def first_body(client: EventHubConsumerClient) -> bytes:
    found: asyncio.Queue[bytes] = asyncio.Queue()

    async def on_event(context: Any, event: Any) -> None:
        found.put_nowait(b"".join(event.body))

    async with client:
        task = asyncio.create_task(client.receive(on_event, starting_position="-1"))
        try:
            async with asyncio.timeout(20):
                return await found.get()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("websocket", [False, True])
def test_producer_and_consumer_meet_over_tls(websocket: bool) -> None:
    async def run() -> None:
        async with Emulator({"audit": 1}, tls=server_side(), websocket=websocket) as emulator:
            options: dict[str, Any] = {
                "custom_endpoint_address": emulator.custom_endpoint,
                "ssl_context": client_side(),
                "transport_type": TransportType.AmqpOverWebsocket
                if websocket
                else TransportType.Amqp,
            }
            address = emulator.connection_string("audit")
            large = b"x" * 300_000
            async with EventHubProducerClient.from_connection_string(address, **options) as client:
                await client.send_event(EventData(large))
            consumer = EventHubConsumerClient.from_connection_string(address, "$Default", **options)
            assert await first_body(consumer) == large
            assert emulator.witness.internal_errors == []

    asyncio.run(run())


def test_a_web_socket_of_another_path_is_refused() -> None:
    async def run() -> None:
        async with Emulator({"audit": 1}, websocket=True) as emulator:
            reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
            writer.write(
                b"GET /other HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            assert (await reader.readline()).startswith(b"HTTP/1.1 404")
            writer.close()
            await writer.wait_closed()

    asyncio.run(run())


class Credential:
    def __init__(self, token: str) -> None:
        self._token = token

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken(self._token, int(time.time()) + 3600)


def test_tokens_are_judged_by_who_knows_them() -> None:
    def check(token: str) -> float:
        if token != "good":
            raise ValueError("not one of ours")
        return time.time() + 60

    async def run() -> None:
        async with Emulator({"audit": 1}, check_jwt=check) as emulator:
            emulator.append("audit", b"body")

            def consumer(token: str) -> EventHubConsumerClient:
                return EventHubConsumerClient(
                    emulator.fully_qualified_namespace,
                    "audit",
                    "$Default",
                    Credential(token),
                    use_tls=False,
                    retry_total=0,
                )

            assert await first_body(consumer("good")) == b"body"
            async with consumer("bad") as client:
                with pytest.raises(AuthenticationError):
                    await client.get_eventhub_properties()
            assert {token.status for token in emulator.witness.tokens} == {202, 401}

    asyncio.run(run())
