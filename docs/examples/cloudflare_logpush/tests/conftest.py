"""Azurite, Microsoft's storage emulator, in the place of the storage account."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient

# The account that every Azurite has, by its README.
ACCOUNT = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey="
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
)


@pytest.fixture(scope="session")
def account() -> Iterator[str]:
    """The connection string of a storage account: the environment's, else of an Azurite."""
    if given := os.environ.get("AZURE_STORAGE_CONNECTION_STRING"):
        yield given
        return
    program = shutil.which("azurite-blob")
    if program is None:
        pytest.skip("no Azurite: npm install -g azurite")
    with subprocess.Popen(
        [program, "--blobPort=0", "--inMemoryPersistence", "--skipApiVersionCheck"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            lines = (re.search(r"listens on .*:(\d+)", line) for line in process.stdout)
            listens = next(filter(None, lines), None)
            assert listens, f"Azurite ended with {process.wait()} before it listened"
            yield f"{ACCOUNT}BlobEndpoint=http://127.0.0.1:{listens[1]}/devstoreaccount1;"
        finally:
            process.terminate()
            process.communicate()


@pytest.fixture
def service(account: str) -> Iterator[BlobServiceClient]:
    with BlobServiceClient.from_connection_string(account) as service:
        yield service


@pytest.fixture
def container(service: BlobServiceClient) -> ContainerClient:
    return service.create_container(f"logs-{uuid.uuid4()}")
