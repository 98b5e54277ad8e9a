"""The HTTP listener: requests in, answers when Falco has finished with their events."""

from __future__ import annotations

import asyncio
import hmac
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from aiohttp import web
from falcopy_sdk import Event, SourceFatal, SourceRetry

MAX_BODY = 8 << 20
#: Seconds that Falco has for the events of a request before its sender is told to try again.
PATIENCE = 30.0


class Request:
    """The events of one request, and the way back to its sender."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.finished = asyncio.Event()

    def done(self) -> None:
        """Falco has finished with the events: the sender may forget them."""
        self.finished.set()


class Listener:
    """Accepts ``POST /events`` with an event, or an array of events, as JSON."""

    def __init__(self, token: str, waiting: int) -> None:
        self._expected = f"Bearer {token}".encode()
        self._requests: asyncio.Queue[Request] = asyncio.Queue(waiting)

    async def next(self) -> Request:
        """The next request, in the order of arrival."""
        return await self._requests.get()

    @asynccontextmanager
    async def serving(
        self, address: str, port: int, certificate: str, key: str
    ) -> AsyncIterator[None]:
        """Listen.

        Raises:
            SourceFatal: certificate or key cannot be used.
            SourceRetry: the port is taken, for now.
        """
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_post("/events", self._on_post)
        tls = _tls(certificate, key) if certificate else None
        with _listening(address, port) as listener:
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
            await runner.setup()
            try:
                await web.SockSite(runner, listener, ssl_context=tls).start()
                yield
            finally:
                await runner.cleanup()

    async def _on_post(self, http: web.Request) -> web.Response:
        # Bytes that are no text come as surrogates.
        given = http.headers.get("Authorization", "").encode(errors="surrogateescape")
        if not hmac.compare_digest(given, self._expected):
            return web.json_response({"error": "wrong or no token"}, status=401)
        try:
            body = orjson.loads(await http.read())
        except ValueError:
            return web.json_response({"error": "the body is not JSON"}, status=400)
        events = body if isinstance(body, list) else [body]
        if not all(isinstance(event, dict) for event in events):
            return web.json_response({"error": "an event is a JSON object"}, status=400)
        try:
            request = Request([Event(event) for event in events])
        except TypeError as error:  # nested too deeply
            return web.json_response({"error": f"an event cannot be kept: {error}"}, status=400)
        try:
            self._requests.put_nowait(request)
            async with asyncio.timeout(PATIENCE):
                await request.finished.wait()
        except asyncio.QueueFull:
            return _later(429, "too many requests are waiting")
        except TimeoutError:
            return _later(503, "Falco has not taken the events in time")
        return web.json_response({"accepted": len(events)})


def _listening(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family)
    except OSError as error:
        raise SourceRetry(f"cannot listen on {address}:{port}: {error.strerror}") from error


def _later(status: int, reason: str) -> web.Response:
    return web.json_response({"error": reason}, status=status, headers={"Retry-After": "1"})


def _tls(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key or None)
    except (OSError, ssl.SSLError) as error:
        raise SourceFatal(f"init_config.certificate {certificate}: {error}") from error
    return context
