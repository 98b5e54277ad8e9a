"""Requests to one registry: credentials, redirects, retries, and statuses as exceptions."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

import tenacity

from falcopy_sdk.exceptions import (
    CredentialsError,
    NotInRegistryError,
    RegistryRefusedError,
    RegistryUnavailableError,
)
from falcopy_sdk.oci.auth import Authenticator
from falcopy_sdk.oci.reference import is_loopback
from falcopy_sdk.oci.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from urllib3 import BaseHTTPResponse

    from falcopy_sdk.oci.credential import ClientCredentials, Credential

__all__ = ["RetryPolicy", "Session"]

logger = logging.getLogger(__name__)

#: Docker Hub's API is not where its references point.
_API_HOSTS: Final = {
    "docker.io": "registry-1.docker.io",
    "index.docker.io": "registry-1.docker.io",
}
_PORTS: Final = {"http": 80, "https": 443}
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS: Final = 5


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how soon to try again what a registry or the network failed at.

    Attributes:
        attempts: In all; 1: none is repeated.
        first_wait: Seconds before the second attempt; doubled each time, with jitter.
        longest_wait: Seconds between two attempts, unless the registry asks for more.
        longest_retry_after: Seconds that a registry may ask to wait; more is an error at once.
    """

    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 20.0
    longest_retry_after: float = 120.0

    def retrying(self) -> tenacity.Retrying:
        """A retry loop that ends with the last error itself."""
        growing = tenacity.wait_random_exponential(self.first_wait, self.longest_wait)

        def worth_it(error: BaseException) -> bool:
            return (
                isinstance(error, RegistryUnavailableError)
                and (error.retry_after or 0) <= self.longest_retry_after
            )

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.retry_after if isinstance(error, RegistryUnavailableError) else None
            return growing(state) if asked is None else asked

        return tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.attempts),
            wait=wait,
            retry=tenacity.retry_if_exception(worth_it),
            before_sleep=_tell,
            reraise=True,
        )


