"""Identities: azure-identity's own clients against stand-ins of the token endpoints.

The emulator checks the tokens' signature, audience and lifetime; Azurite, over TLS, theirs.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from azure.storage.blob import ContainerClient

from falcopy_sdk import Secret
from falcopy_sdk.exceptions import SourceFatal
from falcopy_sdk.testing.eventhubs import Emulator

from .standins import EVENT_HUBS, KINDS, STORAGE, Authority, Entra, Proxy, azure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Live = Any
CA = Authority()


def body(audit_id: str) -> bytes:
    log = {"kind": "Event", "auditID": audit_id, "stageTimestamp": "2026-02-03T04:05:06Z"}
    record = {"category": "kube-audit", "properties": {"log": json.dumps(log)}}
    return json.dumps({"records": [record]}).encode()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    return CA.write(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def account(files: tuple[Path, Path, Path], azurite_with: Any) -> Iterator[str]:
    """The URL of an Azurite that takes tokens, which it does over TLS only."""
    options = ["--oauth", "basic", "--cert", str(files[1]), "--key", str(files[2])]
    with azurite_with(*options) as url:
        yield f"{url}/devstoreaccount1"


@pytest.fixture
def positions(
    account: str, files: tuple[Path, Path, Path], azurite: Any
) -> Iterator[ContainerClient]:
    """A new container of it, for us to look into with the account's key."""
    name = f"positions-{uuid.uuid4().hex[:8]}"
    with ContainerClient(
        account, name, credential=azurite.key, connection_verify=str(files[0])
    ) as container:
        container.create_container()
        yield container


