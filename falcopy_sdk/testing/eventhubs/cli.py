"""The emulator as a program: started with arguments, driven by lines, ended by a signal."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from .control import obey
from .server import Emulator
from .service import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence


def _hub(text: str) -> tuple[str, int]:
    name, _, count = text.rpartition(":")
    if not name or not count.isdecimal() or int(count) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:PARTITIONS, for example audit:4")
    return name, int(count)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m falcopy_sdk.testing.eventhubs",
        description="An Event Hubs emulator on loopback. Prints one line of JSON with the "
        "connection string when it is ready, takes orders from its standard input "
        "(falcopy_sdk.testing.eventhubs.control), and ends on SIGTERM or SIGINT.",
    )
    parser.add_argument(
        "--hub", action="append", required=True, type=_hub, metavar="NAME:PARTITIONS"
    )
    parser.add_argument("--consumer-group", action="append", default=[], metavar="NAME")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: one the system picks")
    parser.add_argument("--key", help="the access key; one is made up when not given")
    parser.add_argument("--retention-events", type=int, metavar="N", help="kept per partition")
    parser.add_argument("--idle-timeout", type=float, default=Limits().idle_timeout, metavar="S")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the emulator until a signal ends it.

    Args:
        arguments: The command line; None takes the process's own.

    Returns:
        The exit status.
    """
    options = _parser().parse_args(arguments)
    emulator = Emulator(
        dict(options.hub),
        consumer_groups=options.consumer_group,
        host=options.host,
        port=options.port,
        key=options.key,
        retention_events=options.retention_events,
        limits=Limits(idle_timeout=options.idle_timeout),
    )
    try:
        asyncio.run(_serve(emulator))
    except OSError as error:
        print(f"cannot listen on {options.host}:{options.port}: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(emulator: Emulator) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    lines: asyncio.Queue[str] = asyncio.Queue()
    async with emulator:
        hubs = emulator.hubs
        _say(
            {
                "connection_string": emulator.connection_string(hubs[0].name),
                "namespace_connection_string": emulator.connection_string(),
                "hubs": {hub.name: len(hub.partitions) for hub in hubs},
                "port": emulator.port,
                "pid": os.getpid(),
            }
        )
        threading.Thread(target=_read_lines, args=(loop, lines), daemon=True).start()
        orders = asyncio.create_task(_obey_lines(emulator, lines))
        await stopped.wait()
        orders.cancel()
        await asyncio.gather(orders, return_exceptions=True)


def _say(value: object) -> None:
    print(json.dumps(value), flush=True)


async def _obey_lines(emulator: Emulator, lines: asyncio.Queue[str]) -> None:
    while True:
        print(await obey(emulator, await lines.get()), flush=True)


def _read_lines(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[str]) -> None:
    """Pass lines on until standard input ends.

    It reads the descriptor itself: a thread that sits in ``sys.stdin`` when the interpreter ends
    holds the lock of that object, and Python aborts.
    """
    rest = b""
    try:
        while data := os.read(0, 65536):
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                if line.strip():
                    text = line.decode(errors="replace")
                    loop.call_soon_threadsafe(lines.put_nowait, text)
    except (OSError, RuntimeError):
        # No standard input, or the loop has ended in the meantime: no more orders.
        return
