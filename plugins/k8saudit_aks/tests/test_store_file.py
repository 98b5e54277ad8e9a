"""The checkpoint file: what it keeps through kill -9, who may use it, and what it says."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from k8saudit_aks import store_file
from k8saudit_aks.progress import Position
from k8saudit_aks.store import Group, checkpoint
from k8saudit_aks.store_file import FileStore

from falcopy_sdk.exceptions import SourceFatal
from falcopy_sdk.testing.eventhubs import Emulator

if TYPE_CHECKING:
    from collections.abc import Coroutine

Live = Any
GROUP = Group("ns.servicebus.windows.net", "audit", "$Default")


def body(audit_id: str) -> bytes:
    log = {"kind": "Event", "auditID": audit_id, "stageTimestamp": "2026-02-03T04:05:06Z"}
    record = {"category": "kube-audit", "properties": {"log": json.dumps(log)}}
    return json.dumps({"records": [record]}).encode()


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


async def positions(path: Path, group: Group = GROUP) -> dict[str, Position]:
    async with FileStore(path) as store:
        await store.list_checkpoints(*group)
        return store.positions


def test_positions_are_kept_by_group_and_partition(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    other = GROUP._replace(consumer_group="siem")

    async def write() -> None:
        async with FileStore(path) as store:
            await store.reach(GROUP)
            assert store.positions == {}
            for number in range(3):
                await store.update_checkpoint(checkpoint(GROUP, "0", Position(number, "a")))
            await store.update_checkpoint(checkpoint(GROUP, "1", Position(2**53 + 1, "4:711")))
            await store.update_checkpoint(checkpoint(other, "0", Position(9, "b")))

    run(write())
    assert run(positions(path)) == {"0": Position(2, "a"), "1": Position(2**53 + 1, "4:711")}
    assert run(positions(path, other)) == {"0": Position(9, "b")}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(found.stat().st_mode) for found in tmp_path.iterdir()} == {0o600}


def test_it_speaks_the_client_librarys_language(tmp_path: Path) -> None:
    async def use() -> None:
        async with FileStore(tmp_path / "positions.db") as store:
            written = checkpoint(GROUP, "0", Position(7, "70"))
            await store.update_checkpoint(written)
            assert list(await store.list_checkpoints(*GROUP)) == [written]
            asked = {**written, "owner_id": "me"}
            (claimed,) = await store.claim_ownership([asked])
            assert claimed["etag"]
            assert abs(claimed["last_modified_time"] - time.time()) < 5
            assert list(await store.list_ownership(*GROUP)) == []

    run(use())


WRITER = """
import asyncio, sys
from pathlib import Path
from k8saudit_aks.progress import Position
from k8saudit_aks.store import Group, checkpoint
from k8saudit_aks.store_file import FileStore

async def run():
    group = Group("ns.servicebus.windows.net", "audit", "$Default")
    async with FileStore(Path(sys.argv[1])) as store:
        await store.reach(group)
        number = int(sys.argv[2])
        while True:
            number += 1
            for partition in "0123":
                position = Position(number, str(number) * 50)
                await store.update_checkpoint(checkpoint(group, partition, position))
                print(partition, number, flush=True)

