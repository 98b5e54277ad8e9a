"""The alert that the tutorial promises, from a real engine: its rule over its samples.

libsinsp is what Falco evaluates conditions and formats outputs with; sysdig drives it here.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import DOCS

from .falco_rules import Rules
from .hosts import Plugin, Sysdig, messages

if TYPE_CHECKING:
    from conftest import Author

    from .chroot import Chroot

pytestmark = [pytest.mark.real_host, pytest.mark.slow, pytest.mark.timeout(900)]

TUTORIAL = (DOCS / "tutorial.md").read_text(encoding="utf-8")
NEW = re.compile(r"^falcopy (new acme-audit --template [\w-]+)", re.MULTILINE)
PROMISED = re.compile(r"^When .+, Falco prints `(.+)`\.$", re.MULTILINE)


class _Api(BaseHTTPRequestHandler):
    """The samples as the API's first page, then nothing new."""

    samples: list[object]

    def do_GET(self) -> None:
        events = [] if self.path.startswith("/events?after=end") else self.samples
        content = json.dumps({"events": events, "cursor": "end"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output free of access logs."""


@pytest.fixture(scope="module")
def project(author_of: Callable[[str], Author], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tutorial's project, built."""
    author = author_of("tutorial")
    folder = tmp_path_factory.mktemp("tutorial")
    [new] = NEW.findall(TUTORIAL)
    author.run("falcopy", *new.split(), cwd=folder)
    project = folder / "acme-audit"
    author.run("pip", "install", "--quiet", "httpx", cwd=project)
    author.run("pip", "install", "--quiet", "--no-deps", "--editable", ".", cwd=project)
    author.run("falcopy", "build", cwd=project)
    return project


@pytest.fixture
def api(project: Path) -> Iterator[str]:
    samples = (project / "samples" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    handler = type("Api", (_Api,), {"samples": [json.loads(line) for line in samples]})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_rule_gives_the_line_that_the_tutorial_promises(
    project: Path, api: str, chroot: Chroot, tmp_path: Path
) -> None:
    rules = Rules.read(project / "rules" / "acme_audit_rules.yaml")
    [rule] = rules.rules
    plugin = Plugin.install(project / "dist" / "libacme-audit.so", "acme-audit", tmp_path)
    config = json.dumps({"url": api, "token": "any", "interval": 1})
    done = Sysdig(chroot, tmp_path).run(
        # It ends at the first event that passes the condition: the only one of the samples.
        [(plugin, config)], "", [], "-n", "1", "-p", rules.output(rule), rules.condition(rule)
    )  # fmt: skip
    assert done.returncode == 0, messages(done)
    [promised] = PROMISED.findall(TUTORIAL)
    assert done.stdout.splitlines()[-1] == promised, messages(done)
