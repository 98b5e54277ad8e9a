"""The checkpoint container: what is checked before the first event, and what is said of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas
from k8saudit_aks.container import DeniedError, check_rights, explain, open_container
from k8saudit_aks.settings import Account, BlobSettings, Network

from falcopy_sdk import Secret
from falcopy_sdk.testing.eventhubs import Emulator

Live = Any
NAME = "ns/audit/$default/rights"


def signed(container: Any, permission: str) -> str:
    """A connection string with a shared access signature of some permissions."""
    signature = generate_container_sas(
        "devstoreaccount1",
        container.name,
        account_key=container.azurite.key,
        permission=ContainerSasPermissions.from_string(permission),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    address = f"http://127.0.0.1:{container.azurite.port}/devstoreaccount1"
    return f"BlobEndpoint={address};SharedAccessSignature={signature}"


def check(container: Any, connection_string: str, *, listing: bool = True) -> None:
    blob = BlobSettings(Account("devstoreaccount1", connection_string), container.name)

    async def run() -> None:
        async with open_container(blob, Network(), None) as client:
            await check_rights(client, NAME, listing=listing)

    asyncio.run(run())


def blobs(container: Any) -> list[str]:
    return [b.name for b in container.service.get_container_client(container.name).list_blobs()]


@pytest.mark.parametrize("permission", ["rwcl", "wl"])
def test_rights_that_suffice_are_found_and_nothing_is_left_behind(
    container: Any, permission: str
) -> None:
    check(container, signed(container, permission))
    check(container, container.azurite.connection_string())
    assert blobs(container) == []


@pytest.mark.parametrize(
    ("permission", "listing", "right"), [("rwc", True, "list"), ("rl", True, "write")]
)
def test_a_right_that_is_missing_is_named(
    container: Any, permission: str, listing: bool, right: str
) -> None:
    with pytest.raises(DeniedError) as caught:
        check(container, signed(container, permission), listing=listing)
    assert caught.value.right == right
    account = Account("acme", signed(container, permission))
    text = explain(caught.value, BlobSettings(account, "positions"), "checkpoint store", "key")
    assert f"container positions of account acme does not let us {right} blobs" in text
    assert "needs the permissions read, write, create and list" in text


def test_dead_letters_need_no_listing(container: Any) -> None:
    check(container, signed(container, "wc"), listing=False)


def test_a_stream_waits_for_a_right_and_says_which(
    live: Live, container: Any, logged: Any, eventually: Any
) -> None:
    keys = {
        "blob_storage_connection_string": Secret(signed(container, "rl")),
        "blob_storage_container_name": container.name,
    }

    async def run() -> None:
        async with Emulator({"audit": 1}) as emulator, live(emulator, **keys):
            await eventually(lambda: bool(logged("does not let us write blobs")))

    asyncio.run(run())
    assert not logged("sig=")
    assert not logged("opened connection to blob storage")


def test_a_blob_that_is_no_checkpoint_is_named_once_and_counts_as_none(
    live: Live, container: Any, logged: Any, eventually: Any
) -> None:
    async def run() -> None:
        async with Emulator({"audit": 1}) as emulator:
            name = f"{emulator.fully_qualified_namespace}/audit/$default/checkpoint/0"
            container.service.get_blob_client(container.name, name).upload_blob(b"")
            emulator.append("audit", b"no json")
            async with live(emulator, **container.config()) as host:
                await eventually(lambda: host.stats.checkpoints == 1)

    asyncio.run(run())
    (line,) = logged("is no checkpoint")
    assert "/audit/$default/checkpoint/0 of container" in line


def test_a_shared_access_signature_keeps_checkpoints(
    live: Live, container: Any, eventually: Any
) -> None:
    keys = {
        "blob_storage_connection_string": Secret(signed(container, "rwcl")),
        "blob_storage_container_name": container.name,
    }

    async def run() -> None:
        async with Emulator({"audit": 1}) as emulator, live(emulator, **keys):
            emulator.append("audit", b"no json")
            await eventually(lambda: len(container.checkpoints()) == 1)

    asyncio.run(run())
