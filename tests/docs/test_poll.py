"""The plugin of "Poll an API", with an API that is strict and at times busy."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, blocks

FALCOPY = Path(sys.executable).with_name("falcopy")
EVENTS = [{"n": 1}, {"n": 2}]


class StandIn(ThreadingHTTPServer):
    """Wants the token, and at first asks to wait."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.busy = 2
        self.answered: list[int] = []


class _Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_GET(self) -> None:
        if self.headers["Authorization"] != "Bearer good":
            self._answer(401)
        elif len(self.server.answered) < self.server.busy:
            self._answer(429)
        else:
            self._answer(200, EVENTS)

    def _answer(self, status: int, body: object = None) -> None:
        self.server.answered.append(status)
        content = json.dumps(body).encode()
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output free of access logs."""


@pytest.fixture
def api() -> Iterator[StandIn]:
    with StandIn() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_it_waits_when_the_api_says_so_and_gives_its_events(api: StandIn, tmp_path: Path) -> None:
    [plugin] = [block for block in blocks(DOCS / "how-to" / "poll-an-api.md") if block.title]
    (tmp_path / "poll.py").write_text(plugin.text)
    url = f"http://127.0.0.1:{api.server_port}/events"
    config = json.dumps({"url": url, "token": "good", "interval": 0.01})
    done = subprocess.run(
        [FALCOPY, "run", "poll.py", "--limit", "4", "--json", "--init-config", config],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    given = [json.loads(line)["data"] for line in done.stdout.splitlines()]
    assert [json.loads(text) for text in given] == EVENTS * 2
    assert api.answered[:4] == [429, 429, 200, 200]
    # A line when trouble begins and one when it is over, none for the tries between.
    told = [line for line in done.stderr.splitlines() if "the source" in line]
    assert len(told) == 2, done.stderr
    assert "trying again in 0 s: rate limited" in told[0]
    assert "the source works again, after 2 failed attempts" in told[1]
