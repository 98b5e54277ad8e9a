"""What the tests of the SDK and of its plugins share."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from azure.storage.blob import BlobServiceClient

ROOT = Path(__file__).parent

#: The account that every Azurite has; its key is public (Azurite's README).
_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, so that no worker starts on one when the others are done."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def make_once(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, Callable[[Path], Path]], Path]:
    """``make_once(name, make)``: what ``make(folder)`` returns, made once for all workers."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def once(name: str, make: Callable[[Path], Path]) -> Path:
        folder = shared / "once" / name
        folder.mkdir(parents=True, exist_ok=True)
        made = folder / "made"
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                made.write_text(str(make(folder)))
        return Path(made.read_text())

    return once


@pytest.fixture(scope="session")
def build_once(make_once: Callable[..., Path]) -> Callable[..., Path]:
    """``build_once(name, target)``: a built plugin library, one for all workers of a test run."""

    def build(name: str, target: str | Path) -> Path:
        def make(folder: Path) -> Path:
            command = [Path(sys.executable).with_name("falcopy"), "build", target]
            done = subprocess.run(
                [*command, "--output", folder / name],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return folder / name

        return make_once(name, make)

    return build


@pytest.fixture(scope="session")
def k8saudit_aks_library(build_once: Callable[..., Path]) -> Path:
    """``libk8saudit-aks.so``, as ``falcopy build k8saudit_aks`` makes it."""
    return build_once("libk8saudit-aks.so", "k8saudit_aks")


@dataclass(frozen=True)
class Azurite:
    """A running Azurite, Microsoft's storage emulator."""

    port: int
    key: str = _KEY

    def connection_string(self, key: str = _KEY) -> str:
        """How a client gets to it."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={key};"
            f"BlobEndpoint=http://127.0.0.1:{self.port}/{_ACCOUNT};"
        )

    def service(self) -> BlobServiceClient:
        """A client of it."""
        from azure.storage.blob import BlobServiceClient

        return BlobServiceClient.from_connection_string(self.connection_string())


def _azurite_program() -> str | None:
    folder = os.environ.get("FALCOPY_AZURITE")
    if folder:
        found = Path(folder, "node_modules", ".bin", "azurite-blob")
        if not found.exists():
            pytest.fail(f"FALCOPY_AZURITE is {folder}, but there is no {found}")
        return str(found)
    return shutil.which("azurite-blob")


@contextlib.contextmanager
def run_azurite(*options: str) -> Iterator[str]:
    """The real Azurite on a port of its own, with its data in memory; gives its URL."""
    program = _azurite_program()
    if program is None:
        pytest.skip("no Azurite: npm install azurite, and name the folder in FALCOPY_AZURITE")
    command = [program, "--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence"]
    with subprocess.Popen(
        [*command, "--skipApiVersionCheck", "--disableTelemetry", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                address = re.search(r"successfully listens on (https?://127\.0\.0\.1:\d+)", line)
                if address:
                    break
            else:
                pytest.fail(f"Azurite ended with {process.wait()} before it listened")
            yield address[1]
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """A running Azurite that all tests share."""
    with run_azurite() as url:
        yield Azurite(int(url.rpartition(":")[2]))


@pytest.fixture(scope="session")
def azurite_with() -> Callable[..., contextlib.AbstractContextManager[str]]:
    """``azurite_with(*options)``: another one, as a context manager that gives its URL."""
    return run_azurite
