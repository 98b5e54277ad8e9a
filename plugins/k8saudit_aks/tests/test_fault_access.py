"""Tokens that expire, keys that are rotated, links that are taken away, and hubs that are busy."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.eventhub._client_base import _generate_sas_token
from azure.eventhub.aio import _client_base_async as credentials

from falcopy_sdk import Secret
from falcopy_sdk.testing.eventhubs import Emulator, conditions

Live = Any
Logged = Any
#: Of a token; the real ones are good for an hour and more.
LIFETIME = 4


def body(audit_id: str, padding: int = 0) -> bytes:
    log = {
        "kind": "Event",
        "auditID": audit_id,
        "stageTimestamp": "2026-02-03T04:05:06Z",
        "padding": "x" * padding,
    }
    record = {"category": "kube-audit", "properties": {"log": json.dumps(log)}}
    return json.dumps({"records": [record]}).encode()


class Gate:
    """In the place of a rate limit: a host that takes nothing until it is opened."""

    burst = 16

    def __init__(self) -> None:
        self._open = asyncio.Event()

    def open(self) -> None:
        self._open.set()

    async def take(self, count: int) -> None:
        assert count > 0
        await self._open.wait()


@pytest.fixture(params=["sas", "jwt"])
def short_lived(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens of the client that are good for seconds, signed ones or those of an identity."""

    async def sas(self: Any, *scopes: str, **_: Any) -> AccessToken:
        return _generate_sas_token(scopes[0], self.policy, self.key, timedelta(seconds=LIFETIME))

    async def jwt(self: Any, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken("header.payload.signature", int(time.time()) + LIFETIME)

    credential = credentials.EventHubSharedKeyCredential
    monkeypatch.setattr(credential, "get_token", sas if request.param == "sas" else jwt)
    if request.param == "jwt":
        made = credential.__init__

        def init(self: Any, *args: Any) -> None:
            made(self, *args)
            self.token_type = b"jwt"

        monkeypatch.setattr(credential, "__init__", init)


@pytest.mark.usefixtures("short_lived")
def test_a_host_that_is_slow_for_many_lifetimes_of_a_token_gets_everything_afterwards(
    live: Live, request: pytest.FixtureRequest, eventually: Any
) -> None:
    async def run() -> None:
        gate = Gate()
        async with Emulator({"audit": 1}) as emulator:
            # More than the intake and the client's buffers hold: callbacks wait.
            sent = [f"{number}" for number in range(1200)]
            emulator.append("audit", *(body(audit_id, 60_000) for audit_id in sent))
            async with live(emulator, maxEventSize=1_000_000, rate_limit=gate) as host:
                await eventually(lambda: host.stream.queued_bytes > 1_000_000)
                await asyncio.sleep(3 * LIFETIME)
                assert host.ids == []
                assert host.stats.reconnects == 0
                gate.open()
                await host.until(lambda host: len(host.ids) >= len(sent), 40)
                emulator.append("audit", body("last"))
                await host.until(lambda host: "last" in host.ids, 40)
                assert host.ids == [*sent, "last"]
                # Its token had ended: the client made a new connection, with a new one.
                assert host.stats.client_reconnects >= 1
        kinds = {token.type for token in emulator.witness.tokens}
        assert ("jwt" in kinds) == ("jwt" in request.node.name)

    asyncio.run(run())


def test_a_signature_that_expires_is_named_and_tried_for_ever(
    live: Live, logged: Logged, eventually: Any
) -> None:
    async def run() -> None:
        async with Emulator({"audit": 1}) as emulator:
            emulator.append("audit", body("a"))
            signature = emulator.shared_access_signature(seconds=LIFETIME)
            text = (
                f"Endpoint=sb://{emulator.fully_qualified_namespace};"
                f"SharedAccessSignature={signature};UseDevelopmentEmulator=true"
            )
            async with live(emulator, event_hub_namespace_connection_string=Secret(text)) as host:
                await host.until(lambda host: host.ids == ["a"])
                await eventually(lambda: host.stats.faults["refused"] >= 3, 40)

    asyncio.run(run())
    # The link first, by the service's own words, then the whole hub.
    assert len(logged("refused the credentials")) <= 2
    assert logged("refused the credentials")
    assert not logged("sig=") or logged("sig=***")


def test_a_rotated_key_is_named_and_the_stream_goes_on_when_it_is_back(
    live: Live, logged: Logged, eventually: Any
) -> None:
    async def run() -> None:
        async with Emulator({"audit": 1}, key="b2xkIGtleQ==") as emulator:
            emulator.append("audit", body("a"))
            async with live(emulator) as host:
                await host.until(lambda host: host.ids == ["a"])
                emulator.faults.revoke_key("bmV3IGtleQ==")
                emulator.faults.expire_tokens()
                emulator.append("audit", body("b"))
                await eventually(lambda: host.stats.faults["refused"] >= 3, 40)
                emulator.faults.revoke_key("b2xkIGtleQ==")
                await host.until(lambda host: host.ids == ["a", "b"], 30)
                await eventually(lambda: bool(logged("receiving from audit again")))

    asyncio.run(run())
    assert 1 <= len(logged("refused the credentials")) <= 2
    assert "policy RootManageSharedAccessKey" in logged("refused the credentials")[0]


def test_two_readers_that_take_a_partition_from_each_other_do_not_fill_the_log(
    live: Live, logged: Logged, eventually: Any, container: Any
) -> None:
    async def run() -> None:
        async with (
            Emulator({"audit": 1}) as emulator,
            live(emulator, **container.config()) as host,
        ):
            for number in range(4):
                emulator.append("audit", body(f"{number}"))
                await host.until(lambda host, number=number: f"{number}" in host.ids)
                emulator.faults.detach(conditions.LINK_STOLEN, kind="consumer")
                await eventually(lambda number=number: host.stats.faults["stolen"] > number)
            emulator.append("audit", body("last"))
            await host.until(lambda host: "last" in host.ids)
            assert host.ids == ["0", "1", "2", "3", "last"]
            # It is told that it is over when it has been for a while.
            await eventually(lambda: len(logged("partition 0: receiving again")) == 2)

    asyncio.run(run())
    assert len(logged("another reader of consumer group")) == 2


def test_a_busy_hub_is_named_and_waited_for(live: Live, logged: Logged, eventually: Any) -> None:
    async def run() -> None:
        async with Emulator({"audit": 1}) as emulator, live(emulator) as host:
            emulator.append("audit", body("a"))
            await host.until(lambda host: host.ids == ["a"])
            busy = emulator.faults.refuse_links(
                conditions.SERVER_BUSY,
                "The request was throttled.",
                kind="consumer",
                manner="detach",
            )
            emulator.faults.detach(conditions.SERVER_BUSY, kind="consumer")
            emulator.append("audit", body("b"))
            await eventually(lambda: host.stats.faults["throttled"] >= 2, 30)
            assert not host.stream.receiving
            assert host.stats.reconnects == 0
            emulator.faults.withdraw(busy)
            await host.until(lambda host: host.ids == ["a", "b"], 30)
            assert host.stream.receiving

    asyncio.run(run())
    assert 1 <= len(logged("is throttling; add throughput units")) <= 2


def test_a_link_that_was_refused_once_is_not_held_against_those_that_follow(
    live: Live, eventually: Any
) -> None:
    async def run() -> None:
        async with Emulator({"audit": 1}) as emulator, live(emulator) as host:
            await eventually(lambda: host.stream.receiving)
            # The client opens it again by itself.
            once = emulator.faults.refuse_links(
                conditions.RESOURCE_LIMIT_EXCEEDED, kind="consumer", times=1
            )
            emulator.faults.detach(kind="consumer")
            await eventually(lambda: once.times == 0)
            emulator.append("audit", body("a"))
            await host.until(lambda host: host.ids == ["a"])
            # It gives this one up, and opens another in its next round.
            emulator.faults.detach(conditions.LINK_STOLEN, kind="consumer")
            emulator.append("audit", body("b"))
            await host.until(lambda host: host.ids == ["a", "b"])
            assert host.stats.reconnects == 0

    asyncio.run(run())


def test_a_missing_group_is_noticed_within_seconds(
    live: Live, logged: Logged, eventually: Any
) -> None:
    async def run() -> None:
        async with Emulator({"audit": 1}) as emulator:
            began = time.monotonic()
            async with live(emulator, consumer_group="falco") as host:
                await eventually(lambda: host.stats.faults["no_group"] > 0)
                # Before anything counts as silent.
                assert time.monotonic() - began < 5.0
                # It never had a link that could be replaced.
                assert host.stats.client_reconnects == 0

    asyncio.run(run())
    assert logged("refuses to let us read partition 0 of audit; check that consumer group falco")
