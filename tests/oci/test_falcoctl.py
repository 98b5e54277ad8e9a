"""A real falcoctl installs and follows what we push; where FALCOPY_FALCOCTL names one."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

import pytest

from .conftest import Falcopy
from .registries import Running


class Falcoctl(Protocol):
    """Runs falcoctl with a home and a configuration of its own."""

    def __call__(self, *arguments: object) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def falcoctl(tmp_path: Path) -> Falcoctl:
    program = os.environ.get("FALCOPY_FALCOCTL")
    if not program:
        pytest.skip("no falcoctl: name one in FALCOPY_FALCOCTL")
    config = tmp_path / "falcoctl.yaml"
    config.write_text("indexes: []\n")
    for folder in ("plugins", "rules", "state", "follow"):
        (tmp_path / folder).mkdir()

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, "--config", config, *map(str, arguments)],
            env={**os.environ, "HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


@pytest.fixture
def folders(tmp_path: Path) -> list[object]:
    return [
        *("--plugins-dir", tmp_path / "plugins", "--rulesfiles-dir", tmp_path / "rules"),
        *("--state-dir", tmp_path / "state", "--plain-http", "--no-verify"),
    ]


@pytest.fixture
def published(
    falcopy: Falcopy, plugin: Path, arm_plugin: Path, compiled: Any, rules: Path,
    registry: Running, repository: str, tmp_path: Path,
) -> str:  # fmt: skip
    """pydemo, its rules, and json, in a registry and in ``index.yaml``."""
    base = f"{registry.host}/{repository}"
    json_plugin = compiled('NAME="json"', 'VERSION="0.7.0"')
    for files, folder in (([plugin, arm_plugin], "p"), ([json_plugin], "json")):
        done = falcopy("push", *files, f"{base}/{folder}")
        assert done.returncode == 0, done.stderr
    named = ("--rules-name", "pydemo-rules", "--rules-version", "0.1.0")
    done = falcopy("push", rules, f"{base}/r", *named)
    assert done.returncode == 0, done.stderr
    index = tmp_path / "index.yaml"
    done = falcopy("index", "add", index, f"{base}/p", f"{base}/r", f"{base}/json")
    assert done.returncode == 0, done.stderr
    return base


def _text(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout + done.stderr


@pytest.mark.parametrize("platform", ["linux/amd64", "linux/arm64"])
def test_it_installs_on_both_platforms_and_records_the_digest(
    falcoctl: Falcoctl, folders: list[object], published: str, registry: Running, tmp_path: Path,
    plugin: Path, arm_plugin: Path, platform: str,
) -> None:  # fmt: skip
    done = falcoctl(
        *("artifact", "install", f"{published}/p:0.1.0", "--resolve-deps=false"),
        *("--platform", platform, *folders),
    )
    assert done.returncode == 0, _text(done)
    source = plugin if platform == "linux/amd64" else arm_plugin
    (library,) = (tmp_path / "plugins").iterdir()
    assert (library.name, library.read_bytes()) == ("libpydemo.so", source.read_bytes())
    assert library.stat().st_mode & 0o777 == 0o755
    (state,) = (tmp_path / "state" / ".falcoctl" / "artifact-state").glob("*.json")
    repository = published.partition("/")[2]
    assert (
        json.loads(state.read_text())["digest"] == registry.manifest(f"{repository}/p", "latest")[1]
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--platform", "darwin/arm64"], "unable to find a manifest matching the given platform"),
        (["--allowed-types", "rulesfile"], "type not permitted"),
    ],
)
def test_it_refuses_what_it_is_to_refuse(
    falcoctl: Falcoctl, folders: list[object], published: str, arguments: list[str], message: str
) -> None:
    done = falcoctl(
        "artifact", "install", f"{published}/p", "--resolve-deps=false", *arguments, *folders
    )
    assert done.returncode != 0
    assert message in _text(done)


def test_rules_bring_their_plugins_through_our_index(
    falcoctl: Falcoctl, folders: list[object], published: str, tmp_path: Path
) -> None:
    done = falcoctl("index", "add", "tests", f"file://{tmp_path}/index.yaml")
    assert done.returncode == 0, _text(done)
    listed = _text(falcoctl("artifact", "list", "--index", "tests"))
    assert "pydemo-rules" in listed
    assert "0.1.0" in _text(falcoctl("artifact", "info", "pydemo", "--plain-http"))
    done = falcoctl("artifact", "install", "pydemo-rules", "--platform", "linux/amd64", *folders)
    assert done.returncode == 0, _text(done)
    assert sorted(p.name for p in (tmp_path / "plugins").iterdir()) == [
        "libjson.so",
        "libpydemo.so",
    ]
    assert [p.name for p in (tmp_path / "rules").iterdir()] == ["pydemo_rules.yaml"]


def test_config_and_manifest_and_pull_work(
    falcoctl: Falcoctl, published: str, tmp_path: Path
) -> None:
    done = falcoctl("artifact", "config", f"{published}/r", "--plain-http")
    assert json.loads(done.stdout)["requirements"][0]["name"] == "engine_version_semver"
    done = falcoctl(
        "artifact", "manifest", f"{published}/p", "--platform", "linux/arm64", "--plain-http"
    )
    layer = json.loads(done.stdout)["layers"][0]
    done = falcoctl(
        *("registry", "pull", f"{published}/p", "--plain-http", "--dest-dir", tmp_path / "follow"),
        *("--platform", "linux/arm64"),
    )
    assert done.returncode == 0, _text(done)
    (pulled,) = (tmp_path / "follow").iterdir()
    assert pulled.name == layer["annotations"]["org.opencontainers.image.title"]
    assert pulled.stat().st_size == layer["size"]


@pytest.fixture
def versions() -> Iterator[dict[str, Any]]:
    """What a Falco says of itself; ``url`` is where."""
    told: dict[str, Any] = {"engine_version_semver": "0.50.0", "plugin_api_version": "3.12.0"}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            data = json.dumps({k: v for k, v in told.items() if k != "url"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told["url"] = f"http://127.0.0.1:{server.server_port}/versions"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("api_version", "message"),
    [("3.12.0", "Artifact correctly installed"), ("3.5.0", "requirements")],
)
def test_follow_installs_what_the_falco_there_satisfies(
    falcoctl: Falcoctl, folders: list[object], published: str, versions: dict[str, Any],
    tmp_path: Path, api_version: str, message: str,
) -> None:  # fmt: skip
    versions["plugin_api_version"] = api_version
    program = os.environ["FALCOPY_FALCOCTL"]
    command = [
        *(program, "--config", tmp_path / "falcoctl.yaml", "--log-format", "json"),
        *("--log-level", "debug", "artifact", "follow", f"{published}/p", "--every", "1s"),
        *("--falco-versions", versions["url"], "--tmp-dir", tmp_path / "follow"),
        *("--allowed-types", "plugin", *folders),
    ]
    with subprocess.Popen(
        [str(part) for part in command],
        env={**os.environ, "HOME": str(tmp_path / "home")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as follow:
        assert follow.stdout is not None
        seen = []
        for line in follow.stdout:
            seen.append(line)
            if message in line:
                break
        follow.terminate()
    assert message in "".join(seen), "".join(seen)
    installed = (tmp_path / "plugins" / "libpydemo.so").exists()
    assert installed == (api_version == "3.12.0")
