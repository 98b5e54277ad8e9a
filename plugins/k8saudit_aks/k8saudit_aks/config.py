"""The keys of ``init_config``.

The README's table of keys is made from this file: ``python -m k8saudit_aks.keytable README.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from falcopy_sdk import Length, Range, Secret
from k8saudit_aks import resolve
from k8saudit_aks.resolve import hub_settings
from k8saudit_aks.settings import Auth, StoreKind, Transport  # noqa: TC001 - for the schema

__all__ = ["Config", "hub_settings"]

_SECONDS = Range(min=0.1, max=86400)


def _no_secret() -> Secret:
    return Secret("")


@dataclass
class Config:
    """``init_config`` of the plugin; the first seven keys are those of the Go plugin.

    Nothing is required here: a replay of a file needs none of it. What a live stream needs is
    checked when it is opened.
    """

    event_hub_namespace_connection_string: Annotated[
        Secret,
        "Connection string of the Event Hubs namespace; its policy needs Listen. Needed for a live "
        "stream unless auth names an identity",
    ] = field(default_factory=_no_secret)
    event_hub_name: Annotated[
        str,
        "Event hub that the diagnostic setting of the AKS clusters writes to; may be left out if "
        "the connection string has EntityPath",
    ] = ""
    blob_storage_connection_string: Annotated[
        Secret,
        "Connection string of the storage account for checkpoints and dead letters; "
        "UseDevelopmentStorage=true means Azurite on its usual port",
    ] = field(default_factory=_no_secret)
    blob_storage_container_name: Annotated[str, "Container for the checkpoints; it must exist"] = ""
    rate_limit_events_per_second: Annotated[
        int, "At most this many audit events a second; 0: no limit", Range(min=0)
    ] = 0
    rate_limit_burst: Annotated[
        int, "Audit events that may pass at once under the limit", Range(min=0)
    ] = 200
    #: Spelled as the Go plugin spells it.
    maxEventSize: Annotated[  # noqa: N815
        int, "Audit events larger than this many bytes are dropped and counted", Range(min=1)
    ] = 262144

    consumer_group: Annotated[
        str, "Consumer group of the event hub to read as", Length(min=1, max=256)
    ] = "$Default"
    starting_position: Annotated[
        str, "Where a partition without a checkpoint starts: latest, earliest or an RFC 3339 time"
    ] = "latest"
    categories: Annotated[
        tuple[str, ...],
        "Categories of the diagnostic setting to read as audit events; other records are counted "
        "and passed over",
        Length(min=1),
    ] = ("kube-audit", "kube-audit-admin")

    auth: Annotated[
        Auth,
        "How to prove who we are: connection_string, or an identity of Microsoft Entra ID, which "
        "needs fully_qualified_namespace and, for blobs, storage_account_url",
    ] = "connection_string"
    fully_qualified_namespace: Annotated[
        str, "The namespace for an identity: <namespace>.servicebus.windows.net"
    ] = ""
    storage_account_url: Annotated[
        str, "The storage account for an identity: https://<account>.blob.core.windows.net"
    ] = ""
    client_id: Annotated[
        str, "Client id of the identity; empty: AZURE_CLIENT_ID, or the system-assigned identity"
    ] = ""
    tenant_id: Annotated[str, "Tenant of the identity; empty: AZURE_TENANT_ID"] = ""
    token_file_path: Annotated[
        str, "File with the token of workload_identity; empty: AZURE_FEDERATED_TOKEN_FILE"
    ] = ""

    checkpoint_store: Annotated[
        StoreKind | None,
        "Where positions are kept: blob, file (SQLite, for one Falco), or none; left out: what "
        "blob_storage_container_name or checkpoint_file say, else none",
    ] = None
    checkpoint_file: Annotated[
        str, "SQLite file for checkpoint_store: file; an absolute path, its folder must exist"
    ] = ""
    checkpoint_interval: Annotated[
        float,
        "Seconds between two checkpoints of a partition, if checkpoint_events come not before",
        _SECONDS,
    ] = 5.0
    checkpoint_events: Annotated[
        int,
        "Audit events of a partition after which its checkpoint is written at once",
        Range(min=1),
    ] = 5000
    load_balancing_interval: Annotated[
        float,
        "Seconds between two rounds in which the readers of a hub share out its partitions",
        _SECONDS,
    ] = 10.0
    partition_ownership_expiration_interval: Annotated[
        float,
        "Seconds after which the partitions of a reader that has died go to others; at least "
        "twice load_balancing_interval",
        _SECONDS,
    ] = 60.0

    prefetch: Annotated[
        int,
        "Event Hubs events that the client fetches ahead for each partition; they wait in memory",
        Range(min=1, max=10000),
    ] = 300
    max_batch_size: Annotated[
        int, "Event Hubs events that the client hands over at once", Range(min=1, max=10000)
    ] = 50

    transport: Annotated[
        Transport | None,
        "amqp (TLS, port 5671) or websocket (HTTPS, port 443); left out: amqp, or websocket with "
        "http_proxy",
    ] = None
    http_proxy: Annotated[
        str, "HTTP proxy for Event Hubs, Blob Storage and token requests: http://<host>:<port>"
    ] = ""
    http_proxy_username: Annotated[str, "User name for the proxy"] = ""
    http_proxy_password: Annotated[Secret, "Password for the proxy"] = field(
        default_factory=_no_secret
    )
    custom_endpoint: Annotated[
        str,
        "sb://<host>:<port> to connect to in the place of the namespace, such as a private "
        "endpoint or an application gateway; its certificate must name this host",
    ] = ""
    ca_file: Annotated[
        str,
        "PEM file of the certificate authorities to trust; empty: SSL_CERT_FILE, or the host's own",
    ] = ""

    dead_letter_file: Annotated[
        str, "File that keeps what was passed over as bad, as JSON lines; an absolute path"
    ] = ""
    dead_letter_file_max_bytes: Annotated[
        int,
        "Size at which dead_letter_file is renamed to .1, in the place of the .1 before, and begun "
        "anew",
        Range(min=65536),
    ] = 64 << 20
    dead_letter_container: Annotated[
        str, "Container of the storage account that keeps the same; it must exist"
    ] = ""

    def check(self) -> None:
        """Check the form of what is given, without touching the network.

        Raises:
            ConfigError: a value is malformed, or two keys contradict each other.
        """
        resolve.check(self)
