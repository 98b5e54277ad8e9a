"""A container of Blob Storage: a client for it, a look at our rights on it, and what went wrong."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceModifiedError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseTimeoutError,
)

from k8saudit_aks import http
from k8saudit_aks.credentials import NoTokenError
from k8saudit_aks.log import brief

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.storage.blob.aio import ContainerClient

    from k8saudit_aks.settings import Account, BlobSettings, Network

__all__ = ["DeniedError", "check_rights", "explain", "open_container", "options"]


class DeniedError(AzureError):
    """The account knows us and does not allow something.

    Attributes:
        right: What it does not allow: ``list`` or ``write``.
    """

    def __init__(self, right: str, error: HttpResponseError) -> None:
        super().__init__(f"not allowed to {right} blobs", error=error)
        self.right = right


def options(network: Network) -> dict[str, Any]:
    """Options for a client of Blob Storage.

    Few and short retries: whoever asks comes again by itself, and a checkpoint at close must not
    hold the host for a minute.
    """
    return {
        **http.options(network),
        "retry_total": 1,
        "initial_backoff": 1,
        "increment_base": 1,
    }


def open_container(
    blob: BlobSettings, network: Network, credential: AsyncTokenCredential | None
) -> ContainerClient:
    """A client of azure-storage-blob for the container; connects at its first use."""
    from azure.storage.blob.aio import ContainerClient

    if blob.account.connection_string:
        return ContainerClient.from_connection_string(
            blob.account.connection_string, blob.container, **options(network)
        )
    return ContainerClient(
        blob.account.url, blob.container, credential=credential, **options(network)
    )


async def check_rights(container: ContainerClient, name: str, *, listing: bool) -> None:
    """Make sure that the container exists and that we may use it; leaves nothing behind.

    Args:
        container: Of the account.
        name: Of a blob that is not there, where ours are.
        listing: Whether blobs are to be listed, too.

    Raises:
        DeniedError: a right is missing.
        azure.core.exceptions.AzureError: anything else, such as no such container.
    """
    if listing:
        try:
            async for _ in container.list_blobs(name_starts_with=name):
                break
        except HttpResponseError as error:
            raise _denied("list", error) from error
    try:
        # A condition that no blob meets: rights are checked first, and nothing is written.
        await container.get_blob_client(name).upload_blob(
            b"", overwrite=True, etag="0x0", match_condition=MatchConditions.IfNotModified
        )
    except ResourceModifiedError:
        return
    except HttpResponseError as error:
        raise _denied("write", error) from error


#: Error codes of an account that knows who we are ("Common REST API error codes", Microsoft Learn).
_RIGHTS = frozenset(
    {
        "AuthorizationPermissionMismatch",
        "AuthorizationServiceMismatch",
        "AuthorizationResourceTypeMismatch",
        "InsufficientAccountPermissions",
    }
)


def _denied(right: str, error: HttpResponseError) -> AzureError:
    code = str(getattr(error, "error_code", "") or "")
    return DeniedError(right, error) if code.rpartition(".")[2] in _RIGHTS else error


def explain(error: BaseException, blob: BlobSettings, what: str, key: str) -> str:
    """A sentence for the user: what happened to a container and what to do.

    Args:
        error: What was raised.
        blob: The container.
        what: What it is for, ``"checkpoint store"``.
        key: The key of the configuration that names it.
    """
    where = f"{what}: container {blob.container} of account {blob.account.name}"
    if isinstance(error, DeniedError):
        return f"{where} does not let us {error.right} blobs; {_grant(blob.account)}"
    # Listing raises the plain HttpResponseError for what other calls have classes for.
    status = error.status_code if isinstance(error, HttpResponseError) else None
    if status == HTTPStatus.NOT_FOUND:
        return f"{where} does not exist; create it, or correct {key}"
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return f"{where} refused {blob.account.advice}"
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        return f"{where} is busy (HTTP {status}); the account's limits are shared with its others"
    if isinstance(error, NoTokenError):
        return f"{where} cannot be used: {error}"
    firewall = "check network, DNS and firewall rules of the storage account"
    if isinstance(error, ServiceResponseTimeoutError):
        return f"{where} does not answer; {firewall}"
    if isinstance(error, ServiceRequestError):
        late = isinstance(error, ServiceRequestTimeoutError)
        reason = "no connection in time" if late else brief(error)
        return f"{where} cannot be reached ({reason}); {firewall}"
    return f"{where}: {brief(error)}"


def _grant(account: Account) -> str:
    if account.connection_string:
        return "its SharedAccessSignature needs the permissions read, write, create and list"
    return "give the identity the role Storage Blob Data Contributor on it"
