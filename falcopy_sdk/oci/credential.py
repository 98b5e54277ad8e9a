"""What a registry can be given to prove who asks."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["ClientCredentials", "Credential"]


@dataclass(frozen=True, slots=True)
class Credential:
    """A user and a password, or a token in place of them; secrets are not in its ``repr``.

    Attributes:
        username: May be empty with a token.
        password: Or access token used as one.
        identity_token: An OAuth2 refresh token for the registry's token server (Docker's
            ``identitytoken``).
        source: Where it was found, for messages.
    """

    username: str
    password: str = field(repr=False)
    identity_token: str = field(default="", repr=False)
    source: str = ""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """OAuth2 client credentials (RFC 6749, 4.4), as ``falcoctl registry auth oauth`` stores them.

    Attributes:
        client_id: Public.
        client_secret: Secret.
        token_url: Where they are exchanged for an access token.
        scopes: To ask for.
        source: Where they were found, for messages.
    """

    client_id: str
    client_secret: str = field(repr=False)
    token_url: str
    scopes: tuple[str, ...] = ()
    source: str = ""
