"""A bare azure-eventhub consumer: receives for some seconds, does nothing, tells how fast.

Needs azure-eventhub alone (and orjson for ``--parse``), so that any Python can run it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import threading
import time
from typing import Any

HUB, GROUP = "audit", "$Default"


class Meter:
    """Counts bodies; rates are of the time after the warm-up."""

    def __init__(self, warm_up: float, seconds: float, parse: bool) -> None:
        self.warm_up, self.seconds = warm_up, seconds
        self.bodies = self.octets = 0
        self.first = self.start = self.cpu = 0.0
        self.result: dict[str, float] = {}
        self._lock = threading.Lock()
        if parse:
            import orjson

            self._loads = orjson.loads
        self._parse = parse

    def take(self, events: list[Any]) -> bool:
        """Count events; true once it has been long enough."""
        if not events:
            return bool(self.result)
        if self._parse:
            for event in events:
                for record in self._loads(b"".join(event.body))["records"]:
                    self._loads(record["properties"]["log"])
        now = time.monotonic()
        with self._lock:
            self.first = self.first or now
            if not self.start:
                if now - self.first >= self.warm_up:
                    self.start, self.cpu = now, time.process_time()
                return False
            self.bodies += len(events)
            if now - self.start >= self.seconds and not self.result:
                spent = now - self.start
                self.result = {
                    "bodies_per_s": self.bodies / spent,
                    "cpu": (time.process_time() - self.cpu) / spent,
                    "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                }
            return bool(self.result)


async def run_aio(connection: str, meter: Meter, **options: int) -> None:
    """Receive with azure.eventhub.aio."""
    from azure.eventhub.aio import EventHubConsumerClient

    client = EventHubConsumerClient.from_connection_string(connection, GROUP, eventhub_name=HUB)
    done = asyncio.Event()

    async def on_batch(context: Any, events: list[Any]) -> None:
        if meter.take(events):
            done.set()

    receiving = asyncio.create_task(
        client.receive_batch(on_batch, starting_position="-1", **options)
    )
    await done.wait()
    await client.close()
    receiving.cancel()
    await asyncio.wait({receiving})


def run_sync(connection: str, meter: Meter, **options: int) -> None:
    """Receive with azure.eventhub; a thread a partition."""
    from azure.eventhub import EventHubConsumerClient

    client = EventHubConsumerClient.from_connection_string(connection, GROUP, eventhub_name=HUB)
    done = threading.Event()

    def on_batch(context: Any, events: list[Any]) -> None:
        if meter.take(events):
            done.set()

    receiving = threading.Thread(
        target=client.receive_batch,
        args=(on_batch,),
        kwargs={"starting_position": "-1", **options},
        daemon=True,
    )
    receiving.start()
    done.wait()


def main() -> None:
    """Receive, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("connection")
    parser.add_argument("--client", choices=["aio", "sync"], default="aio")
    parser.add_argument("--prefetch", type=int, default=300)
    parser.add_argument("--max-batch-size", type=int, default=300)
    parser.add_argument("--parse", action="store_true", help="decode each record as well")
    parser.add_argument("--warm-up", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    meter = Meter(given.warm_up, given.seconds, given.parse)
    options = {"prefetch": given.prefetch, "max_batch_size": given.max_batch_size}
    if given.client == "aio":
        asyncio.run(run_aio(given.connection, meter, **options))
    else:
        run_sync(given.connection, meter, **options)
    print(json.dumps(meter.result), flush=True)


if __name__ == "__main__":
    main()
