"""The plugin with Azurite, Microsoft's storage emulator, in Logpush's place."""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient
from cloudflare_logpush import CloudflareLogpush

from falcopy_sdk.host import Library
from falcopy_sdk.testing import standard_tests

SAMPLES = Path(__file__).parents[1] / "samples" / "events.jsonl"
LINES = SAMPLES.read_bytes().splitlines(keepends=True)
NOWHERE = (
    "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:9/a;"
)

TestStandard = standard_tests(
    CloudflareLogpush,
    config={"connection_string": NOWHERE, "container": "logs"},
    sample_events=SAMPLES,
)


@pytest.fixture
def container(azurite: Any) -> Iterator[ContainerClient]:
    with azurite.service() as service:
        yield service.create_container(f"logs-{uuid.uuid4()}")


def put(container: ContainerClient, name: str, *lines: bytes) -> None:
    container.upload_blob(f"audit/{name}.log.gz", gzip.compress(b"".join(lines)))


def read(azurite: Any, container: ContainerClient, state: Path, count: int) -> list[Any]:
    config = {
        "connection_string": azurite.connection_string(),
        "container": container.container_name,
        "prefix": "audit/",
        "state_file": str(state),
    }
    with (
        Library.from_class(CloudflareLogpush) as library,
        library.init(config) as plugin,
        plugin.open("") as instance,
    ):
        found = [
            plugin.extract(e, "cloudflare.action") for e in instance.events(limit=count, timeout=10)
        ]
        instance.next()  # coming back for more tells the plugin that these are finished with
        return found


def test_files_are_read_once_also_those_that_come_late(
    azurite: Any, container: ContainerClient, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    put(container, "20260203/20260203T040500Z_20260203T040530Z_a1", LINES[0], LINES[1])
    put(container, "20260203/20260203T040600Z_20260203T040630Z_b2", LINES[2])
    container.upload_blob("other/file.log.gz", b"not of this prefix")
    assert read(azurite, container, state, 3) == ["login", "delete", "token_create"]

    put(container, "20260203/20260203T040530Z_20260203T040600Z_c3", LINES[1])
    assert read(azurite, container, state, 1) == ["delete"]


def test_a_container_that_appears_later_is_waited_for(azurite: Any, tmp_path: Path) -> None:
    with azurite.service() as service:
        later = service.get_container_client(f"logs-{uuid.uuid4()}")
        config = {
            "connection_string": azurite.connection_string(),
            "container": later.container_name,
        }
        with (
            Library.from_class(CloudflareLogpush) as library,
            library.init(config) as plugin,
            plugin.open("") as instance,
        ):
            assert instance.next() is None
            later.create_container()
            put(later, "a", LINES[0])
            (event,) = instance.events(limit=1, timeout=10)
            assert plugin.extract(event, "cloudflare.ok") == 1
