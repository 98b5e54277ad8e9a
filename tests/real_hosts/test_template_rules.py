"""The rules of new projects in a real engine: they fire on their samples, and on no others."""

from __future__ import annotations

import json
import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from falcopy_sdk.scaffold import Names, create, find_template

from .falco_rules import Rules
from .hosts import FILES, Plugin, Sysdig, messages, printed

pytestmark = [pytest.mark.real_host, pytest.mark.slow, pytest.mark.timeout(600)]

#: The sample on which the rule of each template with a source fires; it does not on the others.
FIRES = "token.create"
TOKEN = "a-token-for-tests"


@pytest.fixture
def project(
    request: pytest.FixtureRequest, make_once: Callable[..., Path], build_once: Callable[..., Path]
) -> tuple[Path, Path]:
    """A new project from the template that is the parameter, and its library."""
    template = request.param
    name = f"vault-{template.removeprefix('source-')}"

    def make(folder: Path) -> Path:
        texts = {"description": "Events of a vault", "contact": "https://example.org"}
        create(find_template(template), Names(name), folder / name, **texts)
        return folder / name

    made = make_once(f"rules-of-{template}", make)
    return made, build_once(f"lib{name}.so", made)


def rule_of(project: Path) -> tuple[str, list[str]]:
    """The condition of the project's rule, and the fields that its output prints."""
    rules = Rules.read(next(project.glob("rules/*.yaml")))
    (rule,) = rules.rules
    return rules.condition(rule), re.findall(r"%([\w.]+)", rules.output(rule))


@contextmanager
def polled(samples: list[dict[str, Any]], _files: Path) -> Iterator[dict[str, Any]]:
    """The API that source-poll asks; gives the plugin's configuration."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fresh = self.path.startswith("/events?after=&")
            page = json.dumps({"events": samples if fresh else [], "cursor": "1"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            yield {"url": url, "token": TOKEN, "interval": 0.05}
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def pushed(samples: list[dict[str, Any]], _files: Path) -> Iterator[dict[str, Any]]:
    """A sender for source-push, which begins when the plugin listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    over = threading.Event()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/events",
        json.dumps(samples).encode(),
        {"Authorization": f"Bearer {TOKEN}"},
    )

    def send() -> None:
        while not over.wait(0.05):
            try:
                urllib.request.urlopen(request, timeout=60).close()
                return
            except urllib.error.HTTPError as error:
                error.close()
                raise
            except OSError:
                pass  # not yet listening, or the host has ended with the last event

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield {"token": TOKEN, "port": port}
    finally:
        over.set()
        thread.join()


@contextmanager
def filed(samples: list[dict[str, Any]], files: Path) -> Iterator[dict[str, Any]]:
    """The files of source-files."""
    (files / "logs").mkdir()
    lines = "".join(f"{json.dumps(sample)}\n" for sample in samples)
    (files / "logs" / "1.jsonl").write_text(lines)
    yield {"folder": f"{FILES}/logs"}


@pytest.mark.parametrize(
    ("project", "giving"),
    [("source-poll", polled), ("source-push", pushed), ("source-files", filed)],
    indirect=["project"],
)
def test_the_rule_of_a_source_fires_on_its_sample_alone(
    project: tuple[Path, Path], giving: Any, sysdig: Sysdig, tmp_path: Path
) -> None:
    folder, library = project
    condition, output = rule_of(folder)
    action = f"{condition.partition('.')[0]}.action"
    lines = (folder / "samples" / "events.jsonl").read_text().splitlines()
    samples = [json.loads(line) for line in lines]
    plugin = Plugin.install(library, folder.name, tmp_path)

    with giving(samples, tmp_path) as config:
        plugins = [(plugin, json.dumps(config))]
        more = ("-n", str(len(samples)), "-q", "-w", f"{FILES}/all.scap")
        live = sysdig.run(plugins, "", [], *more)
    assert live.returncode == 0, messages(live)

    def read(*more: str) -> list[dict[str, Any]]:
        done = sysdig.run(plugins, None, [action, *output], "-r", f"{FILES}/all.scap", *more)
        assert done.returncode == 0, messages(done)
        return printed(done.stdout)

    assert [event[action] for event in read()] == [sample["action"] for sample in samples]
    (fired,) = read(condition)
    assert fired[action] == FIRES
    assert all(fired[field] for field in output)


@pytest.mark.parametrize("project", ["extractor"], indirect=True)
def test_the_rule_of_added_fields_fires_on_its_sample_alone(
    project: tuple[Path, Path], k8saudit_aks: Plugin, sysdig: Sysdig, tmp_path: Path
) -> None:
    folder, library = project
    condition, output = rule_of(folder)
    config = YAML(typ="safe").load(folder / "samples" / "init_config.yaml")
    (tmp_path / "audit.jsonl").write_bytes((folder / "samples" / "events.jsonl").read_bytes())
    added = Plugin.install(library, folder.name, tmp_path, "added")
    plugins = [(k8saudit_aks, ""), (added, json.dumps(config))]

    def read(*more: str) -> list[dict[str, Any]]:
        fields = ["ka.auditid", *output]
        done = sysdig.run(plugins, f"file://{FILES}/audit.jsonl", fields, *more)
        assert done.returncode == 0, messages(done)
        return printed(done.stdout)

    assert [event["ka.auditid"] for event in read()] == ["a1", "a2", "a3"]
    (fired,) = read(condition)
    assert fired["ka.auditid"] == "a2"
    assert all(fired[field] for field in output)
