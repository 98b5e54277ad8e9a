"""What a configuration does not need is not imported by a running stream."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from falcopy_sdk.testing.eventhubs import run_in_thread

if TYPE_CHECKING:
    from pathlib import Path

STREAM = textwrap.dedent(
    """
    import asyncio, json, sys
    from k8saudit_aks.plugin import K8sAuditAks
    from falcopy_sdk import plugin_spec
    from falcopy_sdk.declare.config import load_config

    async def run():
        config = load_config(plugin_spec(K8sAuditAks), sys.argv[1])
        batches = K8sAuditAks(config).events("")
        async for batch in batches:
            if batch.events:
                break
        await batches.aclose()

    asyncio.run(run())
    packages = {
        "azure.eventhub", "azure.eventhub.extensions.checkpointstoreblobaio", "azure.storage.blob",
        "azure.identity", "aiohttp", "msal", "cryptography", "requests", "sqlite3",
    }
    print(json.dumps(sorted(packages & sys.modules.keys())))
    """
)
LOG = json.dumps({"kind": "Event", "auditID": "a", "stageTimestamp": "2026-02-03T04:05:06Z"})
RECORD = {"category": "kube-audit", "properties": {"log": LOG}}
BODY = json.dumps({"records": [RECORD]}).encode()
BLOB = {
    "azure.eventhub.extensions.checkpointstoreblobaio",
    "azure.storage.blob",
    "aiohttp",
    "cryptography",
    "requests",
}


def imported(config: dict[str, Any]) -> set[str]:
    """Of the packages in question, those that a stream has imported once it gave an event."""
    with run_in_thread({"audit": 1}) as emulator:
        emulator.call(lambda e: e.append("audit", BODY))
        document = {
            "event_hub_namespace_connection_string": emulator.connection_string(),
            "event_hub_name": "audit",
            "starting_position": "earliest",
            **config,
        }
        done = subprocess.run(
            [sys.executable, "-c", STREAM, json.dumps(document)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def test_a_connection_string_alone_needs_the_event_hubs_client_alone() -> None:
    assert imported({}) == {"azure.eventhub"}


def test_a_checkpoint_file_needs_sqlite_beside_it(tmp_path: Path) -> None:
    keys = {
        "checkpoint_file": str(tmp_path / "positions.db"),
        "dead_letter_file": str(tmp_path / "dead.jsonl"),
    }
    assert imported(keys) == {"azure.eventhub", "sqlite3"}


def test_a_container_needs_no_identity(container: Any) -> None:
    found = imported({key: _text(value) for key, value in container.config().items()})
    assert found == {"azure.eventhub"} | BLOB


def test_a_dead_letter_container_needs_no_checkpoint_store(container: Any, tmp_path: Path) -> None:
    keys = container.config()
    found = imported(
        {
            "blob_storage_connection_string": _text(keys["blob_storage_connection_string"]),
            "dead_letter_container": container.name,
            "checkpoint_file": str(tmp_path / "positions.db"),
        }
    )
    assert "azure.eventhub.extensions.checkpointstoreblobaio" not in found
    assert {"azure.storage.blob", "sqlite3"} <= found
    assert "azure.identity" not in found


@pytest.mark.parametrize("params", ["file", "nothing opened"])
def test_a_replay_needs_nothing_of_azure(tmp_path: Path, params: str) -> None:
    (tmp_path / "lines").write_bytes(BODY + b"\n")
    source = f"list(K8sAuditAks(None).events('file://{tmp_path}/lines'))"
    script = (
        "import sys\nfrom k8saudit_aks.plugin import K8sAuditAks\n"
        f"{source if params == 'file' else 'K8sAuditAks(None)'}\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('azure', 'aiohttp')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def _text(value: Any) -> Any:
    return value.reveal() if hasattr(value, "reveal") else value
