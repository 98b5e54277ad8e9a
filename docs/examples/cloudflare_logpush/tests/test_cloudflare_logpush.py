"""The plugin on files as Logpush writes them, in a real storage service."""

from __future__ import annotations

import gzip
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient, StandardBlobTier
from falcopy_sdk.host import HostEvent, Instance, Library, Plugin
from falcopy_sdk.testing import standard_tests

import cloudflare_logpush
from cloudflare_logpush import CloudflareLogpush

SAMPLES = Path(__file__).parents[1] / "samples" / "events.jsonl"
LINES = SAMPLES.read_bytes().splitlines(keepends=True)
NOWHERE = (
    "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:9/a;"
)

# On a busy machine the end of Falco interrupts a request.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

TestStandard = standard_tests(
    CloudflareLogpush,
    config={"connection_string": NOWHERE, "container": "logs"},
    sample_events=SAMPLES,
)


def put(container: ContainerClient, name: str, *lines: bytes) -> None:
    container.upload_blob(f"audit/{name}.log.gz", gzip.compress(b"".join(lines)))


@contextmanager
def reading(
    account: str, container: ContainerClient, state: Path | str = "", **more: Any
) -> Iterator[tuple[Plugin, Instance]]:
    config = {
        "connection_string": account,
        "container": container.container_name,
        "prefix": "audit/",
        "state_file": str(state),
    }
    with (
        Library.from_class(CloudflareLogpush) as library,
        library.init(config, **more) as plugin,
        plugin.open("") as instance,
    ):
        yield plugin, instance


def actions(plugin: Plugin, events: Iterator[HostEvent]) -> list[Any]:
    return [plugin.extract(event, "cloudflare.action") for event in events]


def read(account: str, container: ContainerClient, state: Path, count: int) -> list[Any]:
    """So many events, and until the plugin has noted that Falco has finished with them."""
    with reading(account, container, state) as (plugin, instance):
        found = actions(plugin, instance.events(limit=count, timeout=10))
        instance.next()  # coming back for more tells the plugin that these are finished with
        return found


def test_files_are_read_once_also_those_that_come_late(
    account: str, container: ContainerClient, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    put(container, "20260203/20260203T040500Z_20260203T040530Z_a1", LINES[0], LINES[1])
    put(container, "20260203/20260203T040600Z_20260203T040630Z_b2", LINES[2])
    container.upload_blob("other/file.log.gz", b"not of this prefix")
    found = read(account, container, state, 3)
    assert sorted(found) == ["delete", "login", "token_create"]

    put(container, "20260203/20260203T040530Z_20260203T040600Z_c3", LINES[1])
    assert read(account, container, state, 1) == ["delete"]


def test_a_file_that_cannot_be_read_is_told_once_and_holds_up_nothing(
    account: str, container: ContainerClient, tmp_path: Path
) -> None:
    bad = {
        "audit/ownership-challenge-1f2e.txt": b"eyJhbGciOiJSUzI1NiJ9.eyJvcmlnaW4iOiJjZiJ9.c2ln",
        "audit/20260203/cut.log.gz": gzip.compress(b"".join(LINES))[:-20],
        "audit/20260203/damaged.log.gz": gzip.compress(b"")[:10] + b"\xff" * 40,
        "audit/20260203/archived.log.gz": gzip.compress(LINES[0]),
    }
    for name, content in bad.items():
        container.upload_blob(name, content)
    archived = container.get_blob_client("audit/20260203/archived.log.gz")
    archived.set_standard_blob_tier(StandardBlobTier.ARCHIVE)
    put(container, "20260203/whole", *LINES)
    said: list[str] = []

    def log(component: str, line: str, severity: object) -> None:
        said.append(line)

    for state in (tmp_path / "state", tmp_path / "state"):
        with reading(account, container, state, log=log) as (plugin, instance):

            def all_read(plugin: Plugin = plugin, state: Path = state) -> bool:
                return state.exists() and len(json.loads(state.read_text())) == len(bad) + 1

            found = actions(plugin, instance.events(stop=all_read))
            counted = {metric.name: metric.value for metric in plugin.metrics()}
        if found:
            assert found == ["login", "delete", "token_create"]
            assert counted["unreadable"] == len(bad)
    warnings = [line for line in said if "is passed over" in line]
    assert sorted(line.split()[1] for line in warnings) == sorted(bad)
    assert not [line for line in said if "failed" in line]


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2026-02-03T04:05:06Z", 1770091506_000_000_000),
        ("2026-02-03T04:05:06.789+01:00", 1770087906_789_000_000),
        (1770091506_123_456_789, 1770091506_123_456_789),
        (1770091506, 1770091506_000_000_000),
        ("2026-02-03T04:05:06", None),
        ("1969-12-31T23:59:59Z", None),
        ("9999-12-31T23:59:59Z", None),
        ("yesterday", None),
        (-1, None),
        (2**70, None),
        (None, None),
        ([], None),
    ],
)
def test_an_entry_keeps_its_time_or_gets_that_of_reading(
    account: str, container: ContainerClient, when: object, expected: int | None
) -> None:
    entry = json.loads(LINES[0]) | {"When": when}
    put(container, "a", json.dumps(entry).encode())
    begun = time.time_ns()
    with reading(account, container) as (plugin, instance):
        (event,) = instance.events(limit=1, timeout=10)
        assert plugin.extract(event, "cloudflare.action") == "login"
        if expected is None:
            assert begun <= event.ts <= time.time_ns()
        else:
            assert event.ts == expected


