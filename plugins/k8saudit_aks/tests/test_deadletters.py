"""Dead letters: what they tell, where they are kept, and that they are never in the way."""

from __future__ import annotations

import asyncio
import base64
import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from k8saudit_aks import deadletters
from k8saudit_aks.deadletter_file import DeadLetterFile
from k8saudit_aks.deadletters import DeadLetters, letter
from k8saudit_aks.rejects import HubPlace, LinePlace, Reason
from k8saudit_aks.stats import Stats

from falcopy_sdk.testing.eventhubs import Emulator

Live = Any
GOOD = json.dumps(
    {
        "kind": "Event",
        "auditID": "good",
        "stageTimestamp": "2026-02-03T04:05:06Z",
        "stage": "ResponseComplete",
    }
)
RECORD = {"category": "kube-audit", "properties": {"log": GOOD}}
BAD_RECORD = {"category": "kube-audit", "properties": {"log": '{"kind":"Event","verb":"ge'}}
BODIES = [
    b"{no json",
    b"\xff\xfe\x00",
    json.dumps({"records": [BAD_RECORD, RECORD]}).encode(),
]


def lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def test_a_letter_tells_why_and_where_and_holds_the_body() -> None:
    place = HubPlace("3", "4711", 42)
    told = json.loads(letter(b"{no json", place, Reason.BODY_NOT_JSON))
    assert told == {
        "reason": "a body: not valid JSON",
        "partition": "3",
        "offset": "4711",
        "sequence_number": 42,
        "enqueued_time": None,
        "body": "{no json",
    }
    told = json.loads(letter(b"\xff\n", LinePlace("/f", 7), Reason.BODY_NOT_JSON))
    assert (told["path"], told["line"]) == ("/f", 7)
    assert base64.b64decode(told["body_base64"]) == b"\xff\n"


def test_what_is_bad_goes_to_the_file_and_what_is_good_to_the_host(
    live: Live, eventually: Any, tmp_path: Path
) -> None:
    path = tmp_path / "dead.jsonl"

    async def run() -> None:
        async with Emulator({"audit": 1}) as emulator:
            emulator.append("audit", *BODIES)
            async with live(emulator, dead_letter_file=str(path)) as host:
                await host.until(lambda host: host.ids == ["good"])
                await eventually(lambda: host.stats.dead_letters == 3)
        offsets = [event.offset for event in emulator.partition("audit", "0").events]
        kept = lines(path.read_bytes())
        assert [line["sequence_number"] for line in kept] == [0, 1, 2]
        assert [line["offset"] for line in kept] == [str(offset) for offset in offsets]
        assert kept[0]["body"] == "{no json"
        assert base64.b64decode(kept[1]["body_base64"]) == BODIES[1]
        # Of a body with good records only the bad one.
        assert json.loads(kept[2]["body"]) == BAD_RECORD
        assert kept[2]["enqueued_time"].startswith("20")

    asyncio.run(run())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_letters_that_wait_are_kept_when_the_stream_is_closed(
    live: Live, container: Any, eventually: Any
) -> None:
    dead = f"{container.name}-dead"
    container.service.create_container(dead)

    async def run() -> None:
        config = {**container.config(), "dead_letter_container": dead}
        async with Emulator({"audit": 1}) as emulator, live(emulator, **config) as host:
            emulator.append("audit", BODIES[0])
            await eventually(lambda: host.stats.dead_letters == 1)
            # Within the pause after the first blob.
            emulator.append("audit", *BODIES[1:])
            await host.until(lambda host: host.ids == ["good"])

    asyncio.run(run())
    client = container.service.get_container_client(dead)
    blobs = sorted(blob.name for blob in client.list_blobs())
    assert len(blobs) == 2
    assert all(name.endswith(".jsonl") and "/audit/$default/" in name for name in blobs)
    kept = [line for name in blobs for line in lines(client.download_blob(name).readall())]
    assert [line["sequence_number"] for line in kept] == [0, 1, 2]


