"""The plugin's configuration, and what of it a live stream needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit

from falcopy_sdk import Secret
from falcopy_sdk.exceptions import ConfigError

__all__ = ["BlobSettings", "Config", "HubSettings", "hub_settings"]

_HUB_FORM = (
    "Endpoint=sb://<namespace>.servicebus.windows.net/;"
    "SharedAccessKeyName=<policy>;SharedAccessKey=<key>"
)
_BLOB_FORM = (
    "DefaultEndpointsProtocol=https;AccountName=<account>;AccountKey=<key>;"
    "EndpointSuffix=core.windows.net"
)


@dataclass
class Config:
    """``init_config`` of the plugin; the first seven keys are those of the Go plugin.

    Nothing is required here: a replay of a file needs none of it. What a live stream needs is
    checked when it is opened.
    """

    event_hub_namespace_connection_string: Annotated[
        Secret, "Connection string of the Event Hubs namespace; its policy needs Listen"
    ] = field(default_factory=lambda: Secret(""))
    event_hub_name: Annotated[
        str, "Event hub that the diagnostic setting of the AKS clusters writes to"
    ] = ""
    blob_storage_connection_string: Annotated[
        Secret, "Connection string of the storage account that keeps the checkpoints"
    ] = field(default_factory=lambda: Secret(""))
    blob_storage_container_name: Annotated[str, "Container for the checkpoints; must exist"] = ""
    rate_limit_events_per_second: Annotated[
        int, "At most this many audit events a second; 0: no limit"
    ] = 0
    rate_limit_burst: Annotated[int, "Audit events that may pass at once under the limit"] = 200
    #: Spelled as the Go plugin spells it.
    maxEventSize: Annotated[int, "Audit events larger than this many bytes are dropped"] = 262144  # noqa: N815
    consumer_group: Annotated[str, "Consumer group of the event hub to read as"] = "$Default"
    starting_position: Annotated[
        str, "Where a partition without a checkpoint starts: latest, earliest or an RFC 3339 time"
    ] = "latest"
    checkpoint_interval: Annotated[
        float, "Seconds between two checkpoints, if checkpoint_events do not come before"
    ] = 5.0
    checkpoint_events: Annotated[
        int, "Audit events of a partition after which its checkpoint is written at once"
    ] = 5000
    load_balancing_interval: Annotated[
        float, "Seconds between two rounds in which the readers of a hub share out its partitions"
    ] = 10.0
    partition_ownership_expiration_interval: Annotated[
        float,
        "Seconds after which the partitions of a reader that has died go to others; at least "
        "twice load_balancing_interval",
    ] = 60.0

    def check(self) -> None:
        """Check what is given, without touching the network.

        Raises:
            ConfigError: a value has the wrong form; names the key and never shows the value.
        """
        problems = [
            f"{key} must not be negative"
            for key in ("rate_limit_events_per_second", "rate_limit_burst")
            if getattr(self, key) < 0
        ]
        if self.maxEventSize <= 0:
            problems.append("maxEventSize must be greater than 0")
        problems += [
            f"{key} must be greater than 0"
            for key in ("checkpoint_interval", "checkpoint_events", "load_balancing_interval")
            if getattr(self, key) <= 0
        ]
        if self.partition_ownership_expiration_interval < 2 * self.load_balancing_interval:
            problems.append(
                "partition_ownership_expiration_interval must be at least twice "
                "load_balancing_interval; else readers take partitions from each other"
            )
        if not self.consumer_group:
            problems.append("consumer_group must not be empty; drop it for $Default")
        if problems:
            raise ConfigError(problems)
        _start(self.starting_position)
        if self.event_hub_namespace_connection_string:
            _parse_hub(self)
        if self.blob_storage_connection_string:
            _parse_blob(self.blob_storage_connection_string.reveal())


@dataclass(frozen=True, slots=True)
class BlobSettings:
    """The checkpoint store of a live stream."""

    connection_string: str = field(repr=False)
    account: str
    container: str


@dataclass(frozen=True, slots=True)
class HubSettings:
    """What a live stream reads from."""

    connection_string: str = field(repr=False)
    #: ``host`` or, with an emulator, ``host:port``: the client names it so in checkpoints.
    namespace: str
    #: Name of the shared access policy, empty with a ready-made signature.
    policy: str
    hub: str
    consumer_group: str
    #: ``"-1"`` (earliest), ``"@latest"`` or a time, as the client wants it.
    start: str | datetime
    blob: BlobSettings | None

    @property
    def host_and_port(self) -> tuple[str, int]:
        """Where the client connects to; AMQP over TLS listens on 5671."""
        host, _, port = self.namespace.partition(":")
        return host, int(port) if port else 5671


def hub_settings(config: Config) -> HubSettings:
    """What a live stream needs, complete.

    Raises:
        ConfigError: a key is missing, malformed or contradicts another one.
    """
    if not config.event_hub_namespace_connection_string:
        raise ConfigError(
            [
                "event_hub_namespace_connection_string is missing; expected "
                f"{_HUB_FORM} (Azure portal: Event Hubs namespace, Shared access policies)"
            ]
        )
    namespace, policy, hub = _parse_hub(config)
    if not hub:
        raise ConfigError(
            [
                "event_hub_name is missing: the event hub that the diagnostic setting of the AKS "
                "cluster writes to"
            ]
        )
    return HubSettings(
        connection_string=config.event_hub_namespace_connection_string.reveal(),
        namespace=namespace,
        policy=policy,
        hub=hub,
        consumer_group=config.consumer_group,
        start=_start(config.starting_position),
        blob=_blob_settings(config),
    )


def _blob_settings(config: Config) -> BlobSettings | None:
    connection_string = config.blob_storage_connection_string.reveal()
    container = config.blob_storage_container_name
    if not connection_string and not container:
        return None
    if not connection_string:
        raise ConfigError(
            [
                "blob_storage_connection_string is missing though blob_storage_container_name is "
                f"set; expected {_BLOB_FORM}, or drop both to keep no checkpoints"
            ]
        )
    if not container:
        raise ConfigError(
            [
                "blob_storage_container_name is missing though blob_storage_connection_string is "
                "set; name a container that exists, or drop both to keep no checkpoints"
            ]
        )
    return BlobSettings(connection_string, _parse_blob(connection_string), container)


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
            [
                "starting_position is none of latest, earliest and an RFC 3339 time with its zone "
                "such as 2026-02-03T04:05:06Z"
            ]
        )
    return moment


def _pairs(key: str, text: str, form: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for part in text.strip().strip(";").split(";"):
        name, separator, value = part.partition("=")
        if not separator:
            raise ConfigError([f"{key} is malformed; expected {form}"])
        pairs[name.strip().lower()] = value.strip()
    return pairs


def _parse_hub(config: Config) -> tuple[str, str, str]:
    key = "event_hub_namespace_connection_string"
    pairs = _pairs(key, config.event_hub_namespace_connection_string.reveal(), _HUB_FORM)
    address = urlsplit(pairs.get("endpoint", ""))
    try:
        valid = address.scheme == "sb" and bool(address.hostname) and address.port != 0
    except ValueError:  # a port that is no number
        valid = False
    if not valid:
        raise ConfigError([f"{key} has no Endpoint=sb://<host>/; expected {_HUB_FORM}"])
    has_key = pairs.get("sharedaccesskey") and pairs.get("sharedaccesskeyname")
    if not has_key and not pairs.get("sharedaccesssignature"):
        raise ConfigError(
            [f"{key} has no SharedAccessKeyName and SharedAccessKey; expected {_HUB_FORM}"]
        )
    entity, hub = pairs.get("entitypath", ""), config.event_hub_name
    if entity and hub and entity != hub:
        raise ConfigError(
            [f"EntityPath in {key} and event_hub_name name two different hubs; drop one of them"]
        )
    return address.netloc, pairs.get("sharedaccesskeyname", ""), hub or entity


def _parse_blob(text: str) -> str:
    key = "blob_storage_connection_string"
    pairs = _pairs(key, text, _BLOB_FORM)
    if pairs.get("accountname") and pairs.get("accountkey"):
        return pairs["accountname"]
    if pairs.get("sharedaccesssignature") and pairs.get("blobendpoint"):
        return urlsplit(pairs["blobendpoint"]).hostname or "?"
    raise ConfigError(
        [
            f"{key} has neither AccountName and AccountKey nor BlobEndpoint and "
            f"SharedAccessSignature; expected {_BLOB_FORM}"
        ]
    )
