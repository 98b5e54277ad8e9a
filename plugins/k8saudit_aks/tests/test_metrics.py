"""The figures that hosts get: each is in the documentation, right, and safe for Prometheus."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from k8saudit_aks.fault import Fault
from k8saudit_aks.metrics import ROWS, collect, table
from k8saudit_aks.plugin import K8sAuditAks
from k8saudit_aks.stats import Stats

from falcopy_sdk.abi.enums import MetricType
from falcopy_sdk.host import Library
from falcopy_sdk.testing.eventhubs import Emulator, run_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENT = Path(__file__).parents[1] / "OPERATION.md"

#: What libsinsp takes out of a plugin's metric on the way to Prometheus
#: (userspace/libsinsp/metrics_collector.cpp), after it has put the plugin's name before it.
_STRIPPED = re.compile("_kb|_bytes|_mb|_percentage|_perc|_ratio|_ns|_ts|_sec|_total")


def body(audit_id: str, category: str = "kube-audit") -> bytes:
    log = {"kind": "Event", "auditID": audit_id, "stageTimestamp": "2026-02-03T04:05:06Z"}
    return json.dumps(
        {"records": [{"category": category, "properties": {"log": json.dumps(log)}}]}
    ).encode()


def patterns() -> dict[str, bool]:
    return {re.sub("<[a-z]+>", "[a-z0-9_]+", row.name): row.counter for row in ROWS}


def test_the_table_in_the_documentation_is_the_one_of_the_code() -> None:
    assert table() in DOCUMENT.read_text(encoding="utf-8"), (
        "python -m k8saudit_aks.metrics prints it"
    )


def test_every_counter_has_a_row_and_every_fault_a_counter() -> None:
    given = collect(Stats(), None)
    for name, metric in given.items():
        kinds = [kind for pattern, kind in patterns().items() if re.fullmatch(pattern, name)]
        assert kinds, f"{name} is not documented"
        assert metric.monotonic in kinds
    assert {f"n_faults_{fault.value}" for fault in Fault} <= given.keys()


def test_names_stay_as_they_are_on_the_way_to_prometheus() -> None:
    for row in ROWS:
        assert not _STRIPPED.search(f"k8saudit-aks.{row.name}"), row.name


@pytest.fixture
def quick_plugin(monkeypatch: pytest.MonkeyPatch, quick: Any) -> type[K8sAuditAks]:
    monkeypatch.setattr(K8sAuditAks, "timing", quick)
    return K8sAuditAks


def test_a_host_sees_lag_partitions_and_states_come_and_go(
    quick_plugin: type[K8sAuditAks], container: Any
) -> None:
    with (
        run_in_thread({"audit": 2}) as emulator,
        Library.from_class(quick_plugin) as library,
    ):
        config = {
            "event_hub_namespace_connection_string": emulator.connection_string(),
            "event_hub_name": "audit",
            "blob_storage_connection_string": container.azurite.connection_string(),
            "blob_storage_container_name": container.name,
            "starting_position": "earliest",
            "checkpoint_interval": 0.3,
            "load_balancing_interval": 1.0,
        }
        bodies = [body(f"{number}") for number in range(5)]
        emulator.call(lambda it: it.append("audit", *bodies, b"{bad", partition="0"))
        emulator.call(lambda it: it.append("audit", body("x", "guard"), partition="1"))
        with library.init(config) as plugin:

            def figures() -> dict[str, Any]:
                return {metric.name: metric for metric in plugin.metrics()}

            assert "up_event_hub" not in figures(), "before the event hub is opened"
            instance = plugin.open("default")
            seen: set[str] = set()

            def until(condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
                """Be a host, which takes batches and scrapes, until something is seen."""
                end = time.monotonic() + 30
                while time.monotonic() < end:
                    instance.next()
                    found = figures()
                    seen.update(found)
                    if condition(found):
                        return found
                pytest.fail(f"not seen: { ({k: m.value for k, m in figures().items()}) }")

            found = until(
                lambda it: (
                    it["n_events"].value == 5
                    and it["n_records_skipped_guard"].value == 1
                    and it["up_event_hub"].value == 1
                    and it["n_lag"].value == 0
                    and it["n_checkpoints"].value >= 2
                    if {"n_records_skipped_guard", "up_event_hub"} <= it.keys()
                    else False
                )
            )
            assert found["n_partitions"].value == 2
            assert found["up_checkpoint_store"].value == 1
            assert found["n_bad_bodies_not_json"].value == 1
            assert found["n_lag_partition_0"].value == 0
            assert isinstance(found["seconds_lag_partition_1"].value, float)
            assert found["n_events"].type is MetricType.MONOTONIC
            assert found["n_lag_partition_0"].type is MetricType.NON_MONOTONIC
            documented = patterns()
            for name in seen:
                assert any(re.fullmatch(pattern, name) for pattern in documented), name
            # Event Hubs goes away.
            emulator.stop_listening()
            emulator.call(lambda it: it.faults.abort_connections())
            gone = until(lambda it: it["n_faults_unreachable"].value >= 1)
            assert gone["up_event_hub"].value == 0
            instance.close()
            assert "up_event_hub" not in figures()


def test_lag_counts_what_the_host_has_not_finished_with(live: Any, eventually: Any) -> None:
    async def run() -> None:
        async with Emulator({"audit": 1}) as emulator, live(emulator, finishes=False) as host:
            emulator.append("audit", *(body(f"{number}") for number in range(10)))
            await host.until(lambda host: len(host.ids) == 10)
            (partition,) = host.stream.partitions
            events, seconds = partition.lag
            assert events == 10
            assert 0.0 < seconds < 30.0
            host.finish()
            assert partition.lag == (0, 0.0)

    asyncio.run(run())
