"""Who may use what: shared access signatures, JSON web tokens, and what a connection holds.

"Authorizing access to Event Hubs resources using Shared Access Signatures" (Microsoft Learn)
describes the tokens, Azure's AMQP protocol guide how they are put.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, quote_plus, unquote_plus, urlsplit

from .amqp.types import Timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

SAS_TYPE = "servicebus.windows.net:sastoken"
JWT_TYPE = "jwt"
_JWT_LIFETIME = 3600
_SAS_PREFIX = "SharedAccessSignature "


class Verdict(NamedTuple):
    """What became of a token: an HTTP-like status and the service's sentence for it."""

    status: int
    description: str
    expires: float = 0.0


class Policy:
    """A shared access policy: one name, one or more keys that are valid.

    Attributes:
        name: The policy's name.
        keys: The keys that are valid now; the first is the one for connection strings.
        check_jwt: Takes a JSON web token and returns the time it expires at, in seconds since the
            epoch, or raises ValueError; None: any token passes.
    """

    def __init__(
        self,
        name: str,
        key: str | None = None,
        check_jwt: Callable[[str], float] | None = None,
    ) -> None:
        self.name = name
        self.check_jwt = check_jwt
        self.keys = [new_key() if key is None else key]

    def replace_key(self, key: str | None = None) -> str:
        """Put a new key in the place of all keys, and return it; None makes one up."""
        self.keys = [new_key() if key is None else key]
        return self.keys[0]

    def sign(self, resource: str, expires: int) -> str:
        """Return a shared access signature.

        Args:
            resource: The URI it is for; everything below it is included.
            expires: Seconds since the epoch.
        """
        quoted = quote_plus(resource)
        signature = _signature(self.keys[0], f"{quoted}\n{expires}".encode()).decode()
        return f"{_SAS_PREFIX}sr={quoted}&sig={quote_plus(signature)}&se={expires}&skn={self.name}"

    def check(self, kind: str, token: object, audience: str, expiration: object) -> Verdict:
        """Judge a token.

        Args:
            kind: The request's ``type``: `SAS_TYPE` or `JWT_TYPE`.
            token: The request's body.
            audience: The request's ``name``: a URI.
            expiration: The request's ``expiration``, for a JWT: a timestamp, or seconds since the
                epoch.
        """
        if not isinstance(token, str) or not token:
            return Verdict(400, "The token must be a non-empty string.")
        if kind == SAS_TYPE:
            return self._check_sas(token, audience)
        if kind == JWT_TYPE:
            return self._check_jwt(token, expiration)
        return Verdict(400, f"The token type '{kind}' is not supported.")

    def _check_jwt(self, token: str, expiration: object) -> Verdict:
        if self.check_jwt is not None:
            try:
                return _timed(self.check_jwt(token))
            except ValueError as error:
                return Verdict(401, f"InvalidIssuer: The token is not valid: {error}")
        if not isinstance(expiration, int):
            return _timed(time.time() + _JWT_LIFETIME)
        # The Azure client sends a timestamp, which counts milliseconds.
        return _timed(expiration / 1000 if isinstance(expiration, Timestamp) else expiration)

    def _check_sas(self, token: str, audience: str) -> Verdict:
        fields = {
            key: values[0]
            for key, values in parse_qs(token.removeprefix(_SAS_PREFIX)).items()
            if token.startswith(_SAS_PREFIX)
        }
        if not {"sr", "sig", "se", "skn"} <= fields.keys() or not fields["se"].isdecimal():
            return Verdict(401, "MalformedToken: The token is not a shared access signature.")
        # What was signed is the resource as it stands in the token, that is, quoted.
        resource = token.removeprefix(_SAS_PREFIX).partition("sr=")[2].partition("&")[0]
        signed = f"{resource}\n{fields['se']}".encode()
        valid = fields["skn"] == self.name and any(
            hmac.compare_digest(_signature(key, signed), fields["sig"].encode())
            for key in self.keys
        )
        if not valid:
            return Verdict(401, "InvalidSignature: The token has an invalid signature.")
        if not covers(entity_path(unquote_plus(resource)), entity_path(audience)):
            return Verdict(401, "InvalidAudience: The token was issued for another resource.")
        return _timed(float(fields["se"]))


def new_key() -> str:
    """Return a random key of the form the service gives out."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _timed(expires: float) -> Verdict:
    if expires <= time.time():
        return Verdict(401, "ExpiredToken: The token is expired.")
    return Verdict(202, "Accepted", expires)


def _signature(key: str, signed: bytes) -> bytes:
    return base64.b64encode(hmac.new(key.encode(), signed, hashlib.sha256).digest())


def entity_path(uri: str) -> str:
    """Return the lower-case path of an entity's URI or bare address, without outer slashes."""
    path = urlsplit(uri).path if "://" in uri else uri
    return path.strip("/").lower()


def covers(granted: str, wanted: str) -> bool:
    """Tell whether the right to one entity path includes the right to another."""
    return not granted or wanted == granted or wanted.startswith(granted + "/")


class Grants:
    """The tokens one connection has put: entity paths with the time they expire."""

    def __init__(self) -> None:
        self._expiry: dict[str, float] = {}

    def add(self, audience: str, expires: float) -> None:
        """Record an accepted token; it takes the place of an older one for the same audience."""
        self._expiry[entity_path(audience)] = expires

    def clear(self) -> None:
        """Forget all grants."""
        self._expiry.clear()

    def allow(self, path: str) -> bool:
        """Tell whether a valid token covers an entity path."""
        now = time.time()
        return any(
            covers(granted, path.lower()) and expires > now
            for granted, expires in self._expiry.items()
        )

    def allow_hub(self, hub: str) -> bool:
        """Tell whether a valid token covers a hub or something in it."""
        now = time.time()
        return any(
            expires > now and (covers(granted, hub.lower()) or covers(hub.lower(), granted))
            for granted, expires in self._expiry.items()
        )