class Session:
    """See :class:`falcopy_sdk.oci.registry.Registry` for the arguments."""

    def __init__(
        self,
        registry: str,
        lookup: Callable[[str], Credential | ClientCredentials | None],
        *,
        plain_http: bool | None,
        ca_file: Path | None,
        retry: RetryPolicy,
        timeout: float,
    ) -> None:
        self.registry = registry
        self.retry = retry
        plain = is_loopback(registry) if plain_http is None else plain_http
        self._origin = f"{'http' if plain else 'https'}://{_API_HOSTS.get(registry, registry)}"
        self._transport = Transport(ca_file=ca_file, timeout=timeout)
        self._auth = Authenticator(registry, self._transport, lookup, plain_http=plain)

    def request(
        self,
        method: str,
        url: str,
        *,
        scope: str,
        expect: frozenset[int],
        headers: Mapping[str, str] | None = None,
        body: bytes | Callable[[], Iterator[bytes]] | None = None,
        stream: bool = False,
        retried: bool = True,
    ) -> BaseHTTPResponse:
        """Sends a request.

        Args:
            method: ``"GET"`` and so on.
            url: A path from ``/v2/`` on, or a whole URL that the registry gave.
            scope: For the token server, ``"repository:<name>:pull"``; more behind spaces.
            expect: Statuses that are fine.
            headers: Beside those of authentication.
            body: Bytes, or what makes blocks of them, anew for each attempt; then ``headers``
                has ``Content-Length``.
            stream: True: the caller reads the response's body and releases the connection.
            retried: False: a failure is the caller's to repeat.

        Raises:
            RegistryError: any other status, by what the caller can do.
        """
        if not retried:
            return self._once(method, url, scope, expect, headers or {}, body, stream)
        for attempt in self.retry.retrying():
            with attempt:
                return self._once(method, url, scope, expect, headers or {}, body, stream)
        raise AssertionError("tenacity raises the last error")

    def resolve(self, base: str, location: str) -> str:
        """A ``Location`` as a whole URL (RFC 3986, 5: relative to where it was given).

        A registry behind a proxy that ends TLS often names itself by http, without the proxy's
        port: that is put right. Nothing else is followed from TLS to where there is none.

        Raises:
            RegistryRefusedError: it leads from TLS to another service without, or is no URL.
        """
        try:
            url = urljoin(urljoin(self._origin, base), location)
            scheme, host, port = _origin_of(url)
        except ValueError as error:
            raise RegistryRefusedError(
                f"{self.registry} leads to {location!r}, which is no URL ({error})"
            ) from error
        if scheme not in _PORTS or not host:
            raise RegistryRefusedError(f"{self.registry} leads to {location!r}, which is not http")
        own_scheme, own_host, own_port = _origin_of(self._origin)
        if own_scheme == "http" or scheme == "https":
            return url
        if host != own_host or port not in (_PORTS["http"], own_port):
            raise RegistryRefusedError(
                f"{self.registry} leads to {urlsplit(url).netloc} without TLS; that is not followed"
            )
        own = urlsplit(self._origin)
        return urlsplit(url)._replace(scheme=own.scheme, netloc=own.netloc).geturl()

    def close(self) -> None:
        """Closes idle connections."""
        self._transport.close()

    def _once(
        self,
        method: str,
        url: str,
        scope: str,
        expect: frozenset[int],
        headers: Mapping[str, str],
        body: bytes | Callable[[], Iterator[bytes]] | None,
        stream: bool,
    ) -> BaseHTTPResponse:
        url = urljoin(self._origin, url)
        response = self._authorized(method, url, scope, headers, body, stream)
        for _ in range(_MOST_REDIRECTS):
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or method not in ("GET", "HEAD") or not location:
                break
            response.drain_conn()
            url = self.resolve(url, location)
            response = self._authorized(method, url, scope, headers, body, stream)
        if response.status in expect:
            return response
        try:
            raise self._error(method, url, response)
        finally:
            response.release_conn()

    def _authorized(
        self,
        method: str,
        url: str,
        scope: str,
        headers: Mapping[str, str],
        body: bytes | Callable[[], Iterator[bytes]] | None,
        stream: bool,
    ) -> BaseHTTPResponse:
        # What is the registry's stays with the registry: blobs often come from another host.
        own = _origin_of(url) == _origin_of(self._origin)

        def send() -> BaseHTTPResponse:
            authorization = self._auth.header(scope) if own else None
            extra = {"Authorization": authorization} if authorization else {}
            data = body() if callable(body) else body
            return self._transport.send(method, url, {**headers, **extra}, data, stream=stream)

        response = send()
        if response.status == 401 and own and self._auth.answer(response, scope):
            response.drain_conn()
            response = send()
        return response

    def _error(self, method: str, url: str, response: BaseHTTPResponse) -> Exception:
        said = _said(response)
        where = f"{self.registry}: {method} {urlsplit(url).path}"
        tail = f": {said}" if said else ""
        if response.status in (401, 403) and _origin_of(url) != _origin_of(self._origin):
            # Links to storage end after some minutes; the registry gives new ones.
            return RegistryUnavailableError(
                f"{urlsplit(url).netloc}, where {self.registry} keeps blobs, refuses the link that "
                f"it gave (status {response.status}){tail}"
            )
        if response.status == 401:
            if self._auth.used:
                return CredentialsError(
                    f"{self.registry} does not accept the credentials from {self._auth.used}"
                    f"{tail}; log in again (docker login {self.registry})"
                )
            return CredentialsError(
                f"{self.registry} wants credentials{tail}; docker login {self.registry}, or set "
                "FALCOPY_REGISTRY, FALCOPY_REGISTRY_USERNAME and FALCOPY_REGISTRY_PASSWORD"
            )
        if response.status == 403:
            given = f" with the credentials from {self._auth.used}" if self._auth.used else ""
            return CredentialsError(
                f"{where} is forbidden{given}{tail}; use an account that may do it"
            )
        if response.status == 404:
            return NotInRegistryError(f"{where}: not found{tail}")
        try:
            self._transport.check_available(response, where)
        except RegistryUnavailableError as error:
            return RegistryUnavailableError(f"{error}{tail}", error.retry_after)
        return RegistryRefusedError(
            f"{where} is refused with status {response.status}{tail}{_hint(said)}"
        )


def _origin_of(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _said(response: BaseHTTPResponse) -> str:
    """The texts of the registry's error document (distribution-spec, "Error Codes")."""
    try:
        errors: list[dict[str, Any]] = json.loads(response.data)["errors"]
        return "; ".join(
            f"{error['code']} {error.get('message') or ''}".strip() for error in errors
        )
    except (ValueError, KeyError, TypeError):
        return ""


def _hint(said: str) -> str:
    if "MANIFEST_INVALID" in said or "media type" in said.lower():
        return (
            ". A registry that knows no artifact media types says so (GitLab before 16.3, old "
            "Harbor and Nexus): update it, or use another"
        )
    return ""


def _tell(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    logger.warning("%s; trying again in %.1f s", error, state.upcoming_sleep)
