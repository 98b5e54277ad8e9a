"""The HTTP transport below Blob Storage and token requests: our TLS context, and the proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from k8saudit_aks import tls

if TYPE_CHECKING:
    from azure.core.pipeline.transport import AsyncHttpTransport

    from k8saudit_aks.settings import Network, Proxy

__all__ = ["options", "proxy_url"]

#: Seconds for TCP and TLS, for a connection as a whole, and without a byte of an answer. A client's
#: own options for these do not count: they are for a transport that it makes itself.
_SOCKET_TIMEOUT, _CONNECT_TIMEOUT, _READ_TIMEOUT = 5.0, 10.0, 15.0


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
    from azure.core.pipeline.transport import AioHttpTransport

    from k8saudit_aks.session import open_session

    made: AsyncHttpTransport[Any, Any] = AioHttpTransport(
        session=open_session(tls.context(network.ca_file), _CONNECT_TIMEOUT),
        connection_timeout=_SOCKET_TIMEOUT,
        read_timeout=_READ_TIMEOUT,
    )
    return made


def proxy_url(proxy: Proxy) -> str:
    """The proxy as a URL, with user name and password."""
    who = ""
    if proxy.username:
        who = f"{quote(proxy.username, safe='')}:{quote(proxy.password, safe='')}@"
    return f"http://{who}{proxy.host}:{proxy.port}"