@pytest.fixture
def keys(files: tuple[Path, Path, Path], tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "token").write_text("federated-token-of-the-pod")
    return {
        "event_hub_namespace_connection_string": Secret(""),
        "fully_qualified_namespace": "ns.servicebus.windows.net",
        "ca_file": str(files[0]),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_an_identity_reads_the_hub_and_keeps_checkpoints(
    live: Live,
    keys: dict[str, Any],
    account: str,
    positions: ContainerClient,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Any,
    tmp_path: Path,
    kind: str,
) -> None:
    entra = Entra()
    keys |= KINDS[kind] | {
        "auth": kind,
        "storage_account_url": account,
        "blob_storage_container_name": positions.container_name,
    }
    if kind == "workload_identity":
        keys["token_file_path"] = str(tmp_path / "token")

    def written() -> list[str]:
        return [blob.name for blob in positions.list_blobs() if "/checkpoint/" in blob.name]

    async def run() -> None:
        async with azure(entra, CA, monkeypatch) as emulator:
            emulator.append("audit", body("a"))
            async with live(emulator, custom_endpoint=emulator.custom_endpoint, **keys) as host:
                await host.until(lambda host: host.ids == ["a"])
                await eventually(lambda: host.stats.checkpoints > 0)
            assert {token.type for token in emulator.witness.tokens} == {"jwt"}
            assert {token.status for token in emulator.witness.tokens} == {202}

    asyncio.run(run())
    who = "app" if kind == "workload_identity" else "assigned"
    assert set(entra.asked) == {(who, EVENT_HUBS), (who, STORAGE)}
    # One token each, for all connections.
    assert len(entra.asked) <= 3
    assert written() == ["ns.servicebus.windows.net/audit/$default/checkpoint/0"]


def test_a_system_assigned_identity_needs_no_client_id(
    live: Live, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    entra = Entra()

    async def run() -> None:
        async with azure(entra, CA, monkeypatch) as emulator:
            emulator.append("audit", body("a"))
            async with live(
                emulator,
                auth="managed_identity",
                custom_endpoint=emulator.custom_endpoint,
                **keys,
            ) as host:
                await host.until(lambda host: host.ids == ["a"])

    asyncio.run(run())
    assert set(entra.asked) == {("system", EVENT_HUBS)}


def test_an_identity_without_a_role_is_told_which_and_goes_on_once_it_has_it(
    live: Live,
    keys: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    logged: Any,
    eventually: Any,
) -> None:
    entra = Entra()

    async def run() -> None:
        async with azure(entra, CA, monkeypatch) as emulator:
            rule = emulator.faults.reject_tokens()
            emulator.append("audit", body("a"))
            async with live(
                emulator,
                auth="managed_identity",
                custom_endpoint=emulator.custom_endpoint,
                **keys,
            ) as host:
                await eventually(lambda: bool(logged("Azure Event Hubs Data Receiver")))
                emulator.faults.withdraw(rule)
                await host.until(lambda host: host.ids == ["a"])

    asyncio.run(run())
    (line,) = logged("Azure Event Hubs Data Receiver")
    assert "refused the token of auth: managed_identity" in line
    assert not logged("eyJ")


def test_a_proxy_leads_to_the_hub_the_blobs_and_the_tokens(
    live: Live,
    keys: dict[str, Any],
    account: str,
    positions: ContainerClient,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Any,
    tmp_path: Path,
) -> None:
    entra = Entra()
    keys |= KINDS["workload_identity"] | {
        "auth": "workload_identity",
        "fully_qualified_namespace": "127.0.0.1",
        "token_file_path": str(tmp_path / "token"),
        "storage_account_url": account,
        "blob_storage_container_name": positions.container_name,
        "http_proxy_username": "falco",
        "http_proxy_password": Secret("proxy-password"),
    }

    async def run() -> None:
        async with (
            entra.serving(CA.server()) as environment,
            Emulator(
                {"audit": 1}, tls=CA.server(), check_jwt=entra.check, websocket=True
            ) as emulator,
            Proxy(lambda target: _beyond(target, emulator)) as proxy,
        ):
            for name, value in environment.items():
                monkeypatch.setenv(name, value)
            emulator.append("audit", body("a"))
            there = f"http://127.0.0.1:{proxy.port}"
            async with live(emulator, http_proxy=there, **keys) as host:
                await host.until(lambda host: host.ids == ["a"])
                await eventually(lambda: host.stats.checkpoints > 0)
            reached = {
                "127.0.0.1:443",
                urlsplit(account).netloc,
                urlsplit(environment["AZURE_AUTHORITY_HOST"]).netloc,
            }
            assert set(proxy.connected) == reached

    asyncio.run(run())


def _beyond(target: str, emulator: Emulator) -> tuple[str, int]:
    host, _, port = target.rpartition(":")
    return host, emulator.port if port == "443" else int(port)


def test_a_token_that_is_not_mounted_yet_is_waited_for_by_hub_store_and_dead_letters(
    live: Live,
    keys: dict[str, Any],
    account: str,
    positions: ContainerClient,
    monkeypatch: pytest.MonkeyPatch,
    logged: Any,
    eventually: Any,
    tmp_path: Path,
) -> None:
    entra = Entra()
    token = tmp_path / "later"
    keys |= KINDS["workload_identity"] | {
        "auth": "workload_identity",
        "token_file_path": str(token),
        "storage_account_url": account,
        "blob_storage_container_name": positions.container_name,
        "dead_letter_container": positions.container_name,
    }

    async def run() -> None:
        async with azure(entra, CA, monkeypatch) as emulator:
            emulator.append("audit", b"no json", body("a"))
            async with live(emulator, custom_endpoint=emulator.custom_endpoint, **keys) as host:
                await eventually(lambda: bool(logged(str(token))))
                token.write_text("federated-token-of-the-pod")
                await host.until(lambda host: host.ids == ["a"], 30)
                await eventually(lambda: host.stats.checkpoints > 0)
            assert host.stats.dead_letters == 1

    asyncio.run(run())


def test_a_workload_identity_that_lacks_a_value_ends_the_source(
    live: Live, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)

    async def run() -> None:
        async with (
            Emulator({"audit": 1}) as emulator,
            live(emulator, auth="workload_identity", **keys),
        ):
            await asyncio.sleep(1)

    with pytest.raises(SourceFatal, match=r"auth: workload_identity: .*'tenant_id', 'client_id'"):
        asyncio.run(run())