@pytest.mark.parametrize("line", [b"no JSON", b"[" * 100_000, b"[1]", b"{}", b"\xff"])
def test_a_line_that_is_no_entry_costs_no_other(
    account: str, container: ContainerClient, line: bytes
) -> None:
    put(container, "a", LINES[0], line + b"\n", LINES[1])
    with reading(account, container) as (plugin, instance):
        found = actions(plugin, instance.events(limit=3, timeout=10))
    assert found == ["login", None, "delete"]


def test_after_a_stop_of_days_nothing_is_lost(
    account: str, container: ContainerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(container, "written while Falco was off", LINES[1])
    state, now = tmp_path / "state", time.time()
    state.write_text(json.dumps({"audit/read before.log.gz": now - 60}))
    three_days_on = SimpleNamespace(time=lambda: now + 3 * 86400)
    monkeypatch.setattr(cloudflare_logpush, "time", three_days_on)
    assert read(account, container, state, 1) == ["delete"]


def test_a_slow_falco_stops_the_reading_and_loses_nothing(
    account: str, container: ContainerClient
) -> None:
    for number in range(20):
        entries = (b'{"ActionType":"%d"}\n' % (number * 200 + n) for n in range(200))
        put(container, f"{number:02}", *entries)

    def files(plugin: Plugin) -> float:
        return {metric.name: metric.value for metric in plugin.metrics()}["files"]

    with reading(account, container) as (plugin, instance):
        found = []
        for event in instance.events(limit=4000, timeout=10):
            found.append(plugin.extract(event, "cloudflare.action"))
            # On their way: nine batches of 128 at most, and the file that does not fit in.
            assert files(plugin) * 200 <= len(found) + 10 * 128 + 2 * 200
    assert sorted(str(one) for one in found) == sorted(str(n) for n in range(4000))


def test_a_container_that_appears_later_is_waited_for(
    account: str, service: BlobServiceClient
) -> None:
    later = service.get_container_client(f"logs-{uuid.uuid4()}")
    with reading(account, later) as (plugin, instance):
        assert instance.next() is None
        later.create_container()
        put(later, "a", LINES[0])
        (event,) = instance.events(limit=1, timeout=10)
        assert plugin.extract(event, "cloudflare.ok") == 1
