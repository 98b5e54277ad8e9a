"""Compares ways to receive from Event Hubs, side by side on one feed.

    python tests/bench/intake.py [--python PYTHON ...] [--rounds 3]

PYTHON are interpreters that have azure-eventhub and orjson; the default is this one. The rounds
go through all ways in turn, so that what else the machine does hits all alike; shown are medians.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))

from common import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Client, prefetch, max_batch_size.
WAYS = (
    ("aio", 300, 300),
    ("aio", 300, 50),
    ("aio", 1000, 300),
    ("aio", 1000, 100),
    ("aio", 3000, 300),
    ("sync", 300, 300),
    ("sync", 1000, 300),
)
#: Partitions, records in a body.
FEEDS = ((1, 1), (4, 1), (1, 100), (4, 100))


@contextmanager
def feed(partitions: int, records: int) -> Iterator[str]:
    """Run ``feed.py``; gives its connection string."""
    command = [sys.executable, str(HERE / "feed.py")]
    with subprocess.Popen(
        [*command, "--partitions", str(partitions), "--records", str(records)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["connection_string"]
        finally:
            process.stdin.close()


def receive(python: str, connection: str, *options: str) -> dict[str, float]:
    """Run ``bare.py``."""
    done = subprocess.run(
        [python, str(HERE / "bare.py"), connection, *options],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", nargs="+", default=[sys.executable])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", default="3")
    given = parser.parse_args()
    print(
        "| Python | client | prefetch | max_batch_size | partitions | records a body "
        "| bodies/s | records/s | CPU | us CPU a body | MB |\n" + "|---" * 11 + "|"
    )
    for partitions, records in FEEDS:
        found = defaultdict(list)
        with feed(partitions, records) as connection:
            for _ in range(given.rounds):
                for python, way in itertools.product(given.python, WAYS):
                    client, prefetch, batch = way
                    options = ["--client", client, "--prefetch", str(prefetch)]
                    options += ["--max-batch-size", str(batch), "--seconds", given.seconds]
                    found[python, way].append(receive(python, connection, *options))
        for (python, way), results in found.items():
            version = subprocess.run(
                [python, "-c", "import platform; print(platform.python_version())"],
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            ).stdout.strip()
            bodies, cpu, rss = (
                statistics.median(result[name] for result in results)
                for name in ("bodies_per_s", "cpu", "rss_mb")
            )
            each = statistics.median(r["cpu"] / r["bodies_per_s"] * 1e6 for r in results)
            print(
                f"| {version} | {way[0]} | {way[1]} | {way[2]} | {partitions} | {records} "
                f"| {bodies:,.0f} | {bodies * records:,.0f} | {cpu:.2f} | {each:.0f} | {rss:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
