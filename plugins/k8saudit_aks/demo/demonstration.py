"""The whole line on one machine: build the plugin, feed it AKS audit records, watch its events.

Run as ``python plugins/k8saudit_aks/demo`` or ``make demo``. Ends with 0 only if every audit record
that was sent came out of the plugin exactly once.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from feed import Body, Feed, plan

from falcopy_sdk.abi.enums import LogSeverity
from falcopy_sdk.bundle import build
from falcopy_sdk.exceptions import FalcopyError
from falcopy_sdk.host import Library
from falcopy_sdk.testing.eventhubs import run_in_thread

if TYPE_CHECKING:
    from falcopy_sdk.host.events import HostEvent
    from falcopy_sdk.host.plugin import Plugin

PLUGIN = Path(__file__).resolve().parents[1]
OUTPUT = PLUGIN.parents[1] / "dist" / "libk8saudit-aks.so"
HUB, PARTITIONS, ROUNDS = "aks-audit", 4, 3
#: Seconds without an event after which the rest counts as lost, and that a repeat would take.
PATIENCE, ENCORE = 30.0, 2.0

COLUMNS = (
    ("ka.verb", 7),
    ("ka.user.name", 46),
    ("ka.target.resource", 20),
    ("ka.target.namespace", 12),
    ("ka.uri.param[command]", 4),
    ("ka.req.pod.containers.image", 0),
)


def run() -> int | str:
    """Run the demonstration; an expected error is a sentence.

    Returns:
        The exit code, or what sys.exit prints.
    """
    try:
        return main()
    except FalcopyError as failed:
        return f"the demo ends: {failed}"


def main() -> int:
    """Run the demonstration.

    Returns:
        The exit code.
    """
    print("building the plugin:", flush=True)
    built = build(PLUGIN, OUTPUT, progress=lambda step: print(f"  {step}", flush=True))
    print(f"  {built.path}: {built.size / 1e6:.1f} MB in {built.seconds:.1f} s\n", flush=True)

    bodies = plan(ROUNDS, PARTITIONS)
    origin = {audit_id: body.partition for body in bodies for audit_id in body.audit_ids}
    with (
        run_in_thread({HUB: PARTITIONS}) as emulator,
        Library.load(built.path) as library,
    ):
        config = {
            "event_hub_namespace_connection_string": emulator.connection_string(),
            "event_hub_name": HUB,
            # There is no Blob Storage here to remember a position in.
            "starting_position": "earliest",
        }
        print(f"sending {len(bodies)} bodies to {HUB} on {emulator.fully_qualified_namespace}:\n")
        feed = Feed(emulator.connection_string(), HUB, bodies)
        with library.init(config, log=show_log) as plugin:
            feed.start()
            try:
                seen = watch(plugin, feed, len(origin))
            finally:
                feed.stop()
    return report(built.path, bodies, origin, seen, feed.error)


def watch(plugin: Plugin, feed: Feed, count: int) -> Counter[str]:
    """Print events as they come, until all have come and none comes twice."""
    seen: Counter[str] = Counter()
    last = time.monotonic()

    def enough() -> bool:
        patience = ENCORE if len(seen) >= count else PATIENCE
        return feed.error is not None or time.monotonic() - last > patience

    print("  ".join(name.ljust(width) for name, width in COLUMNS))
    with plugin.open() as instance:
        for event in instance.events(stop=enough):
            last = time.monotonic()
            audit_id = plugin.extract(event, "ka.auditid")
            seen[str(audit_id)] += 1
            show_event(plugin, event)
    return seen


def show_event(plugin: Plugin, event: HostEvent) -> None:
    """One line with the fields of an event."""
    cells = []
    for name, width in COLUMNS:
        value = plugin.extract(event, name)
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value or "-")
        cells.append(text.ljust(max(width, len(name))) if width else text)
    print("  ".join(cells), flush=True)


def show_log(component: str | None, message: str, severity: int) -> None:
    """A line of the plugin's log, as Falco would write it to standard error."""
    print(f"[{LogSeverity(severity).name.lower()}] {message}", file=sys.stderr, flush=True)


def report(
    path: Path,
    bodies: list[Body],
    origin: dict[str, str],
    seen: Counter[str],
    error: Exception | None,
) -> int:
    """Totals, and how to give the plugin to Falco."""
    lost = sorted(origin.keys() - seen.keys())
    unknown = sorted(seen.keys() - origin.keys())
    twice = sorted(audit_id for audit_id, times in seen.items() if times > 1)
    partitions = {origin[audit_id] for audit_id in seen if audit_id in origin}
    passed_over = sum(not body.audit_ids for body in bodies)
    print(
        f"\n{len(origin)} audit records sent, {sum(seen.values())} events from "
        f"{len(partitions)} of {PARTITIONS} partitions; {passed_over} bodies without an audit "
        "event were passed over"
    )
    for what, ids in (("lost", lost), ("never sent", unknown), ("more than once", twice)):
        if ids:
            print(f"{what}: {', '.join(ids)}")
    if error:
        print(f"sending failed: {error}")
    print(f"\nthe plugin: {path}\nfor falco.yaml:\n\n{falco_yaml(path)}")
    if error or lost or unknown or twice:
        return 1
    print("every record was seen exactly once")
    return 0


def falco_yaml(path: Path) -> str:
    """What loads the plugin; Falco replaces ``${...}`` by environment variables."""
    return f"""\
plugins:
  - name: k8saudit-aks
    library_path: {path}
    init_config:
      event_hub_namespace_connection_string: ${{EVENTHUB_CONNECTION_STRING}}
      event_hub_name: {HUB}
      blob_storage_connection_string: ${{BLOB_STORAGE_CONNECTION_STRING}}
      blob_storage_container_name: falco-checkpoints
  - name: json
    library_path: libjson.so
load_plugins: [k8saudit-aks, json]
"""
