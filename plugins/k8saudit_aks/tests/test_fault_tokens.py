"""No token: for each kind of identity, each cause, and each of those who would need one."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from k8saudit_aks import http

from falcopy_sdk import Secret

from .faultproxy import FaultProxy
from .standins import KINDS, Authority, Entra, azure

if TYPE_CHECKING:
    from pathlib import Path

Live = Any
CA = Authority()


def body(audit_id: str) -> bytes:
    log = {"kind": "Event", "auditID": audit_id, "stageTimestamp": "2026-02-03T04:05:06Z"}
    record = {"category": "kube-audit", "properties": {"log": json.dumps(log)}}
    return json.dumps({"records": [record]}).encode()


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "token").write_text("federated-token-of-the-pod")
    return {
        "event_hub_namespace_connection_string": Secret(""),
        "fully_qualified_namespace": "ns.servicebus.windows.net",
        "ca_file": str(CA.write(tmp_path)[0]),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_an_endpoint_that_gives_no_token_is_named_once_and_tried_again(
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
        async with azure(entra, CA, monkeypatch) as emulator:
            emulator.append("audit", body("a"))
            async with live(
                emulator, auth=kind, custom_endpoint=emulator.custom_endpoint, **keys
            ) as host:
                await eventually(lambda: host.stats.faults["refused"] >= 3, 40)
                assert entra.refused >= 3
                entra.refuses = False
                await host.until(lambda host: host.ids == ["a"], 30)

    asyncio.run(run())
    # Though each answer of Entra is another text.
    (line,) = logged(f"no token for auth: {kind}")
    assert {
        "workload_identity": "AADSTS700213: No matching federated identity",
        "managed_identity": "The requested identity has not been assigned to this resource.",
        # Of the credentials in the chain, each with its reason.
        "default": "; ManagedIdentityCredential: ManagedIdentityCredential authentication unav",
    }[kind] in line
    assert "check client_id and tenant_id" in line
    assert not logged("federated-token-of-the-pod")


def test_a_store_that_gets_no_token_is_not_said_to_refuse_one(
    live: Live,
    keys: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    logged: Any,
    eventually: Any,
    tmp_path: Path,
) -> None:
    entra = Entra(refuses=True)
    keys |= KINDS["workload_identity"] | {
        "auth": "workload_identity",
        "token_file_path": str(tmp_path / "token"),
        "storage_account_url": "https://acme.blob.example",
        "blob_storage_container_name": "positions",
        "dead_letter_container": "dead",
    }

    async def run() -> None:
        async with (
            azure(entra, CA, monkeypatch) as emulator,
            live(emulator, custom_endpoint=emulator.custom_endpoint, **keys),
        ):
            await eventually(lambda: entra.refused >= 5, 40)
            await eventually(lambda: len(logged("cannot be used: no token for auth")) == 2)

    asyncio.run(run())
    for what in ("checkpoint store: container positions", "dead letters: container dead"):
        (line,) = logged(what)
        assert "cannot be used: no token for auth: workload_identity (client_id app)" in line
        assert "AADSTS700213" in line
        # Which is for an account that has refused the token.
        assert "Storage Blob Data Contributor" not in line


def test_an_identity_of_a_machine_that_has_none_to_ask_has_trouble_with_the_network(
    live: Live,
    keys: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    logged: Any,
    eventually: Any,
) -> None:
    async def run() -> None:
        async with azure(Entra(), CA, monkeypatch) as emulator, FaultProxy(emulator.port) as proxy:
            await proxy.refuse()
            address = f"http://127.0.0.1:{proxy.port}"
            monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", address)
            async with live(
                emulator,
                auth="managed_identity",
                custom_endpoint=emulator.custom_endpoint,
                **keys,
            ) as host:
                await eventually(lambda: host.stats.faults["unreachable"] >= 2, 30)
                assert host.stats.faults["refused"] == 0

    asyncio.run(run())
    (line,) = logged("no token for auth: managed_identity")
    assert "towards 169.254.169.254" in line


@pytest.mark.parametrize("manner", ["refuses connections", "never answers"])
def test_an_outage_of_the_token_endpoint_is_an_outage_like_any_other(
    live: Live,
    keys: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    logged: Any,
    eventually: Any,
    tmp_path: Path,
    manner: str,
) -> None:
    monkeypatch.setattr(http, "_SOCKET_TIMEOUT", 1.0)
    entra = Entra()
    keys |= KINDS["workload_identity"] | {"token_file_path": str(tmp_path / "token")}

    async def run() -> None:
        async with azure(entra, CA, monkeypatch) as emulator:
            there = os.environ["AZURE_AUTHORITY_HOST"]
            _, _, port = there.rpartition(":")
            async with FaultProxy(int(port)) as proxy:
                monkeypatch.setenv("AZURE_AUTHORITY_HOST", f"https://127.0.0.1:{proxy.port}")
                if manner == "never answers":
                    proxy.frozen = True
                else:
                    await proxy.refuse()
                emulator.append("audit", body("a"))
                async with live(
                    emulator,
                    auth="workload_identity",
                    custom_endpoint=emulator.custom_endpoint,
                    **keys,
                ) as host:
                    await eventually(lambda: host.stats.faults["unreachable"] >= 2, 40)
                    # It is not Event Hubs that has not answered.
                    assert host.stats.faults["timeout"] == 0
                    proxy.frozen = False
                    if manner == "refuses connections":
                        await proxy.listen()
                    await host.until(lambda host: host.ids == ["a"], 60)

    asyncio.run(run())
    (line,) = logged("no token for auth")
    assert "firewall towards Microsoft Entra ID" in line
    # Of the request's address no more than the host.
    assert "/oauth2/" not in line
