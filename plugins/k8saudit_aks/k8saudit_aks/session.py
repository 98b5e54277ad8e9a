"""The HTTP session below azure-core: a connection, or an error, within seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    import ssl

    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

__all__ = ["open_session"]


class _Connector(aiohttp.TCPConnector):
    """Ends attempts to connect as a whole.

    azure-core limits TCP and TLS only. A proxy that takes a CONNECT and never answers it would
    hold a request for ever, name servers that do not answer for as long as the system lets them.
    """

    def __init__(self, tls: ssl.SSLContext, within: float) -> None:
        super().__init__(ssl=tls)
        self._within = within

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> Connection:
        whole = aiohttp.ClientTimeout(
            connect=self._within, sock_connect=timeout.sock_connect, sock_read=timeout.sock_read
        )
        return await super().connect(req, traces, whole)


def open_session(tls: ssl.SSLContext, within: float) -> aiohttp.ClientSession:
    """A session as azure-core makes them, with one TLS context for all of its connections.

    Proxies of the environment count (HTTPS_PROXY, NO_PROXY) where a request names none.

    Args:
        tls: For all connections; azure-core would build one for each request.
        within: Seconds for a connection, with all that it takes.
    """
    return aiohttp.ClientSession(
        connector=_Connector(tls, within),
        trust_env=True,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )
