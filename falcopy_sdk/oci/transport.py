"""HTTP with one origin or many: TLS, proxies, connection failures as sentences."""

from __future__ import annotations

import ssl
import urllib.request
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.exceptions import (
    HTTPError,
    InvalidHeader,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    SSLError,
)

from falcopy_sdk.exceptions import RegistryRefusedError, RegistryUnavailableError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from urllib3 import BaseHTTPResponse

__all__ = ["Transport", "unavailable"]

_RETRY_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_BLOCK: Final = 64 * 1024


class Transport:
    """Sends requests. Redirects and credentials are the caller's business.

    Args:
        ca_file: Certificates to trust beside the system's (which ``SSL_CERT_FILE`` replaces).
        timeout: Seconds to connect, and to wait for the next byte.

    Raises:
        StorageError: ``ca_file`` cannot be read, or holds no certificate.
    """

    def __init__(self, *, ca_file: Path | None = None, timeout: float = 60.0) -> None:
        self._context = ssl.create_default_context()
        if ca_file is not None:
            try:
                self._context.load_verify_locations(cafile=ca_file)
            except (OSError, ssl.SSLError) as error:
                raise StorageError(f"{ca_file}: no readable CA certificates ({error})") from error
        self._timeout = urllib3.Timeout(connect=min(timeout, 20.0), read=timeout)
        self._pools: dict[str | None, urllib3.PoolManager] = {}
        self._agent = f"falcopy/{version('falcopy-sdk')}"

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | Iterator[bytes] | None = None,
        *,
        stream: bool = False,
    ) -> BaseHTTPResponse:
        """Sends one request, once, following nothing.

        Args:
            method: ``"GET"`` and so on.
            url: Complete.
            headers: With ``Content-Length`` when the body is an iterator.
            body: Bytes, or blocks of them.
            stream: True: the caller reads the response's body and releases the connection.

        Raises:
            RegistryUnavailableError: no (whole) response.
            RegistryRefusedError: its TLS cannot be trusted.
        """
        host = urlsplit(url).netloc
        try:
            return self._pool(url).request(
                method,
                url,
                headers={"User-Agent": self._agent, **headers},
                body=body,
                redirect=False,
                retries=False,
                preload_content=not stream,
                decode_content=False,
                timeout=self._timeout,
            )
        except SSLError as error:
            raise RegistryRefusedError(_tls(error, host)) from error
        except ProxyError as error:
            if "407" in str(error.original_error):
                raise RegistryRefusedError(
                    f"the proxy before {host} wants a user name and password (status 407); write "
                    "them into HTTPS_PROXY: http://USER:PASSWORD@HOST:PORT"
                ) from error
            raise unavailable(error, host) from error
        except (HTTPError, OSError) as error:
            raise unavailable(error, host) from error

    @staticmethod
    def check_available(response: BaseHTTPResponse, where: str) -> None:
        """Tells a server that may do better later.

        Raises:
            RegistryUnavailableError: status 429 or one of the server's failures.
        """
        if response.status not in _RETRY_STATUSES:
            return
        wait = _retry_after(response)
        what = {429: "asks for fewer requests (429)", 503: "is not available (503)"}.get(
            response.status, f"fails (status {response.status})"
        )
        asks = f" and asks to wait {wait:.0f} s" if wait else ""
        raise RegistryUnavailableError(f"{where} {what}{asks}", wait)

    def close(self) -> None:
        """Closes idle connections."""
        for pool in self._pools.values():
            pool.clear()

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        proxy = None
        if not urllib.request.proxy_bypass(parts.hostname or ""):
            proxy = urllib.request.getproxies().get(parts.scheme)
        if proxy not in self._pools:
            given: dict[str, Any] = {"ssl_context": self._context, "blocksize": _BLOCK}
            self._pools[proxy] = (
                urllib3.ProxyManager(proxy, proxy_headers=_proxy_headers(proxy), **given)
                if proxy
                else urllib3.PoolManager(**given)
            )
        return self._pools[proxy]


def _proxy_headers(proxy: str) -> dict[str, str]:
    """What urllib3 leaves to the caller: user name and password in the proxy's URL."""
    parts = urlsplit(proxy)
    if parts.username is None:
        return {}
    who = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return dict(urllib3.make_headers(proxy_basic_auth=who))


def unavailable(error: Exception, host: str) -> RegistryUnavailableError:
    """The error for a connection that could not be made, or broke."""
    if isinstance(error, NameResolutionError):
        return RegistryUnavailableError(f"{host}: no such host, or no name server answers")
    if isinstance(error, NewConnectionError):
        reason = error.__cause__ or error
        return RegistryUnavailableError(f"{host} cannot be reached ({reason})")
    text = " ".join(str(error).split()) or type(error).__name__
    return RegistryUnavailableError(f"the connection to {host} broke ({text})")


def _tls(error: SSLError, host: str) -> str:
    text = " ".join(str(error).split())
    if "WRONG_VERSION_NUMBER" in text or "record layer failure" in text.lower():
        return f"{host} does not speak TLS; for a registry without it: --plain-http"
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
        reason = text.partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
        return (
            f"the certificate of {host} cannot be trusted ({reason or text}); if it is signed by "
            "a CA of your own, name its file with --ca-file or in SSL_CERT_FILE"
        )
    return f"no TLS connection to {host} ({text})"


def _retry_after(response: BaseHTTPResponse) -> float | None:
    value = response.headers.get("Retry-After")
    if value is None:
        return None
    try:
        return urllib3.Retry().parse_retry_after(value)
    except InvalidHeader:
        return None
