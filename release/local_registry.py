"""Debian's docker-registry on loopback, for the dry run."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SECONDS = 30


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Starts a registry with its data in the folder; gives its host and port."""
    program = os.environ.get("FALCOPY_DOCKER_REGISTRY") or shutil.which("docker-registry")
    if program is None:
        raise SystemExit("release: no docker-registry: apt install docker-registry")
    folder.mkdir(parents=True)
    host = f"127.0.0.1:{_free_port()}"
    config = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": host, "secret": "of the dry run"},
    }
    (folder / "config.yml").write_text(json.dumps(config), encoding="utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "serve", str(folder / "config.yml")], stdout=log, stderr=log
        )
    try:
        _wait(process, host, folder / "log")
        yield host
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], host: str, log: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://{host}/v2/", timeout=5):
                return
        except urllib.error.URLError:
            time.sleep(0.05)
    raise SystemExit(f"release: docker-registry does not answer: {log.read_text()[-500:]}")
