"""Proves to one registry who asks: Basic, and Docker's token protocol (Bearer)."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

from falcopy_sdk.exceptions import CredentialsError, IntegrityError
from falcopy_sdk.oci.challenge import parse_challenges
from falcopy_sdk.oci.credential import ClientCredentials, Credential

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from urllib3 import BaseHTTPResponse

    from falcopy_sdk.oci.transport import Transport

__all__ = ["Authenticator"]

_CLIENT: Final = "falcopy"
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


class Authenticator:
    """The ``Authorization`` of requests to one registry.

    Args:
        registry: Host, and port if there is one.
        transport: To reach token servers with.
        lookup: Gives the registry's credentials; called at most once, when they are wanted.
        plain_http: The registry is spoken to without TLS; else its token server must have it.
    """

    def __init__(
        self,
        registry: str,
        transport: Transport,
        lookup: Callable[[str], Credential | ClientCredentials | None],
        *,
        plain_http: bool,
    ) -> None:
        self._registry = registry
        self._transport = transport
        self._lookup = lookup
        self._plain_http = plain_http
        self._looked_up = False
        self._credential: Credential | ClientCredentials | None = None
        self._headers: dict[str, str] = {}

    def header(self, scope: str) -> str | None:
        """The header's value as the last answer to a challenge left it, or None."""
        return self._headers.get(scope)

    @property
    def used(self) -> str:
        """For messages: where the credentials came from; ``""``: there are none."""
        return self._credential.source if self._credential else ""

    def answer(self, refused: BaseHTTPResponse, scope: str) -> bool:
        """Makes a new header after a 401.

        Args:
            refused: The response with status 401.
            scope: What is to be done, ``"repository:<name>:pull,push"``; more behind spaces.

        Returns:
            False: there is nothing (else) to answer with.

        Raises:
            CredentialsError: credentials are wanted and cannot be read, or are not accepted by
                the token server.
            RegistryUnavailableError: the token server does not answer.
        """
        challenges = parse_challenges(refused.headers.getlist("WWW-Authenticate"))
        for challenge in challenges:
            header = None
            if challenge.scheme == "bearer":
                header = self._bearer(dict(challenge.parameters), scope)
            elif challenge.scheme == "basic":
                header = self._basic()
            if header is not None:
                changed = header != self._headers.get(scope)
                self._headers[scope] = header
                return changed
        return False

    def _find(self) -> Credential | ClientCredentials | None:
        if not self._looked_up:
            self._credential = self._lookup(self._registry)
            self._looked_up = True
        return self._credential

    def _basic(self) -> str | None:
        found = self._find()
        if isinstance(found, Credential) and found.username:
            return _basic_header(found.username, found.password)
        return None

    def _bearer(self, parameters: dict[str, str], scope: str) -> str:
        realm = parameters.get("realm", "")
        found = self._find()
        if isinstance(found, ClientCredentials):
            return f"Bearer {self._client_token(found)}"
        if urlsplit(realm).scheme != "https" and not self._plain_http:
            raise CredentialsError(
                f"{self._registry} names {realm!r} to get a token from; without https it gets no "
                "credentials from here"
            )
        scopes = _wider(parameters, scope)
        service = {"service": parameters.get("service", "")}
        if found is not None and found.identity_token:
            form = {"grant_type": "refresh_token", "refresh_token": found.identity_token}
            form |= {"scope": " ".join(scopes), "client_id": _CLIENT}
            return f"Bearer {self._token('POST', realm, {**form, **service})}"
        # Here each scope is a parameter of its own (distribution, docs/spec/auth/token.md).
        query: dict[str, str | list[str]] = {**service, "scope": scopes}
        headers = {}
        if found is not None:
            headers["Authorization"] = _basic_header(found.username, found.password)
            query["account"] = found.username
        return f"Bearer {self._token('GET', realm, query, headers)}"

    def _client_token(self, found: ClientCredentials) -> str:
        if urlsplit(found.token_url).scheme != "https" and not self._plain_http:
            raise CredentialsError(f"{found.source}: its token URL is not https")
        form = {"grant_type": "client_credentials"}
        if found.scopes:
            form["scope"] = " ".join(found.scopes)
        headers = {"Authorization": _basic_header(found.client_id, found.client_secret)}
        return self._token("POST", found.token_url, form, headers)

    def _token(
        self,
        method: str,
        url: str,
        query: Mapping[str, str | list[str]],
        headers: dict[str, str] | None = None,
    ) -> str:
        given = {name: value for name, value in query.items() if value}
        text = urlencode(given, doseq=True)
        if method == "GET":
            full = f"{url}{'&' if '?' in url else '?'}{text}" if text else url
            response = self._transport.send(method, full, headers or {})
        else:
            form = {**_FORM, **(headers or {})}
            response = self._transport.send(method, url, form, text.encode())
        host = urlsplit(url).netloc
        if response.status != 200:
            self._transport.check_available(response, host)
            who = f"the credentials from {self.used}" if self.used else "anonymous access"
            raise CredentialsError(
                f"{host}, the token server of {self._registry}, refuses {who} (status "
                f"{response.status}); log in again, or give others"
            )
        try:
            answer = json.loads(response.data)
            return str(answer.get("token") or answer["access_token"])
        except (ValueError, KeyError, AttributeError) as error:
            raise IntegrityError(f"{host}: its answer holds no token") from error


def _basic_header(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def _wider(parameters: dict[str, str], scope: str) -> list[str]:
    """The scopes that the registry names, with the right to push and others when wanted."""
    first, *others = scope.split()
    named = parameters.get("scope", "").split()
    if not named:
        return [first, *others]
    if first.endswith("push") and not any("push" in one.rpartition(":")[2] for one in named):
        named[0] += ",push"
    known = {one.rpartition(":")[0] for one in named}
    return [*named, *(one for one in others if one.rpartition(":")[0] not in known)]