def test_a_sink_that_fails_stops_no_event_and_is_named(
    live: Live, container: Any, eventually: Any, logged: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "not-yet"

    async def run() -> None:
        config = {
            **container.config(),
            "dead_letter_container": "not-there",
            "dead_letter_file": str(folder / "dead.jsonl"),
        }
        async with Emulator({"audit": 1}) as emulator, live(emulator, **config) as host:
            emulator.append("audit", *BODIES)
            await host.until(lambda host: host.ids == ["good"])
            await eventually(lambda: bool(logged("dead_letter_file")))
            await eventually(lambda: bool(logged("container not-there of account")))
            # What waits is kept once the sink works.
            folder.mkdir()
            await eventually(lambda: host.stats.dead_letters == 3)
        assert host.stats.dead_letters_lost == 3

    asyncio.run(run())
    (line,) = logged("container not-there of account")
    assert "create it, or correct dead_letter_container" in line
    assert len(lines((folder / "dead.jsonl").read_bytes())) == 3


def test_a_sink_that_cannot_be_used_is_named_before_the_first_letter(
    live: Live,
    container: Any,
    eventually: Any,
    logged: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deadletters, "_LOOK_AGAIN", 0.2)
    folder, dead = tmp_path / "not-yet", f"{container.name}-dead"

    async def run() -> None:
        config = {
            **container.config(),
            "dead_letter_container": dead,
            "dead_letter_file": str(folder / "dead.jsonl"),
        }
        async with Emulator({"audit": 1}) as emulator, live(emulator, **config) as host:
            await eventually(lambda: bool(logged("dead_letter_file")))
            await eventually(lambda: bool(logged(f"container {dead} of account")))
            # It is no reason to read nothing.
            emulator.append("audit", json.dumps({"records": [RECORD]}).encode())
            await host.until(lambda host: host.ids == ["good"])
            folder.mkdir()
            container.service.create_container(dead)
            await eventually(lambda: len(logged("dead letters: kept again")) == 2)

    asyncio.run(run())
    for complaint in ("dead_letter_file", "create it, or correct dead_letter_container"):
        assert len(logged(complaint)) == 1
    # Looked at, and nothing left there.
    assert list(folder.iterdir()) == []
    assert list(container.service.get_container_client(dead).list_blobs()) == []


def test_letters_of_a_sink_that_never_answers_are_counted_as_lost() -> None:
    class Hanging:
        pause = 0.01

        async def check(self) -> None:
            pass

        async def write(self, letters: bytes) -> None:
            await asyncio.Event().wait()

        def explain(self, error: BaseException) -> str:
            return str(error)

        async def aclose(self) -> None:
            pass

    stats = Stats()
    dead = DeadLetters(stats)

    async def run() -> None:
        async with dead.deliver([Hanging()], within=0.1):
            for number in range(3):
                dead(b"x", HubPlace("0", "1", number), Reason.BODY_NOT_JSON)

    asyncio.run(run())
    assert (stats.dead_letters, stats.dead_letters_lost) == (0, 3)


def test_what_waits_is_bounded_and_what_is_lost_is_counted() -> None:
    class Full:
        pause = 0.01

        async def check(self) -> None:
            pass

        async def write(self, letters: bytes) -> None:
            raise OSError(28, "No space left on device")

        def explain(self, error: BaseException) -> str:
            return str(error)

        async def aclose(self) -> None:
            pass

    stats = Stats()
    dead = DeadLetters(stats)

    async def run() -> None:
        async with dead.deliver([Full()], within=1.0):
            for number in range(100):
                dead(b"x" * 200_000, HubPlace("0", "1", number), Reason.BODY_NOT_JSON)
            assert 50 < stats.dead_letters_lost < 70

    asyncio.run(run())
    assert (stats.dead_letters, stats.dead_letters_lost) == (0, 100)


def test_the_file_is_renamed_at_its_size_and_never_grows_beyond(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    file = DeadLetterFile(path, 1000)
    for number in range(25):
        file.append(b"%099d\n" % number)
        assert path.stat().st_size <= 1000
    before = tmp_path / "dead.jsonl.1"
    numbers = [int(line) for line in (before.read_bytes() + path.read_bytes()).splitlines()]
    assert numbers == list(range(10, 25))
    assert stat.S_IMODE(before.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_made_anew_costs_nobody_a_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "dead.jsonl"
    path.write_bytes(b"x" * 900)
    real, others = os.open, []

    def full(file: Any, *args: Any, **options: Any) -> int:
        if file == path and not path.exists():
            # The host opens something at this moment, and gets the number that has become free.
            others.append(real("/dev/null", os.O_RDONLY))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, *args, **options)

    monkeypatch.setattr(os, "open", full)
    file = DeadLetterFile(path, 1000)
    with pytest.raises(OSError, match="No space left"):
        file.append(b"y" * 200)
    monkeypatch.undo()
    (other,) = others
    os.fstat(other)
    os.close(other)
    # What was there is kept, and the letters come again.
    file.append(b"y" * 200)
    assert (tmp_path / "dead.jsonl.1").read_bytes() == b"x" * 900
    assert path.read_bytes() == b"y" * 200


def test_the_file_is_no_way_to_another_file(tmp_path: Path) -> None:
    (tmp_path / "dead.jsonl").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic link"):
        DeadLetterFile(tmp_path / "dead.jsonl", 1000).append(b"x")
    assert not (tmp_path / "other").exists()


def test_a_full_disk_leaves_no_half_a_line() -> None:
    file = DeadLetterFile(Path("/dev/full"), 1000)
    with pytest.raises(OSError, match="No space left") as caught:
        file.append(b"x")
    assert "dead_letter_file /dev/full cannot be written (No space left" in file.explain(
        caught.value
    )
