"""Events of a Tailscale network: signed webhooks, answered when Falco has finished with them.

https://tailscale.com/kb/1213/webhooks
"""

import asyncio
import hmac
import json
import re
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated

from aiohttp import web
from falcopy_sdk import (
    Batch,
    Event,
    Metric,
    Range,
    Secret,
    SourceFatal,
    SourceRetry,
    extract,
    init_schema,
    metrics,
    plugin,
    source,
)

#: Seconds that a signature is good for, against requests that were recorded and are sent again.
MAX_AGE = 300
#: Seconds that Falco has before the sender is told to try again.
PATIENCE = 10.0


@plugin(
    name="tailscale-webhook",
    id=999,
    version="0.1.0",
    event_source="tailscale",
    description="Events of a Tailscale network, received as signed webhooks",
    contact="https://example.org/tailscale-webhook",
)
class TailscaleWebhook:
    @init_schema
    @dataclass
    class Config:
        secret: Annotated[Secret, "The webhook's secret, tskey-webhook-..."]
        old_secret: Annotated[Secret, "The one before, while it is rotated"] = field(
            default_factory=lambda: Secret("")
        )
        address: Annotated[str, "Address to listen on"] = "127.0.0.1"
        port: Annotated[int, "Port to listen on; 0: any that is free", Range(0, 65535)] = 8443
        certificate: Annotated[str, "PEM file; empty: no TLS, for a proxy in front"] = ""
        key: Annotated[str, "PEM file with its private key"] = ""
        waiting: Annotated[int, "Requests that may wait; more get 429", Range(1, 10000)] = 64

    def __init__(self, config: Config) -> None:
        self._config = config
        self._secrets = [s for s in (config.secret.reveal(), config.old_secret.reveal()) if s]
        self._accepted = self._refused = self._put_off = 0

    @source
    async def events(self, params: str) -> AsyncIterator[Batch]:
        waiting: asyncio.Queue[tuple[list[Event], asyncio.Event]] = asyncio.Queue(
            self._config.waiting
        )

        async def receive(request: web.Request) -> web.Response:
            body = await request.read()
            if not self._is_signed(request.headers.get("Tailscale-Webhook-Signature", ""), body):
                self._refused += 1
                return web.json_response({"error": "the signature does not fit"}, status=401)
            try:
                events, finished = [Event(dict(e)) for e in json.loads(body)], asyncio.Event()
            except (ValueError, TypeError, RecursionError):
                return web.json_response({"error": "no array of JSON objects"}, status=400)
            try:
                waiting.put_nowait((events, finished))
                async with asyncio.timeout(PATIENCE):
                    await finished.wait()
            except (asyncio.QueueFull, TimeoutError):
                # Tailscale sends again what is not answered with 200.
                self._put_off += 1
                return web.json_response({"error": "Falco is behind"}, status=429)
            self._accepted += 1
            return web.json_response({"accepted": len(events)})

        app = web.Application(client_max_size=4 << 20)
        app.router.add_post("/", receive)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await self._listen(runner)
            while True:
                events, finished = await waiting.get()
                yield Batch(events, delivered=finished.set)
        finally:
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> None:
        settings, tls = self._config, None
        if settings.certificate:
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            try:
                tls.load_cert_chain(settings.certificate, settings.key or None)
            except OSError as error:
                raise SourceFatal(f"certificate {settings.certificate}: {error}") from error
        try:
            await web.TCPSite(runner, settings.address, settings.port, ssl_context=tls).start()
        except OSError as error:
            raise SourceRetry(
                f"cannot listen on {settings.address}:{settings.port}: {error.strerror}"
            ) from error

    def _is_signed(self, header: str, body: bytes) -> bool:
        """Whether ``t=<seconds>,v1=<hex>`` is of this body, of a secret of ours, and young."""
        # Anybody can send a header: what is matched is bounded, and compared as bytes.
        when = re.search(r"\bt=([0-9]{1,12})\b", header)
        given = [bytes.fromhex(v1) for v1 in re.findall(r"\bv1=([0-9a-f]{64})\b", header)]
        if not when or abs(time.time() - int(when[1])) > MAX_AGE:
            return False
        text = when[1].encode() + b"." + body
        expected = [hmac.digest(secret.encode(), text, "sha256") for secret in self._secrets]
        return any(hmac.compare_digest(one, other) for one in expected for other in given)

    @metrics
    def counters(self) -> dict[str, Metric]:
        return {
            "accepted": Metric(self._accepted),
            "refused": Metric(self._refused),
            "put_off": Metric(self._put_off),
        }

    type = extract.path("tailscale.type", "type", desc="Kind of event, such as nodeCreated")
    tailnet = extract.path("tailscale.tailnet", "tailnet", desc="The network")
    message = extract.path("tailscale.message", "message", desc="What happened, for people")
    actor = extract.path("tailscale.actor", "data", "actor", desc="Who did it")
    node = extract.path("tailscale.node", "data", "deviceName", desc="The machine it is about")
    user = extract.path("tailscale.user", "data", "user", desc="The user it is about")

    @extract("tailscale.roles")
    def roles(self, event: Event) -> list[str] | None:
        """Roles that the user has now."""
        roles = event.json["data"].get("newRoles")
        return roles if isinstance(roles, list) else None
