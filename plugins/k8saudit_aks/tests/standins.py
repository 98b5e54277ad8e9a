"""Stand-ins for what no machine here has: Microsoft Entra ID's token endpoints, and a proxy."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs

import jwt
import trustme
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from falcopy_sdk.testing.eventhubs import Emulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    import pytest

TENANT = "11111111-2222-3333-4444-555555555555"
EVENT_HUBS = "https://eventhubs.azure.net"
STORAGE = "https://storage.azure.com"


class Authority:
    """A certificate authority of the tests."""

    def __init__(self) -> None:
        self._ca = trustme.CA()
        self._certificate = self._ca.issue_cert("127.0.0.1")

    def server(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._certificate.configure_cert(context)
        return context

    def write(self, folder: Path) -> tuple[Path, Path, Path]:
        """The authority, the server's certificate and its key, as PEM files."""
        paths = folder / "ca.pem", folder / "server.pem", folder / "server.key"
        self._ca.cert_pem.write_to_path(paths[0])
        for blob in self._certificate.cert_chain_pems:
            blob.write_to_path(paths[1], append=True)
        self._certificate.private_key_pem.write_to_path(paths[2])
        return paths


@dataclass
class Entra:
    """Issues tokens for a federated token, and for whoever asks the endpoint of the machine.

    "Microsoft identity platform and the OAuth 2.0 client credentials flow" and "How managed
    identities for Azure resources work with Azure virtual machines" (Microsoft Learn).
    """

    federated_token: str = "federated-token-of-the-pod"
    lifetime: int = 3600
    #: What was asked for: identity (client id, or "system"), and audience.
    asked: list[tuple[str, str]] = field(default_factory=list)
    refuses: bool = False
    #: How often it did.
    refused: int = 0

    def __post_init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @contextlib.asynccontextmanager
    async def serving(self, tls: ssl.SSLContext) -> AsyncIterator[dict[str, str]]:
        """Serve; gives the environment that leads Azure's libraries here."""
        app = web.Application()
        app.router.add_post("/{tenant}/oauth2/v2.0/token", self._exchange)
        app.router.add_get("/metadata/identity/oauth2/token", self._machine)
        runner = web.AppRunner(app)
        await runner.setup()
        ports = []
        for context in (tls, None):
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
            await site.start()
            ports.append(site._server.sockets[0].getsockname()[1])  # type: ignore[union-attr]
        try:
            yield {
                "AZURE_AUTHORITY_HOST": f"https://127.0.0.1:{ports[0]}",
                "AZURE_POD_IDENTITY_AUTHORITY_HOST": f"http://127.0.0.1:{ports[1]}",
            }
        finally:
            await runner.cleanup()

    async def _exchange(self, request: web.Request) -> web.Response:
        form = {key: values[0] for key, values in parse_qs(await request.text()).items()}
        right = (
            form.get("grant_type") == "client_credentials"
            and form.get("client_assertion") == self.federated_token
            and request.match_info["tenant"] == TENANT
        )
        if not right or self.refuses:
            self.refused += 1
            # Each answer is another text ("Microsoft Entra authentication and authorization error
            # codes", Microsoft Learn).
            passing = (
                f"Trace ID: {uuid.uuid4()} Correlation ID: {uuid.uuid4()} "
                f"Timestamp: {datetime.now(UTC):%Y-%m-%d %H:%M:%S}Z"
            )
            return web.json_response(
                {
                    "error": "invalid_client",
                    "error_description": "AADSTS700213: No matching federated identity record "
                    f"found for presented assertion subject. {passing}",
                    "error_codes": [700213],
                    "error_uri": "https://login.microsoftonline.com/error?code=700213",
                },
                status=401,
            )
        audience = form["scope"].removesuffix("/.default").rstrip("/")
        self.asked.append((form["client_id"], audience))
        return web.json_response(
            {
                "token_type": "Bearer",
                "expires_in": self.lifetime,
                "access_token": self.issue(audience),
            }
        )

    async def _machine(self, request: web.Request) -> web.Response:
        if request.headers.get("Metadata") != "true" or self.refuses:
            self.refused += 1
            return web.json_response({"error": "invalid_request"}, status=400)
        audience = request.query["resource"].rstrip("/")
        self.asked.append((request.query.get("client_id", "system"), audience))
        return web.json_response(
            {
                "token_type": "Bearer",
                "expires_in": str(self.lifetime),
                "expires_on": str(int(time.time()) + self.lifetime),
                "resource": request.query["resource"],
                "access_token": self.issue(audience),
            }
        )

    def issue(self, audience: str) -> str:
        now = int(time.time())
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{TENANT}/",
            "iat": now,
            "nbf": now - 5,
            "exp": now + self.lifetime,
        }
        return jwt.encode(claims, self._key, algorithm="RS256")

    def check(self, token: str) -> float:
        """When a token for Event Hubs expires; ValueError if it is none of ours."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._key.public_key(), algorithms=["RS256"], audience=EVENT_HUBS
            )
        except jwt.InvalidTokenError as error:
            raise ValueError(str(error)) from None
        return float(claims["exp"])


#: Of identities, and what the configuration tells of each.
KINDS = {
    "workload_identity": {"client_id": "app", "tenant_id": TENANT},
    "managed_identity": {"client_id": "assigned"},
    "default": {"client_id": "assigned"},
}


@contextlib.asynccontextmanager
async def azure(
    entra: Entra, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Emulator]:
    """An event hub that takes this Entra's tokens, in an environment that leads to it."""
    async with (
        entra.serving(authority.server()) as environment,
        Emulator({"audit": 1}, tls=authority.server(), check_jwt=entra.check) as emulator,
    ):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield emulator


class Proxy:
    """An HTTP proxy that only knows CONNECT (RFC 9110, 9.3.6), and leads to where it wants."""

    def __init__(
        self,
        leads_to: Callable[[str], tuple[str, int]],
        username: str = "falco",
        password: str = "proxy-password",
    ) -> None:
        self._leads_to = leads_to
        self._right = base64.b64encode(f"{username}:{password}".encode()).decode()
        #: ``host:port`` of each request that was let through.
        self.connected: list[str] = []
        self.refused = 0
        #: Takes requests and answers none.
        self.silent = False
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *raised: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            try:
                request = (await reader.readuntil(b"\r\n\r\n")).decode()
            except asyncio.IncompleteReadError:
                return  # somebody tried whether we are there
            if self.silent:
                await reader.read()
                return
            method, target, _ = request.split(" ", 2)
            if method != "CONNECT" or f"Basic {self._right}" not in request:
                self.refused += 1
                writer.write(
                    b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
                )
                return
            self.connected.append(target)
            there, out = await asyncio.open_connection(*self._leads_to(target))
            with contextlib.closing(out):
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await asyncio.gather(_pump(reader, out), _pump(there, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
