"""An Event Hubs emulator that always has more to read, without keeping what was read.

    python tests/bench/feed.py --partitions 4 --records 20

Prints a line of JSON with its connection string; ends when its standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import audit

from falcopy_sdk.testing.eventhubs import Emulator

HUB = "audit"
#: Bytes that wait in each partition.
_AHEAD = 16 << 20


def body(records: int) -> bytes:
    """A body as Azure Monitor sends it, with so many records of about 2 KB."""
    record = {
        "time": "2026-02-03T04:05:06.7123450Z",
        "resourceId": "/SUBSCRIPTIONS/0B1F6471-1BF0-4DDA-AEC3-CB9272F09590/RESOURCEGROUPS/SHOP"
        "/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/SHOP",
        "category": "kube-audit",
        "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read",
        "properties": {"log": audit.EVENT.decode(), "stream": "stdout", "pod": "kube-apiserver-0"},
    }
    return json.dumps({"records": [record] * records}).encode()


async def serve(partitions: int, records: int) -> None:
    """Run the emulator and keep each partition filled until standard input ends."""
    content = body(records)
    ahead = min(20_000, max(64, _AHEAD // len(content)))
    async with Emulator({HUB: partitions}, retention_events=2 * ahead) as emulator:
        print(json.dumps({"connection_string": emulator.connection_string()}), flush=True)
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(0, lambda: os.read(0, 1) or ended.set())
        while not ended.is_set():
            read = {
                link.partition: link.sequence_numbers[-1] + 1
                for link in emulator.witness.active_links(kind="consumer")
                if link.sequence_numbers
            }
            for partition in emulator.hub(HUB).partitions.values():
                missing = read.get(partition.id, 0) + ahead - partition.next_sequence_number
                if missing > 0:
                    emulator.append(HUB, *[content] * min(missing, 500), partition=partition.id)
            await asyncio.sleep(0.005)


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--partitions", type=int, default=1)
    parser.add_argument("--records", type=int, default=1)
    options = parser.parse_args()
    asyncio.run(serve(options.partitions, options.records))


if __name__ == "__main__":
    main()
