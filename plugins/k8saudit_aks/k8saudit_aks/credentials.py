"""Identities of Microsoft Entra ID, through azure-identity."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    ServiceRequestError,
    ServiceResponseError,
)

from k8saudit_aks import http
from k8saudit_aks.fault import Fault, Trouble
from k8saudit_aks.log import brief

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.core.credentials import AccessToken
    from azure.core.credentials_async import AsyncTokenCredential

    from k8saudit_aks.settings import CredentialSettings, Network

__all__ = ["Identity", "NoTokenError", "open_credential"]


class NoTokenError(AzureError):
    """The identity got no token; the text is for the user.

    A class of its own, since the clients of Blob Storage and Event Hubs raise what azure-identity
    does out of requests of theirs: there it would look as if they had refused us.
    """

    def __init__(self, trouble: Trouble, error: BaseException) -> None:
        super().__init__(trouble.text, error=error)
        self.trouble = trouble


class Identity:
    """A credential of azure-identity that says why there is no token."""

    def __init__(self, settings: CredentialSettings, credential: AsyncTokenCredential) -> None:
        """``credential`` is ours from now on."""
        self._settings, self._credential = settings, credential

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A token, from memory while it is good.

        Raises:
            NoTokenError: there is none now.
        """
        try:
            return await self._credential.get_token(*scopes, **options)
        # OSError and ValueError: a token file that is not there, or holds no text.
        except (AzureError, OSError, ValueError) as error:
            raise NoTokenError(_explain(error, self._settings), error) from error

    async def close(self) -> None:
        """Close its connections."""
        await self._credential.close()

    async def __aenter__(self) -> Self:
        await self._credential.__aenter__()
        return self

    async def __aexit__(self, *raised: Any) -> None:
        await self._credential.__aexit__(*raised)


def open_credential(settings: CredentialSettings, network: Network) -> Identity:
    """The credential; asks for a token at its first use, and keeps tokens until they expire.

    Needs a running loop. To be closed after the clients that use it.

    Raises:
        ValueError: azure-identity misses a value, such as a tenant that neither the configuration
            nor the environment names.
        OSError: ``ca_file`` cannot be read.
    """
    from azure.identity import aio

    given = _given(settings)
    # Whoever asks comes again by itself, and the cause is wanted soon: with azure-identity's own
    # retries it would take more than a minute.
    options = {**http.options(network), "retry_total": 0}
    if settings.kind == "managed_identity":
        return Identity(settings, aio.ManagedIdentityCredential(**given, **options))
    if settings.kind == "workload_identity":
        return Identity(settings, aio.WorkloadIdentityCredential(**given, **options))
    chain = aio.DefaultAzureCredential(
        **{_IN_CHAIN[key]: value for key, value in given.items()}, **options
    )
    return Identity(settings, chain)


#: The chain hands these on to the credentials in it.
_IN_CHAIN = {"client_id": "managed_identity_client_id", "tenant_id": "workload_identity_tenant_id"}


def _given(settings: CredentialSettings) -> dict[str, Any]:
    named = {
        "tenant_id": settings.tenant_id,
        "client_id": settings.client_id,
        "token_file_path": settings.token_file_path,
    }
    return {key: value for key, value in named.items() if value}


def _explain(error: BaseException, settings: CredentialSettings) -> Trouble:
    fault, advice = _judge(error)
    return Trouble(fault, f"no token for {settings}: {_told(error)}; {advice}")


def _judge(error: BaseException) -> tuple[Fault, str]:
    # What stands between us and the endpoint is wrapped by some credentials.
    network = ServiceRequestError | ServiceResponseError
    if any(isinstance(cause, network) for cause in _causes(error)):
        where = "Microsoft Entra ID, or towards 169.254.169.254 for an identity of the machine"
        return Fault.UNREACHABLE, f"check network, DNS and firewall towards {where}"
    answer = getattr(error, "response", None)
    status = answer.status_code if answer is not None else 0
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Fault.UNREACHABLE, "whoever issues tokens is busy, which passes by itself"
    if isinstance(error, ClientAuthenticationError):
        return Fault.REFUSED, (
            "check client_id and tenant_id, and that the identity is assigned to this machine or "
            "federated with this pod"
        )
    if isinstance(error, OSError | ValueError):
        return Fault.REFUSED, "check token_file_path and whether the token is mounted into this pod"
    return Fault.UNREACHABLE, "check network, DNS and firewall towards Microsoft Entra ID"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _told(error: BaseException) -> str:
    """What azure-identity says in one line; a chain of credentials has one for each, indented."""
    attempts = [line.strip() for line in str(error).splitlines() if line.startswith("\t")]
    return "; ".join(brief(line) for line in attempts) or brief(error)
