"""Which keys of the configuration contradict each other, and which values are malformed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from k8saudit_aks.config import Config

__all__ = ["contradictions", "malformed"]

_HUB_KEY = "event_hub_namespace_connection_string"
_BLOB_KEY = "blob_storage_connection_string"
_CONTAINER_KEY = "blob_storage_container_name"
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
#: "Naming and referencing containers, blobs, and metadata" (Microsoft Learn).
_CONTAINER = re.compile(r"(?=.{3,63}\Z)[a-z0-9]+(?:-[a-z0-9]+)*")
#: Keys that only some kinds of auth use.
_OF_AUTH = {
    "fully_qualified_namespace": ("default", "managed_identity", "workload_identity"),
    "storage_account_url": ("default", "managed_identity", "workload_identity"),
    "client_id": ("default", "managed_identity", "workload_identity"),
    "tenant_id": ("default", "workload_identity"),
    "token_file_path": ("workload_identity",),
}

#: Keys that only a checkpoint store uses.
_OF_STORE = ("checkpoint_interval", "checkpoint_events")


def contradictions(config: Config) -> Iterator[str]:
    """A sentence for each pair of keys that contradict each other; it says which to drop."""
    by_identity = config.auth != "connection_string"
    if by_identity and config.event_hub_namespace_connection_string:
        yield (
            f"auth: {config.auth} and {_HUB_KEY} contradict each other; drop {_HUB_KEY} and name "
            "the namespace in fully_qualified_namespace, or drop auth"
        )
    for key, auths in _OF_AUTH.items():
        if getattr(config, key) and config.auth not in auths:
            yield (
                f"{key} has no meaning with auth: {config.auth}; drop {key}, or set auth to "
                + " or ".join(auths)
            )
    if config.storage_account_url and config.blob_storage_connection_string:
        yield f"storage_account_url and {_BLOB_KEY} name the storage account twice; drop one"
    yield from _store_contradictions(config)
    yield from _without_effect(config)
    if config.http_proxy and config.transport == "amqp":
        yield "http_proxy needs transport: websocket; drop transport: amqp, or drop http_proxy"
    for key in ("http_proxy_username", "http_proxy_password"):
        if getattr(config, key) and not config.http_proxy:
            yield f"{key} is set without http_proxy; drop {key}, or name the proxy in http_proxy"
    if config.http_proxy_password and not config.http_proxy_username:
        yield "http_proxy_password is set without http_proxy_username; set both or drop both"
    if config.partition_ownership_expiration_interval < 2 * config.load_balancing_interval:
        yield (
            "partition_ownership_expiration_interval must be at least twice "
            "load_balancing_interval; else readers take partitions from each other"
        )


def _store_contradictions(config: Config) -> Iterator[str]:
    in_blob, in_file = bool(config.blob_storage_container_name), bool(config.checkpoint_file)
    if config.checkpoint_store is None and in_blob and in_file:
        yield (
            f"checkpoint_file and {_CONTAINER_KEY} name two places for the checkpoints; drop one"
        )
    if config.checkpoint_store in ("file", "none") and in_blob:
        yield (
            f"checkpoint_store: {config.checkpoint_store} and {_CONTAINER_KEY} contradict each "
            "other; drop one"
        )
    if config.checkpoint_store in ("blob", "none") and in_file:
        yield (
            f"checkpoint_store: {config.checkpoint_store} and checkpoint_file contradict each "
            "other; drop one"
        )
    if config.checkpoint_store in ("file", "none") and not config.dead_letter_container:
        for key in (_BLOB_KEY, "storage_account_url"):
            if getattr(config, key):
                yield f"checkpoint_store: {config.checkpoint_store} has no use for {key}; drop one"


def _without_effect(config: Config) -> Iterator[str]:
    """A sentence for each key that says something about what there is not."""
    useless: tuple[tuple[bool, str, tuple[str, ...]], ...] = (
        (config.checkpoint_store == "none", "checkpoint_store: none", _OF_STORE),
        (not config.dead_letter_file, "no dead_letter_file", ("dead_letter_file_max_bytes",)),
    )
    for applies, why, keys in useless:
        for key in keys if applies else ():
            if getattr(config, key) != getattr(type(config), key):
                yield f"{key} has no effect with {why}; drop {key}"


def malformed(config: Config) -> Iterator[str]:
    """A sentence for each value whose form is wrong, and that no parser of its own looks at."""
    namespace = config.fully_qualified_namespace
    if namespace and not _HOST.fullmatch(namespace):
        yield (
            "fully_qualified_namespace is not a host name such as "
            "<namespace>.servicebus.windows.net, without sb:// and port"
        )
    url = urlsplit(config.storage_account_url)
    if config.storage_account_url and (url.scheme != "https" or not url.hostname or url.query):
        yield (
            "storage_account_url is not of the form https://<account>.blob.core.windows.net; "
            "tokens are sent over https only"
        )
    for key in (_CONTAINER_KEY, "dead_letter_container"):
        name = getattr(config, key)
        if name and not _CONTAINER.fullmatch(name):
            yield (
                f"{key} is no name of a container: 3 to 63 lower-case letters, digits and single "
                "hyphens"
            )
    for key in ("checkpoint_file", "dead_letter_file", "ca_file", "token_file_path"):
        if getattr(config, key) and not Path(getattr(config, key)).is_absolute():
            yield f"{key} is not an absolute path; Falco's working directory is not yours"
    if config.checkpoint_file and config.checkpoint_file == config.dead_letter_file:
        yield "checkpoint_file and dead_letter_file are the same file; name two"
