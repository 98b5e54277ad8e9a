"""Identities: azure-identity's own clients against stand-ins of the token endpoints.

The emulator checks the tokens' signature, audience and lifetime; Azurite, over TLS, theirs.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from azure.storage.blob import ContainerClient

from falcopy_sdk import Secret
from falcopy_sdk.exceptions import SourceFatal
from falcopy_sdk.testing.eventhubs import Emulator

from .standins import EVENT_HUBS, STORAGE, TENANT, Authority, Entra

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
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


@asynccontextmanager
async def azure(entra: Entra, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Emulator]:
    """An event hub that takes this Entra's tokens, in an environment that leads to it."""
    async with (
        entra.serving(CA.server()) as environment,
        Emulator({"audit": 1}, tls=CA.server(), check_jwt=entra.check) as emulator,
    ):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield emulator


KINDS = {
    "workload_identity": {"client_id": "app", "tenant_id": TENANT},
    "managed_identity": {"client_id": "assigned"},
    "default": {"client_id": "assigned"},
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
        async with azure(entra, monkeypatch) as emulator:
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
        async with azure(entra, monkeypatch) as emulator:
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
        async with azure(entra, monkeypatch) as emulator:
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


@pytest.mark.parametrize("kind", ["workload_identity", "managed_identity"])
def test_an_endpoint_that_gives_no_token_is_named_and_tried_again(
    live: Live,
    keys: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    logged: Any,
    eventually: Any,
    tmp_path: Path,
    kind: str,
) -> None:
    entra = Entra(refuses=True)
    keys |= KINDS[kind]
    if kind == "workload_identity":
        keys["token_file_path"] = str(tmp_path / "token")

    async def run() -> None:
        async with azure(entra, monkeypatch) as emulator:
            emulator.append("audit", body("a"))
            async with live(
                emulator, auth=kind, custom_endpoint=emulator.custom_endpoint, **keys
            ) as host:
                await eventually(lambda: bool(logged(f"no token for auth: {kind}")), 30)
                entra.refuses = False
                await host.until(lambda host: host.ids == ["a"], 30)

    asyncio.run(run())
    assert not logged("federated-token-of-the-pod")


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
