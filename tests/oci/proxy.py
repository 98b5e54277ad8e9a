"""A reverse proxy that breaks what it is told to break, in front of a real registry."""

from __future__ import annotations

import http.client
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_BLOCK = 64 * 1024
_HOP = {"connection", "transfer-encoding", "keep-alive"}


@dataclass
class Fault:
    """What happens to the requests that match, so many times."""

    method: str
    path: str
    #: An own answer, without asking the registry.
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    #: Cut the connection after so many bytes of the request's (if it has them) or response's body.
    cut_request: int = -1
    cut_response: int = -1
    #: Changes the response's body.
    tamper: Callable[[bytes], bytes] | None = None
    times: int = 1

    def matches(self, method: str, path: str, length: int) -> bool:
        return bool(
            self.times
            and method == self.method
            and re.search(self.path, path)
            and length >= self.cut_request
        )


@dataclass
class Proxy:
    """A running proxy; ``faults`` may change at any time."""

    port: int
    upstream: int
    faults: list[Fault] = field(default_factory=list)
    #: Method, path, and the value of Authorization, as they came.
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    #: Asked with the same about each request: what happens to it.
    gate: Callable[[str, str, str | None], Fault | None] = lambda *_: None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def count(self, method: str, path: str) -> int:
        return sum(m == method and bool(re.search(path, p)) for m, p, _ in self.requests)

    def take(self, method: str, path: str, length: int) -> Fault | None:
        for fault in self.faults:
            if fault.matches(method, path, length):
                fault.times -= 1
                return fault
        return None


@contextmanager
def running_proxy(upstream: int) -> Iterator[Proxy]:
    proxy = Proxy(0, upstream)
    handler = type("Handler", (_Handler,), {"proxy": proxy})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    proxy.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, ValueError):  # the client went, or we cut the connection
            self.close_connection = True

    def _any(self) -> None:
        request = (self.command, self.path, self.headers.get("Authorization"))
        self.proxy.requests.append(request)
        length = int(self.headers.get("Content-Length") or 0)
        fault = self.proxy.gate(*request) or self.proxy.take(self.command, self.path, length)
        if fault is not None and fault.status:
            self.rfile.read(length)
            self._answer(fault.status, fault.headers, fault.body)
            return
        cut = fault.cut_request if fault is not None else -1
        upstream = http.client.HTTPConnection("127.0.0.1", self.proxy.upstream, timeout=30)
        try:
            self._forward(upstream, length, cut)
            if cut >= 0:
                self._cut()
                return
            response = upstream.getresponse()
            data = response.read()
            headers = {k: v for k, v in response.getheaders() if k.lower() not in _HOP}
            if fault is not None and fault.tamper is not None:
                data = fault.tamper(data)
                headers["Content-Length"] = str(len(data))
            self._answer(
                response.status, headers, data, fault.cut_response if fault is not None else -1
            )
        finally:
            upstream.close()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = _any  # noqa: N815

    def _forward(self, upstream: http.client.HTTPConnection, length: int, cut: int) -> None:
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            upstream.putheader(name, value)
        upstream.endheaders()
        left = length if cut < 0 else min(cut, length)
        while left:
            block = self.rfile.read(min(_BLOCK, left))
            if not block:
                raise ConnectionError("the client went")
            upstream.send(block)
            left -= len(block)

    def _answer(self, status: int, headers: dict[str, str], data: bytes, cut: int = -1) -> None:
        self.send_response_only(status)
        given = {k.lower() for k in headers}
        for name, value in headers.items():
            self.send_header(name, value)
        if "content-length" not in given and self.command != "HEAD":
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data if cut < 0 else data[:cut])
        if cut >= 0:
            self.wfile.flush()
            self._cut()

    def _cut(self) -> None:
        # SO_LINGER of 0 s: a reset, as when a machine on the way dies.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        raise ConnectionError("cut")
