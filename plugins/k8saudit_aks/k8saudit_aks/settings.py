"""What a live stream needs, made from the configuration: complete and free of contradictions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

__all__ = [
    "Account",
    "Auth",
    "BlobSettings",
    "CredentialSettings",
    "DeadLetterSettings",
    "FileSettings",
    "HubSettings",
    "Network",
    "Proxy",
    "StoreKind",
    "Transport",
]

Auth = Literal["connection_string", "default", "managed_identity", "workload_identity"]
StoreKind = Literal["blob", "file", "none"]
Transport = Literal["amqp", "websocket"]

_PORTS = {"amqp": 5671, "websocket": 443}


@dataclass(frozen=True, slots=True)
class CredentialSettings:
    """Which identity of Microsoft Entra ID to use; what is empty comes from the environment."""

    kind: Literal["default", "managed_identity", "workload_identity"]
    client_id: str = ""
    tenant_id: str = ""
    token_file_path: str = ""

    def __str__(self) -> str:
        who = f" (client_id {self.client_id})" if self.client_id else ""
        return f"auth: {self.kind}{who}"


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy."""

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Network:
    """How to get to Azure."""

    transport: Transport = "amqp"
    proxy: Proxy | None = None
    #: ``sb://host:port`` to connect to in the place of the namespace, or empty.
    custom_endpoint: str = ""
    #: PEM file of the authorities to trust, or empty.
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """A storage account, by connection string or by URL with the stream's credential."""

    name: str
    connection_string: str = field(default="", repr=False)
    url: str = ""

    @property
    def advice(self) -> str:
        """What to look at when the account refuses us."""
        if self.connection_string:
            return (
                "the credentials of blob_storage_connection_string; check AccountKey, whether the "
                "key was rotated, and the network rules of the account"
            )
        return (
            "this identity; give it the role Storage Blob Data Contributor on the container, and "
            "check the network rules of the account"
        )


@dataclass(frozen=True, slots=True)
class BlobSettings:
    """A container of a storage account."""

    account: Account
    container: str


@dataclass(frozen=True, slots=True)
class FileSettings:
    """A file of this machine that keeps checkpoints."""

    path: Path


@dataclass(frozen=True, slots=True)
class DeadLetterSettings:
    """Where to keep what was passed over."""

    file: Path | None = None
    file_max_bytes: int = 0
    blob: BlobSettings | None = None

    @property
    def wanted(self) -> bool:
        """Whether anything is to be kept."""
        return self.file is not None or self.blob is not None


@dataclass(frozen=True, slots=True)
class HubSettings:
    """What a live stream reads from, and where it keeps what."""

    #: ``host``, or ``host:port`` of an emulator: the client names it so in checkpoints.
    namespace: str
    hub: str
    consumer_group: str
    #: ``"-1"`` (earliest), ``"@latest"`` or a time, as the client wants it.
    start: str | datetime
    #: Empty if there is a credential.
    connection_string: str = field(default="", repr=False)
    credential: CredentialSettings | None = None
    #: Name of the shared access policy, empty with a ready-made signature or a credential.
    policy: str = ""
    network: Network = Network()
    prefetch: int = 300
    max_batch_size: int = 50
    store: BlobSettings | FileSettings | None = None
    dead_letters: DeadLetterSettings = DeadLetterSettings()

    @property
    def host_and_port(self) -> tuple[str, int]:
        """Where the client connects to first."""
        network = self.network
        if network.proxy:
            return network.proxy.host, network.proxy.port
        address = network.custom_endpoint.removeprefix("sb://") or self.namespace
        parts = urlsplit(f"//{address}")
        return parts.hostname or address, parts.port or _PORTS[network.transport]

    @property
    def address_key(self) -> str:
        """The key of the configuration that names :attr:`host_and_port`."""
        if self.network.proxy:
            return "http_proxy"
        if self.network.custom_endpoint:
            return "custom_endpoint"
        if self.credential:
            return "fully_qualified_namespace"
        return "Endpoint in event_hub_namespace_connection_string"

    @property
    def advice(self) -> str:
        """What to look at when Event Hubs refuses us."""
        if self.credential:
            return (
                f"the token of {self.credential}; give this identity the role Azure Event Hubs "
                f"Data Receiver on {self.hub} or its namespace"
            )
        policy = f" (policy {self.policy})" if self.policy else ""
        return (
            f"the credentials of event_hub_namespace_connection_string{policy}; check "
            "SharedAccessKeyName, SharedAccessKey and that the policy has the Listen claim"
        )
