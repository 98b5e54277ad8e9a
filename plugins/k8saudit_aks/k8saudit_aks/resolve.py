"""From the configuration to the settings of a live stream; says which keys contradict each other.

:func:`check` looks at what is given, when the plugin is initialised. :func:`hub_settings` wants all
that a live stream needs, when the source is opened: a replay of a file needs none of it.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from falcopy_sdk.exceptions import ConfigError
from k8saudit_aks import settings
from k8saudit_aks.connstrings import BLOB_FORM, HUB_FORM, HubAddress, parse_blob, parse_hub
from k8saudit_aks.consistency import contradictions, malformed

if TYPE_CHECKING:
    from k8saudit_aks.config import Config

__all__ = ["check", "hub_settings"]

_HUB_KEY = "event_hub_namespace_connection_string"
_BLOB_KEY = "blob_storage_connection_string"
_CONTAINER_KEY = "blob_storage_container_name"
_DEFAULT_PROXY_PORT = 80


def check(config: Config) -> None:
    """Check the form of what is given, without touching the network or the disk.

    Raises:
        ConfigError: a value is malformed, or two keys contradict each other; one sentence for
            each. It names keys and shows no value that may be secret.
    """
    problems = [*contradictions(config), *malformed(config)]
    if problems:
        raise ConfigError(problems)
    _start(config.starting_position)
    _network(config)
    if config.event_hub_namespace_connection_string:
        _address(config)
    if config.blob_storage_connection_string:
        parse_blob(config.blob_storage_connection_string.reveal())


def hub_settings(config: Config) -> settings.HubSettings:
    """What a live stream needs, complete.

    Raises:
        ConfigError: a key is missing, malformed or contradicts another one.
    """
    check(config)
    credential = _credential(config)
    address = _address(config)
    if not address.hub:
        raise ConfigError(
            "event_hub_name is missing: the event hub that the diagnostic setting of the AKS "
            "cluster writes to"
        )
    return settings.HubSettings(
        namespace=address.namespace,
        hub=address.hub,
        consumer_group=config.consumer_group,
        start=_start(config.starting_position),
        connection_string=config.event_hub_namespace_connection_string.reveal(),
        credential=credential,
        policy=address.policy,
        network=_network(config),
        prefetch=config.prefetch,
        max_batch_size=config.max_batch_size,
        store=_store(config),
        dead_letters=_dead_letters(config),
    )


def _address(config: Config) -> HubAddress:
    """Where to read; from the connection string, or for a credential from keys of its own."""
    name = config.event_hub_name
    if config.auth != "connection_string":
        if not config.fully_qualified_namespace:
            raise ConfigError(
                f"fully_qualified_namespace is missing though auth is {config.auth}: "
                "<namespace>.servicebus.windows.net"
            )
        return HubAddress(config.fully_qualified_namespace, "", name, emulator=False)
    if not config.event_hub_namespace_connection_string:
        raise ConfigError(
            f"{_HUB_KEY} is missing; expected {HUB_FORM} (Azure portal: Event Hubs namespace, "
            "Shared access policies), or set auth"
        )
    address = parse_hub(config.event_hub_namespace_connection_string.reveal())
    if address.hub and name and address.hub != name:
        raise ConfigError(
            f"EntityPath in {_HUB_KEY} and event_hub_name name two different hubs; drop one of them"
        )
    if address.emulator:
        _check_emulator(config)
    return address._replace(hub=name or address.hub)


def _check_emulator(config: Config) -> None:
    problems = [
        f"{key} and UseDevelopmentEmulator=true in {_HUB_KEY} contradict each other: an emulator "
        f"is reached at its Endpoint, by plain AMQP; drop {key}, or drop UseDevelopmentEmulator"
        for key in ("custom_endpoint", "http_proxy")
        if getattr(config, key)
    ]
    if config.transport == "websocket":
        problems.append(
            f"transport: websocket and UseDevelopmentEmulator=true in {_HUB_KEY} contradict each "
            "other: an emulator is spoken to by plain AMQP; drop transport, or drop "
            "UseDevelopmentEmulator"
        )
    if problems:
        raise ConfigError(problems)


def _credential(config: Config) -> settings.CredentialSettings | None:
    if config.auth == "connection_string":
        return None
    return settings.CredentialSettings(
        config.auth, config.client_id, config.tenant_id, config.token_file_path
    )


def _network(config: Config) -> settings.Network:
    proxy = _proxy(config) if config.http_proxy else None
    transport = config.transport or ("websocket" if proxy else "amqp")
    endpoint = _endpoint(config.custom_endpoint) if config.custom_endpoint else ""
    return settings.Network(transport, proxy, endpoint, config.ca_file)


def _proxy(config: Config) -> settings.Proxy:
    try:
        url = urlsplit(config.http_proxy)
        host, port = url.hostname, url.port
    except ValueError:
        host = port = None
    if not host or url.scheme != "http" or url.path.strip("/") or url.query:
        raise ConfigError("http_proxy is not of the form http://<host>:<port>")
    if url.username is not None:
        raise ConfigError(
            "http_proxy holds a user name; drop it there and use http_proxy_username and "
            "http_proxy_password, which is kept out of logs"
        )
    return settings.Proxy(
        host,
        port or _DEFAULT_PROXY_PORT,
        config.http_proxy_username,
        config.http_proxy_password.reveal(),
    )


def _endpoint(text: str) -> str:
    url = urlsplit(text if "//" in text else f"sb://{text}")
    try:
        valid = url.scheme == "sb" and bool(url.hostname) and url.port != 0
    except ValueError:
        valid = False
    if not valid or url.username is not None or url.path.strip("/") or url.query:
        raise ConfigError("custom_endpoint is not of the form sb://<host> or sb://<host>:<port>")
    return f"sb://{url.netloc}"


def _store(config: Config) -> settings.BlobSettings | settings.FileSettings | None:
    kind = config.checkpoint_store
    if kind is None:
        given = config.blob_storage_container_name or (
            not config.dead_letter_container
            and (config.blob_storage_connection_string or config.storage_account_url)
        )
        kind = "blob" if given else "file" if config.checkpoint_file else "none"
    if kind == "none":
        return None
    if kind == "file":
        if not config.checkpoint_file:
            raise ConfigError(
                "checkpoint_file is missing though checkpoint_store is file: the absolute path of "
                "a file in a folder that outlives the container"
            )
        return settings.FileSettings(Path(config.checkpoint_file))
    account = _account(config, _CONTAINER_KEY)
    if not config.blob_storage_container_name:
        raise ConfigError(
            f"{_CONTAINER_KEY} is missing: name a container that exists, or set checkpoint_store "
            "to file or none and drop the storage account"
        )
    return settings.BlobSettings(account, config.blob_storage_container_name)


def _account(config: Config, wanted_by: str) -> settings.Account:
    """The storage account.

    Raises:
        ConfigError: none is named.
    """
    if config.blob_storage_connection_string:
        address = parse_blob(config.blob_storage_connection_string.reveal())
        return settings.Account(address.account, address.connection_string)
    if config.storage_account_url:
        host = urlsplit(config.storage_account_url).hostname or ""
        url = config.storage_account_url.rstrip("/")
        return settings.Account(host.partition(".")[0] if "blob" in host else host, url=url)
    if config.auth != "connection_string":
        raise ConfigError(
            f"storage_account_url is missing though {wanted_by} is needed: "
            f"https://<account>.blob.core.windows.net (or {_BLOB_KEY})"
        )
    raise ConfigError(
        f"{_BLOB_KEY} is missing though {wanted_by} is needed; expected {BLOB_FORM}, or drop both "
        "to keep no checkpoints"
    )


def _dead_letters(config: Config) -> settings.DeadLetterSettings:
    container = config.dead_letter_container
    return settings.DeadLetterSettings(
        file=Path(config.dead_letter_file) if config.dead_letter_file else None,
        file_max_bytes=config.dead_letter_file_max_bytes,
        blob=settings.BlobSettings(_account(config, "dead_letter_container"), container)
        if container
        else None,
    )


def _start(text: str) -> str | datetime:
    named = {"earliest": "-1", "latest": "@latest"}.get(text)
    if named:
        return named
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigError(
            "starting_position is none of latest, earliest and an RFC 3339 time with its zone "
            "such as 2026-02-03T04:05:06Z"
        )
    return moment
