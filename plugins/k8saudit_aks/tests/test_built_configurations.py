"""The built library with each kind of store, identity and transport: everything is in it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from falcopy_sdk.testing.eventhubs import run_in_thread

from .standins import TENANT, Authority, Entra

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CA = Authority()
LOG = json.dumps({"kind": "Event", "auditID": "a", "stageTimestamp": "2026-02-03T04:05:06Z"})
RECORD = {"category": "kube-audit", "properties": {"log": LOG}}
BODIES = (b"no json", json.dumps({"records": [RECORD]}).encode())

#: In a process of its own: the bundle's Python takes the environment of its start.
HOST = textwrap.dedent(
    """
    import sys, time
    from falcopy_sdk.host import Library

    end = time.monotonic() + 40
    with Library.load(sys.argv[1]) as library:
        log = lambda component, message, severity: print(message, file=sys.stderr)
        with library.init(sys.argv[2], log=log) as plugin, plugin.open() as instance:
            for event in instance.events(stop=lambda: time.monotonic() > end):
                print(plugin.extract(event, "ka.auditid"), flush=True)
                break
    """
)


def first_event(library: Path, config: dict[str, Any], environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", HOST, library, json.dumps(config)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.stdout == "a\n", done.stderr
    return done.stderr


@contextmanager
def serving(entra: Entra) -> Iterator[dict[str, str]]:
    """The stand-in in a loop of its own."""
    ready, environment = threading.Event(), dict[str, str]()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    async def serve() -> None:
        async with entra.serving(CA.server()) as leads_here:
            environment.update(leads_here)
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield environment
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


def test_a_checkpoint_file_and_dead_letters(k8saudit_aks_library: Path, tmp_path: Path) -> None:
    with run_in_thread({"audit": 1}) as emulator:
        emulator.call(lambda e: e.append("audit", *BODIES))
        config = {
            "event_hub_namespace_connection_string": emulator.connection_string(),
            "event_hub_name": "audit",
            "starting_position": "earliest",
            "checkpoint_file": str(tmp_path / "positions.db"),
            "dead_letter_file": str(tmp_path / "dead.jsonl"),
        }
        first_event(k8saudit_aks_library, config, {})
    assert (tmp_path / "positions.db").stat().st_size > 0
    assert json.loads((tmp_path / "dead.jsonl").read_bytes())["body"] == "no json"


@pytest.mark.parametrize(
    ("auth", "websocket"), [("managed_identity", False), ("workload_identity", True)]
)
def test_an_identity_over_each_transport(
    k8saudit_aks_library: Path, tmp_path: Path, auth: str, websocket: bool
) -> None:
    entra = Entra()
    (tmp_path / "token").write_text(entra.federated_token)
    workload = {
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": "app",
        "AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "token"),
    }
    with (
        serving(entra) as environment,
        run_in_thread(
            {"audit": 1}, tls=CA.server(), websocket=websocket, check_jwt=entra.check
        ) as emulator,
    ):
        emulator.call(lambda e: e.append("audit", *BODIES))
        config = {
            "auth": auth,
            "fully_qualified_namespace": "ns.servicebus.windows.net",
            "event_hub_name": "audit",
            "starting_position": "earliest",
            "custom_endpoint": f"sb://127.0.0.1:{emulator.port}",
            "transport": "websocket" if websocket else "amqp",
            "ca_file": str(CA.write(tmp_path)[0]),
        }
        said = first_event(
            k8saudit_aks_library,
            config,
            environment | (workload if auth == "workload_identity" else {}),
        )
    assert entra.asked
    assert entra.federated_token not in said
