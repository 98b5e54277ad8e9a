"""The plugin against a stand-in that speaks GitHub's documented API."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from github_audit import GitHubAudit

from falcopy_sdk.host import Library
from falcopy_sdk.testing import standard_tests

SAMPLES = Path(__file__).parents[1] / "samples" / "events.jsonl"
TOKEN = "ghp_for-tests"

TestStandard = standard_tests(
    GitHubAudit,
    config={"organization": "acme", "token": TOKEN, "url": "http://127.0.0.1:9"},
    sample_events=SAMPLES,
)


class StandIn(ThreadingHTTPServer):
    """``GET /orgs/acme/audit-log``: search by time, pages of two with Link headers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.log = [json.loads(line) for line in SAMPLES.read_text().splitlines()]
        self.refusals: list[tuple[int, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if self.headers["Authorization"] != f"Bearer {TOKEN}" or url.path != "/orgs/acme/audit-log":
            return self._answer(404, {}, {"message": "Not Found"})
        if self.server.refusals:
            status, headers = self.server.refusals.pop(0)
            return self._answer(status, headers, {"message": "no"})
        since = re.fullmatch("created:>=(.*)", query["phrase"])
        assert since
        assert query["order"] == "asc"
        start = datetime.fromisoformat(since[1]).timestamp() * 1000
        found = [event for event in self.server.log if event["@timestamp"] >= start]
        after = int(query.get("after", 0))
        headers = {}
        if after + 2 < len(found):
            more = urlencode(query | {"after": after + 2})
            headers["Link"] = f'<{self.server.url}{url.path}?{more}>; rel="next"'
        return self._answer(200, headers, found[after : after + 2])

    def _answer(self, status: int, headers: dict[str, str], body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
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


def read(github: StandIn, state: Path, count: int) -> list[Any]:
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
        found = [
            plugin.extract(e, "github.action") for e in instance.events(limit=count, timeout=10)
        ]
        instance.next()  # coming back for more tells the plugin that these are finished with
        return found


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A place before all samples."""
    path = tmp_path / "state"
    path.write_text("[1770091500000, []]")
    return path


def test_all_pages_are_read_and_nothing_twice(github: StandIn, state: Path) -> None:
    actions = ["repo.destroy", "org.add_member", "git.clone", "repo.access"]
    assert read(github, state, 4) == actions
    # The search gives the last second again: only what is new comes through.
    last = github.log[-1]
    github.log.append({**last, "_document_id": "a5", "action": "repo.rename"})
    assert read(github, state, 1) == ["repo.rename"]


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (429, {"Retry-After": "0"}),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "0"}),
        (502, {}),
    ],
)
def test_it_waits_when_github_says_so_and_goes_on(
    github: StandIn, state: Path, status: int, headers: dict[str, str]
) -> None:
    github.refusals = [(status, headers)]
    assert read(github, state, 2) == ["repo.destroy", "org.add_member"]
