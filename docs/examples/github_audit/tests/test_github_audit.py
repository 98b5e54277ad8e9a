"""The plugin against a stand-in that speaks GitHub's documented API."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from falcopy_sdk.host import HostEvent, Instance, Library, Plugin
from falcopy_sdk.testing import standard_tests

from github_audit import GitHubAudit

SAMPLES = Path(__file__).parents[1] / "samples" / "events.jsonl"
TOKEN = "ghp_for-tests"
SECOND = 1_000
#: Of the first sample: 2026-02-03T04:05:06Z.
START = 1770091506 * SECOND

TestStandard = standard_tests(
    GitHubAudit,
    config={"organization": "acme", "token": TOKEN, "url": "http://127.0.0.1:9"},
    sample_events=SAMPLES,
)

Found = dict[str, Any]


class StandIn(ThreadingHTTPServer):
    """``GET /orgs/acme/audit-log`` of docs.github.com/rest/orgs/orgs.

    The search knows whole seconds; a page has ``per_page`` events, at most ``page`` here, and names
    the next one by a cursor in the Link header; each answer tells what is left of the rate limit.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.log: list[Found] = [json.loads(line) for line in SAMPLES.read_text().splitlines()]
        self.page = 2
        self.remaining = 1750
        self.reset = 0
        self.refusals: list[tuple[int, dict[str, str], str]] = []
        #: Pages given, and searches that came to their last page.
        self.pages = self.searches = 0
        self.moved = threading.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def search(self, phrase: str, include: str, order: str) -> list[Found]:
        since = re.fullmatch(r"created:>=(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)", phrase)
        assert since, phrase
        start = int(datetime.fromisoformat(since[1]).timestamp()) * SECOND
        kinds = {"web": (False,), "git": (True,), "all": (False, True)}[include]
        found = [
            event
            for event in self.log
            if event["@timestamp"] >= start and event["action"].startswith("git.") in kinds
        ]
        return sorted(found, key=_place, reverse=order == "desc")


def _place(event: Found) -> tuple[int, str]:
    return event["@timestamp"], event.get("_document_id", "")


class _Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_GET(self) -> None:
        url, server = urlsplit(self.path), self.server
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        # The links of the pages name the organisation by its number.
        known = url.path in ("/orgs/acme/audit-log", "/organizations/1/audit-log")
        if self.headers["Authorization"] != f"Bearer {TOKEN}" or not known:
            return self._answer(404, {}, {"message": "Not Found"})
        if server.refusals:
            status, headers, message = server.refusals.pop(0)
            return self._answer(status, headers, {"message": message})
        if not server.remaining:
            server.remaining = 1750  # of the next hour, which has begun
            spent = {"X-RateLimit-Remaining": "0"}
            return self._answer(403, spent, {"message": "API rate limit exceeded for user ID 1."})
        server.remaining -= 1
        order = query.get("order", "desc")
        found = server.search(query["phrase"], query.get("include", "web"), order)
        if after := query.get("after"):
            place = tuple(json.loads(base64.b64decode(after)))
            found = [event for event in found if (_place(event) > place) == (order == "asc")]
        size = min(int(query.get("per_page", 30)), server.page)
        page, headers = found[:size], {}
        if len(found) > size:
            cursor = base64.b64encode(json.dumps(_place(page[-1])).encode()).decode()
            more = urlencode(query | {"after": cursor, "before": ""})
            headers["Link"] = f'<{server.url}/organizations/1/audit-log?{more}>; rel="next"'
        else:
            server.searches += 1
        with server.moved:
            server.pages += 1
            server.moved.notify_all()
        return self._answer(200, headers, page)

    def _answer(self, status: int, headers: dict[str, str], body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        limit = {
            "X-RateLimit-Limit": "1750",
            "X-RateLimit-Remaining": str(self.server.remaining),
            "X-RateLimit-Reset": str(self.server.reset),
            "Content-Length": str(len(content)),
        }
        for name, value in (limit | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output free of access logs."""


@pytest.fixture
def github() -> Iterator[StandIn]:
    with StandIn() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A place before all samples."""
    path = tmp_path / "state"
    path.write_text(json.dumps([[START - 60 * SECOND, ""]]))
    return path


@contextmanager
def polling(github: StandIn, state: Path | str) -> Iterator[tuple[Plugin, Instance]]:
    config = {
        "organization": "acme",
        "token": TOKEN,
        "url": github.url,
        "interval": 0.01,
        "state_file": str(state),
    }
    with (
        Library.from_class(GitHubAudit) as library,
        library.init(config) as plugin,
        plugin.open("") as instance,
    ):
        yield plugin, instance


def actions(plugin: Plugin, events: Iterator[HostEvent]) -> list[Any]:
    return [plugin.extract(event, "github.action") for event in events]


def until_searched(github: StandIn, instance: Instance, times: int = 3) -> Iterator[HostEvent]:
    """Events until so many more searches have come to their ends."""
    enough = github.searches + times
    return instance.events(stop=lambda: github.searches >= enough)


def entry(name: str, when: int) -> Found:
    return {"@timestamp": when, "_document_id": name, "action": name, "org": "acme"}


def test_all_pages_are_read_and_nothing_twice(github: StandIn, state: Path) -> None:
    with polling(github, state) as (plugin, instance):
        found = actions(plugin, until_searched(github, instance))
        assert found == ["repo.destroy", "org.add_member", "git.clone", "repo.access"]


def test_events_of_one_second_are_told_once_each(github: StandIn, state: Path) -> None:
    github.log = [entry("a", START + 100), entry("b", START + 900)]
    with polling(github, state) as (plugin, instance):
        assert actions(plugin, until_searched(github, instance)) == ["a", "b"]
        github.log += [entry("c", START + 500), entry("d", START + 900)]
        assert actions(plugin, until_searched(github, instance)) == ["c", "d"]


def test_an_event_that_appears_after_later_ones_is_not_missed(github: StandIn, state: Path) -> None:
    github.log = [entry("a", START), entry("z", START + 40 * SECOND)]
    with polling(github, state) as (plugin, instance):
        assert actions(plugin, until_searched(github, instance)) == ["a", "z"]
        github.log.append(entry("late", START + 5 * SECOND))
        assert actions(plugin, until_searched(github, instance)) == ["late"]
    when, _ = max(json.loads(state.read_text()))
    assert when == START + 40 * SECOND


def test_what_is_long_past_is_forgotten(github: StandIn, state: Path) -> None:
    github.log = [entry(f"e{n}", START + n * 50 * SECOND) for n in range(20)]
    with polling(github, state) as (plugin, instance):
        assert len(actions(plugin, until_searched(github, instance))) == 20
    assert [name for _, name in json.loads(state.read_text())] == ["e18", "e19"]


def test_a_restart_repeats_only_what_falco_had_not_finished_with(
    github: StandIn, state: Path
) -> None:
    github.log = [entry(f"e{n:02}", START + n * 10) for n in range(30)]
    told = [event["action"] for event in github.log]
    with polling(github, state) as (plugin, instance):
        assert actions(plugin, instance.events(limit=7, timeout=10)) == told[:7]
    finished = {name for _, name in json.loads(state.read_text())} - {""}
    assert finished <= set(told[:7])

    with polling(github, state) as (plugin, instance):
        again = actions(plugin, until_searched(github, instance))
    assert again == [name for name in told if name not in finished]
    with polling(github, state) as (plugin, instance):
        assert actions(plugin, until_searched(github, instance)) == []


def test_the_first_start_keeps_its_place_before_there_is_an_event(
    github: StandIn, tmp_path: Path
) -> None:
    with polling(github, tmp_path / "new") as (plugin, instance):
        assert actions(plugin, until_searched(github, instance, times=1)) == []
    ((kept, _),) = json.loads((tmp_path / "new").read_text())
    assert abs(time.time() * SECOND - kept) < 3600 * SECOND
    github.log.append(entry("while Falco was away", kept + 1))
    with polling(github, tmp_path / "new") as (plugin, instance):
        assert actions(plugin, until_searched(github, instance)) == ["while Falco was away"]


def test_a_slow_falco_stops_the_polls_and_loses_nothing(github: StandIn, state: Path) -> None:
    github.page = 100
    github.log = [entry(f"e{n:04}", START + n) for n in range(5000)]
    with polling(github, state) as (plugin, instance):
        with github.moved:
            # Falco takes nothing: what is on its way to it, 8 batches of 128, fills up.
            assert github.moved.wait_for(lambda: github.pages > 10, timeout=30)
        found = []
        for event in instance.events(limit=5000, timeout=10):
            found.append(plugin.extract(event, "github.action"))
            # On their way: nine batches of 128 at most, and the page that does not fit in.
            assert github.pages * 100 <= len(found) + 10 * 128 + 2 * 100
    assert found == [event["action"] for event in github.log]


@pytest.mark.parametrize(
    ("status", "headers"),
    [(429, {"Retry-After": "0"}), (403, {"Retry-After": "0"}), (502, {})],
)
def test_it_waits_when_github_says_so_and_goes_on(
    github: StandIn, state: Path, status: int, headers: dict[str, str]
) -> None:
    github.refusals = [(status, headers, "no")]
    with polling(github, state) as (plugin, instance):
        found = actions(plugin, instance.events(limit=4, timeout=10))
        assert found == ["repo.destroy", "org.add_member", "git.clone", "repo.access"]


def test_a_rate_limit_that_is_used_up_between_pages_costs_no_event(
    github: StandIn, state: Path
) -> None:
    github.remaining = 1
    with polling(github, state) as (plugin, instance):
        found = actions(plugin, until_searched(github, instance))
        assert sorted(set(found)) == ["git.clone", "org.add_member", "repo.access", "repo.destroy"]
        assert {m.name: m.value for m in plugin.metrics()}["rate_limited"] == 1


@pytest.mark.parametrize(("status", "message"), [(429, "Too many"), (403, "a rate limit")])
def test_a_limit_without_a_time_is_waited_for_a_minute(
    github: StandIn, state: Path, status: int, message: str
) -> None:
    github.refusals = [(status, {}, message)]
    lines: list[str] = []
    config = {"organization": "acme", "token": TOKEN, "url": github.url, "state_file": str(state)}
    with (
        Library.from_class(GitHubAudit) as library,
        library.init(config, log=lambda _, line, __: lines.append(line)) as plugin,
        plugin.open("") as instance,
    ):
        assert not list(instance.events(stop=lambda: any("trying again" in line for line in lines)))
    assert any("trying again in 60 s: GitHub's rate limit is used up" in line for line in lines)
