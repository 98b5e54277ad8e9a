"""Streams many events through the built plugin: is memory flat, and how fast beside a bare client.

    python tests/bench/soak.py [libk8saudit-aks.so] [--events 1000000] [--rounds 3]

A host in C (stream.c) asks for 30 fields of each event. Beside it run, in turn, on the same feed
and with the same settings, an azure-eventhub consumer that does nothing, and one that decodes each
record and does nothing with it. Ends with status 1 if memory grows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import audit
from common import GCC, HERE, REPOSITORY, field_arguments
from intake import feed, receive

#: Megabytes that memory may grow by between a quarter of the way and the end: what waits in the
#: client's buffers and the intake is not the same at any two moments. A leak of 10 bytes an event
#: would be more.
GROWTH_MB = 8
#: Partitions and records a body.
FEEDS = ((1, 1), (4, 1), (1, 20), (4, 20), (4, 100))


class Streamer:
    """Runs stream.c on the plugin."""

    def __init__(self, library: Path, folder: Path, prefetch: int, batch: int) -> None:
        from k8saudit_aks.plugin import K8sAuditAks

        from falcopy_sdk.declare.plugin import plugin_spec

        self._program = folder / "stream"
        command = [*GCC, str(HERE / "stream.c"), "-o", str(self._program), "-ldl"]
        subprocess.run(command, check=True)
        self._library, self._folder = library, folder
        order = [field.name for field in plugin_spec(K8sAuditAks).fields]
        self._fields = field_arguments(audit.FIELDS, order)
        self._settings = {"prefetch": prefetch, "max_batch_size": batch}
        self._runs = 0

    def run(self, connection: str, events: int, every: int, show: bool = False) -> list[Any]:
        """Stream ``events``; what the host printed each ``every`` events."""
        self._runs += 1
        config = {
            "event_hub_namespace_connection_string": connection,
            "event_hub_name": "audit",
            "starting_position": "earliest",
            "checkpoint_store": "file",
            "checkpoint_file": str(self._folder / f"checkpoints{self._runs}.sqlite"),
            **self._settings,
        }
        cache = self._folder / "cache"
        cache.mkdir(exist_ok=True)
        words = [str(self._library), json.dumps(config), str(events), str(every), *self._fields]
        with subprocess.Popen(
            [str(self._program), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={"FALCOPY_CACHE_DIR": str(cache)},
        ) as process:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(json.loads(line))
                if show:
                    now, before = lines[-1], (lines[-2] if len(lines) > 1 else None)
                    print(shown(now, before), flush=True)
        if process.returncode != 0:
            raise SystemExit(f"the host failed with {process.returncode}")
        return lines


def shown(now: Any, before: Any | None) -> str:
    """One line of the memory table."""
    spent = now["seconds"] - (before["seconds"] if before else 0)
    events = now["events"] - (before["events"] if before else 0)
    cpu = now["cpu"] - (before["cpu"] if before else 0)
    return (
        f"{now['events']:>10,} events {events / max(spent, 1e-3):>9,.0f} /s "
        f"{cpu / events * 1e6:>6.1f} us CPU each {now['rss_mb']:>7.1f} MB"
    )


def steady(lines: list[Any]) -> tuple[float, float]:
    """Events a second and CPU microseconds an event, without the first fifth."""
    first, last = lines[len(lines) // 5], lines[-1]
    events = last["events"] - first["events"]
    seconds, cpu = last["seconds"] - first["seconds"], last["cpu"] - first["cpu"]
    return events / seconds, cpu / events * 1e6


def compare(
    streamer: Streamer, connection: str, records: int, rounds: int, options: list[str]
) -> None:
    """Print the plugin beside bare consumers: medians of rounds that alternate."""
    rates: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        events = max(30_000, records * 2000)
        ours = steady(streamer.run(connection, events, events // 15))
        rates.setdefault("the plugin with 30 fields", []).append(ours)
        for name, more in (("bare consumer", []), ("bare consumer that decodes", ["--parse"])):
            found = receive(sys.executable, connection, *options, *more)
            each = found["bodies_per_s"] * records
            rates.setdefault(name, []).append((each, found["cpu"] / each * 1e6))
    bare = statistics.median(rate for rate, _ in rates["bare consumer"])
    for name, found_rates in rates.items():
        rate = statistics.median(r for r, _ in found_rates)
        cpu = statistics.median(c for _, c in found_rates)
        print(
            f"  {name:<28} {rate:>9,.0f} events/s {cpu:>7.1f} us CPU each  {rate / bare:.2f}x",
            flush=True,
        )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "library", nargs="?", type=Path, default=REPOSITORY / "dist/libk8saudit-aks.so"
    )
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--records", type=int, default=1, help="in a body of the long run")
    parser.add_argument("--prefetch", type=int, default=300)
    parser.add_argument("--max-batch-size", type=int, default=50)
    given = parser.parse_args()
    options = ["--prefetch", str(given.prefetch), "--max-batch-size", str(given.max_batch_size)]
    with tempfile.TemporaryDirectory() as name:
        streamer = Streamer(
            given.library.resolve(), Path(name), given.prefetch, given.max_batch_size
        )
        for partitions, records in FEEDS if given.rounds else ():
            print(f"{partitions} partitions, bodies of {records} records:")
            with feed(partitions, records) as connection:
                compare(streamer, connection, records, given.rounds, options)
        print(f"{given.events:,} events of {len(audit.EVENT)} bytes, 4 partitions:")
        with feed(4, given.records) as connection:
            lines = streamer.run(connection, given.events, max(1, given.events // 20), show=True)
    warm, last = lines[len(lines) // 4]["rss_mb"], lines[-1]["rss_mb"]
    peak = max(line["rss_mb"] for line in lines)
    print(f"memory: {warm:.1f} MB after a quarter, {last:.1f} MB at the end, {peak:.1f} MB at most")
    return int(last > warm + GROWTH_MB)


if __name__ == "__main__":
    sys.exit(main())
