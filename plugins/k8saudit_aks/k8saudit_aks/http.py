"""The HTTP transport below Blob Storage and token requests: our TLS context, and the proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from k8saudit_aks import tls

if TYPE_CHECKING:
    from azure.core.pipeline.transport import AsyncHttpTransport

    from k8saudit_aks.settings import Network, Proxy

__all__ = ["options", "proxy_url"]


def options(network: Network) -> dict[str, Any]:
    """Options for one asynchronous client of azure-core; its closing closes the transport.

    Needs a running loop.

    Raises:
        OSError: ``ca_file`` cannot be read.
    """
    chosen: dict[str, Any] = {"transport": _transport(network)}
    if network.proxy:
        # Plain HTTP is for what no proxy leads to: an emulator, the endpoint of managed identities.
        chosen["proxies"] = {"https": proxy_url(network.proxy)}
    return chosen


def _transport(network: Network) -> AsyncHttpTransport[Any, Any]:
    # Only here: aiohttp takes 10 MB, and a stream with the file store needs none.
    import aiohttp
    from azure.core.pipeline.transport import AioHttpTransport

    # A session of ours, because the transport would build a TLS context for each request.
    # Without network.proxy, HTTPS_PROXY and NO_PROXY of the environment count.
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls.context(network.ca_file)),
        trust_env=True,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )
    made: AsyncHttpTransport[Any, Any] = AioHttpTransport(session=session)
    return made


def proxy_url(proxy: Proxy) -> str:
    """The proxy as a URL, with user name and password."""
    who = ""
    if proxy.username:
        who = f"{quote(proxy.username, safe='')}:{quote(proxy.password, safe='')}@"
    return f"http://{who}{proxy.host}:{proxy.port}"