asyncio.run(run())
"""


def test_kill_9_loses_no_position_that_was_written(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    moments = random.Random(4)
    number = 0
    for _ in range(12):
        command = [sys.executable, "-c", WRITER, str(path), str(number)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            first = process.stdout.readline()
            assert first, "it did not write"
            time.sleep(moments.uniform(0, 0.08))
            process.kill()
            said = [first, *process.stdout]
        confirmed: dict[str, int] = {}
        for line in said:
            if line.endswith("\n"):
                partition, told = line.split()
                confirmed[partition] = int(told)
        kept = run(positions(path))
        for partition, told in confirmed.items():
            # What was being written when it was killed may be there as well.
            assert kept[partition].sequence_number in (told, told + 1)
        for position in kept.values():
            assert position.offset == str(position.sequence_number) * 50
        number = max(position.sequence_number for position in kept.values())
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def test_a_second_reader_waits_until_the_first_has_ended(
    live: Live, tmp_path: Path, logged: Any, eventually: Any
) -> None:
    path = tmp_path / "positions.db"

    async def scenario() -> None:
        async with Emulator({"audit": 2}) as emulator:
            emulator.append("audit", body("a"), partition="0")
            async with live(emulator, checkpoint_file=str(path)) as first:
                await first.until(lambda host: host.ids == ["a"])
                await eventually(lambda: first.stats.checkpoints >= 1, 30)
                async with live(emulator, checkpoint_file=str(path)) as second:
                    await eventually(lambda: bool(logged("is in use by another reader")), 30)
                    emulator.append("audit", body("b"), partition="1")
                    await first.until(lambda host: "b" in host.ids, 30)
                    await eventually(lambda: first.stats.checkpoints >= 2, 30)
                    assert second.ids == []
            async with live(emulator, checkpoint_file=str(path)) as third:
                emulator.append("audit", body("c"), partition="0")
                await third.until(lambda host: bool(host.ids), 30)
                assert third.ids == ["c"]

    run(scenario())
    assert len(logged("is in use by another reader")) == 1


def test_the_reader_that_waits_takes_over_from_a_killed_one_at_once(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    command = [sys.executable, "-c", WRITER, str(path), "0"]

    async def reach() -> None:
        async with FileStore(path) as store:
            with pytest.raises(sqlite3.OperationalError) as caught:
                await store.reach(GROUP)
            assert "give each Falco a checkpoint_file of its own" in store.explain(caught.value)
            process.kill()
            process.wait()
            await store.reach(GROUP)
            assert set(store.positions) >= {"0"}

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline()
        run(reach())


def fatal(path: Path) -> str:
    async def reach() -> None:
        async with FileStore(path) as store:
            await store.reach(GROUP)

    with pytest.raises(SourceFatal) as caught:
        run(reach())
    return str(caught.value)


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    text = fatal(tmp_path / "missing" / "positions.db")
    assert "missing/positions.db cannot be opened; its folder must exist" in text


def test_a_path_that_is_a_folder_is_named(tmp_path: Path) -> None:
    assert "cannot be opened" in fatal(tmp_path)


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"
    path.write_bytes(b"precious notes of somebody else\n" * 100)
    assert "is no SQLite database; name another file" in fatal(path)
    assert path.read_bytes() == b"precious notes of somebody else\n" * 100


def test_a_file_that_may_not_be_written_is_named() -> None:
    # Root may write everywhere but here.
    text = fatal(Path("/proc/positions.db"))
    assert "/proc/positions.db" in text
    assert "must exist" in text or "is not writable" in text


def test_a_full_disk_stops_checkpoints_and_not_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own limit on pages stands for the disk's end: it gives the same result code."""
    path = tmp_path / "positions.db"

    async def use() -> None:
        async with FileStore(path) as store:
            await store.reach(GROUP)
            await store.update_checkpoint(checkpoint(GROUP, "0", Position(1, "1")))
            assert store._database
            await store._do(
                lambda: store._database.execute("PRAGMA max_page_count = 1")  # type: ignore[union-attr]
            )
            big = Position(2, "x" * 100_000)
            with pytest.raises(store.errors) as caught:
                await store.update_checkpoint(checkpoint(GROUP, "0", big))
            assert "no space left on its disk" in store.explain(caught.value)
            # There is room again.
            await store.update_checkpoint(checkpoint(GROUP, "0", Position(3, "3")))

    run(use())
    assert run(positions(path)) == {"0": Position(3, "3")}


def test_a_file_that_was_removed_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "positions.db"

    async def use() -> None:
        async with FileStore(path) as store:
            await store.reach(GROUP)
            path.unlink()
            await store.update_checkpoint(checkpoint(GROUP, "0", Position(1, "1")))

    run(use())
    assert run(positions(path)) == {"0": Position(1, "1")}


def test_a_file_that_is_removed_under_a_quiet_stream_gets_its_positions_again(
    live: Live, tmp_path: Path, eventually: Any
) -> None:
    path = tmp_path / "positions.db"

    async def scenario() -> None:
        async with Emulator({"audit": 1}) as emulator:
            emulator.append("audit", body("a"))
            async with live(emulator, checkpoint_file=str(path)) as host:
                await eventually(lambda: host.stats.checkpoints == 1)
                path.unlink()
                await eventually(lambda: host.stats.checkpoints == 2)
            emulator.append("audit", body("b"))
            async with live(emulator, checkpoint_file=str(path)) as host:
                await host.until(lambda host: bool(host.ids))
                assert host.ids == ["b"]

    run(scenario())


def test_a_disk_that_hangs_does_not_keep_the_stream_from_closing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_file, "_CLOSE_TIMEOUT", 0.2)
    released = threading.Event()

    async def use() -> float:
        store = FileStore(tmp_path / "positions.db")
        async with store:
            await store.reach(GROUP)
            hanging = asyncio.ensure_future(store._do(released.wait))
            began = time.monotonic()
        took = time.monotonic() - began
        released.set()
        await hanging
        return took

    assert run(use()) < 5


def test_a_restart_goes_on_after_the_last_event_and_logs_its_steps(
    live: Live, tmp_path: Path, eventually: Any, logged: Any
) -> None:
    keys = {"checkpoint_store": "file", "checkpoint_file": str(tmp_path / "positions.db")}

    async def scenario() -> None:
        async with Emulator({"audit": 2}) as emulator:
            emulator.append("audit", body("a"), body("b"), partition="0")
            emulator.append("audit", body("c"), partition="1")
            async with live(emulator, **keys) as host:
                await host.until(lambda host: len(host.ids) == 3)
            emulator.append("audit", body("d"), partition="0")
            async with live(emulator, **keys) as host:
                await host.until(lambda host: bool(host.ids))
                assert host.ids == ["d"]

    run(scenario())
    assert logged("opened checkpoint file")
    assert not logged("blob")
