"""Identities of Microsoft Entra ID, through azure-identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from k8saudit_aks import http

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from k8saudit_aks.settings import CredentialSettings, Network

__all__ = ["open_credential"]


def open_credential(settings: CredentialSettings, network: Network) -> AsyncTokenCredential:
    """The credential; asks for a token at its first use, and keeps tokens until they expire.

    Needs a running loop. To be closed after the clients that use it.

    Raises:
        ValueError: azure-identity misses a value, such as a tenant that neither the configuration
            nor the environment names.
        OSError: ``ca_file`` cannot be read.
    """
    from azure.identity import aio

    given = _given(settings)
    options = http.options(network)
    if settings.kind == "managed_identity":
        return aio.ManagedIdentityCredential(**given, **options)
    if settings.kind == "workload_identity":
        return aio.WorkloadIdentityCredential(**given, **options)
    return aio.DefaultAzureCredential(
        **{_IN_CHAIN[key]: value for key, value in given.items()}, **options
    )


#: The chain hands these on to the credentials in it.
_IN_CHAIN = {"client_id": "managed_identity_client_id", "tenant_id": "workload_identity_tenant_id"}


def _given(settings: CredentialSettings) -> dict[str, Any]:
    named = {
        "tenant_id": settings.tenant_id,
        "client_id": settings.client_id,
        "token_file_path": settings.token_file_path,
    }
    return {key: value for key, value in named.items() if value}
