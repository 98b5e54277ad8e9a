"""The emulator as a program and in other people's event loops."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from azure.eventhub import EventData, EventHubProducerClient

from falcopy_sdk.testing.eventhubs import Emulator, EmulatorThread, run_in_thread
from falcopy_sdk.testing.eventhubs.cli import main
from falcopy_sdk.testing.eventhubs.control import obey

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = [sys.executable, "-W", "error", "-m", "falcopy_sdk.testing.eventhubs"]


@contextmanager
def program(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*PROGRAM, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def order(process: subprocess.Popen[str], **fields: Any) -> Any:
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps(fields) + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_tells_the_connection_string_serves_obeys_and_ends_on_a_signal(
    number: signal.Signals,
) -> None:
    with program("--hub", "audit:2", "--hub", "other:1", "--key", "c2VjcmV0") as process:
        assert process.stdout
        ready = json.loads(process.stdout.readline())
        assert ready["pid"] == process.pid
        assert ready["hubs"] == {"audit": 2, "other": 1}
        assert ready["connection_string"].endswith(
            "SharedAccessKey=c2VjcmV0;UseDevelopmentEmulator=true;EntityPath=audit"
        )
        with EventHubProducerClient.from_connection_string(ready["connection_string"]) as client:
            client.send_event(EventData("x"), partition_id="1")
            told = order(process, do="witness")["result"]
            assert told["hubs"]["audit"] == {"0": 0, "1": 1}
            assert told["internal_errors"] == []
        # A bare socket: the Azure client leaks its own when the service resets it.
        with socket.create_connection(("127.0.0.1", ready["port"]), timeout=5) as client:
            while order(process, do="witness")["result"]["connections"] != 1:
                pass
            assert order(process, do="abort_connections") == {"ok": True, "result": 1}
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        assert order(process, do="append", hub="audit", bodies=["a", "b"], partition="1") == {
            "ok": True,
            "result": [1, 2],
        }
        for fields, sentence in [
            ({"do": "explode"}, "no order is called 'explode'"),
            ({"do": "append", "hub": "none", "bodies": []}, "no hub 'none'; it has audit, other"),
            ({"do": "detach", "colour": "red"}, "colour"),
            ({}, 'an object with a "do"'),
        ]:
            answer = order(process, **fields)
            assert answer["ok"] is False
            assert sentence in answer["error"]
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out, err) == (0, "", "")


def test_it_freezes_and_thaws_by_signal() -> None:
    with program("--hub", "audit:1") as process:
        assert process.stdout
        port = json.loads(process.stdout.readline())["port"]
        process.send_signal(signal.SIGSTOP)
        with socket.create_connection(("127.0.0.1", port), timeout=0.3) as client:
            client.sendall(b"AMQP\x03\x01\x00\x00")
            with pytest.raises(TimeoutError):
                client.recv(8)
            process.send_signal(signal.SIGCONT)
            client.settimeout(5)
            assert client.recv(8) == b"AMQP\x03\x01\x00\x00"


def test_it_ends_when_standard_input_is_nothing() -> None:
    with subprocess.Popen(
        [*PROGRAM, "--hub", "audit:1"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline()
        process.terminate()
        assert process.wait(10) == 0


def test_a_port_that_is_taken_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--hub", "audit:1", "--port", str(port)]) == 1
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err


@pytest.mark.parametrize("hub", ["audit", "audit:0", ":4", "audit:x"])
def test_a_hub_that_makes_no_sense_is_said_so(hub: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--hub", hub])
    assert "is not NAME:PARTITIONS, for example audit:4" in capsys.readouterr().err


def test_orders_reach_every_fault() -> None:
    async def run() -> None:
        async with Emulator({"audit": 1}) as emulator:
            for name in ("stall", "unstall", "hold_events", "reject_events", "clear"):
                assert json.loads(await obey(emulator, json.dumps({"do": name})))["ok"], name
            refuse = {"do": "refuse_links", "condition": "amqp:not-found", "hub": "audit"}
            assert json.loads(await obey(emulator, json.dumps(refuse)))["ok"]
            assert json.loads(await obey(emulator, '{"do": "stop_listening"}'))["ok"]
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", emulator.port)
            assert json.loads(await obey(emulator, '{"do": "resume_listening"}'))["ok"]
            _, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
            writer.close()
            await writer.wait_closed()

    asyncio.run(run())


def test_wrong_hubs_and_partitions_are_said_so() -> None:
    with pytest.raises(ValueError, match="no hub: give at least one"):
        Emulator({})
    with pytest.raises(ValueError, match="'audit': at least one partition"):
        EmulatorThread({"audit": 0})
    with run_in_thread({"audit": 2}) as emulator:
        with pytest.raises(LookupError, match="no partition '7'; it has 0, 1"):
            emulator.call(lambda e: e.append("audit", b"x", partition="7"))
        with pytest.raises(ValueError, match="has a hub 'Audit' already"):
            emulator.call(lambda e: e.add_hub("Audit", 1))
        with pytest.raises(TimeoutError, match=r"did not hold within 0\.01 s"):
            emulator.wait_until(lambda e: not e.hubs, 0.01)
        with pytest.raises(ZeroDivisionError):
            emulator.wait_until(lambda e: 1 / (len(e.hubs) - 1) > 0)


def test_a_thread_that_cannot_listen_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        EmulatorThread({"audit": 1}, port=taken.getsockname()[1])


def test_closing_ends_the_connections_of_clients_that_do_not() -> None:
    with run_in_thread({"audit": 1}) as emulator:
        client = socket.create_connection(("127.0.0.1", emulator.port), timeout=5)
        emulator.wait_until(lambda e: len(e.witness.connections) == 1)
        emulator.call(lambda e: e.faults.stall())
    with client:
        assert client.recv(1) == b""
