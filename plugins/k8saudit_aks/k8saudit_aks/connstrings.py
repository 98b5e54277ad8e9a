"""Azure's connection strings: what they name, and what is wrong with one."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from falcopy_sdk.exceptions import ConfigError

__all__ = ["BLOB_FORM", "HUB_FORM", "BlobAddress", "HubAddress", "parse_blob", "parse_hub"]

HUB_FORM = (
    "Endpoint=sb://<namespace>.servicebus.windows.net/;"
    "SharedAccessKeyName=<policy>;SharedAccessKey=<key>"
)
BLOB_FORM = (
    "DefaultEndpointsProtocol=https;AccountName=<account>;AccountKey=<key>;"
    "EndpointSuffix=core.windows.net"
)
_HUB_KEY = "event_hub_namespace_connection_string"
_BLOB_KEY = "blob_storage_connection_string"

#: The account of every Azurite; its key is public ("Use the Azurite emulator", Microsoft Learn).
_DEVELOPMENT = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLl"
    "mEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;"
)


class HubAddress(NamedTuple):
    """What a connection string of Event Hubs names."""

    #: ``host``, or ``host:port`` of an emulator: the client names it so in checkpoints.
    namespace: str
    #: Of the shared access policy, empty with a ready-made signature.
    policy: str
    #: ``EntityPath``, empty if it is not there.
    hub: str
    #: Whether it is for an emulator, which is spoken to without TLS.
    emulator: bool


class BlobAddress(NamedTuple):
    """What a connection string of a storage account names."""

    #: As the client libraries take it: the short form for Azurite is written out.
    connection_string: str
    account: str


def parse_hub(text: str) -> HubAddress:
    """Take apart ``event_hub_namespace_connection_string``.

    Raises:
        ConfigError: it is malformed; the message shows no part of it.
    """
    pairs = _pairs(_HUB_KEY, text, HUB_FORM)
    address = urlsplit(pairs.get("endpoint", ""))
    try:
        port = address.port
        valid = address.scheme == "sb" and bool(address.hostname) and port != 0
    except ValueError:  # a port that is no number
        valid, port = False, None
    if not valid:
        raise ConfigError(f"{_HUB_KEY} has no Endpoint=sb://<host>/; expected {HUB_FORM}")
    if address.username is not None or address.path.strip("/"):
        raise ConfigError(
            f"{_HUB_KEY}: Endpoint is more than sb://<host>/; the event hub goes to event_hub_name"
        )
    named, key = pairs.get("sharedaccesskeyname"), pairs.get("sharedaccesskey")
    signed = pairs.get("sharedaccesssignature")
    if signed and key:
        raise ConfigError(
            f"{_HUB_KEY} has SharedAccessKey and SharedAccessSignature; drop one of them"
        )
    if not signed and not (named and key):
        raise ConfigError(
            f"{_HUB_KEY} has no SharedAccessKeyName and SharedAccessKey; expected {HUB_FORM}"
        )
    said = pairs.get("usedevelopmentemulator", "false")
    if said not in ("true", "false"):
        raise ConfigError(
            f"{_HUB_KEY}: UseDevelopmentEmulator is neither true nor false, in lower case"
        )
    emulator = said == "true"
    if port and not emulator:
        # The client would connect to 5671 all the same.
        raise ConfigError(
            f"{_HUB_KEY}: Endpoint names a port, which only counts for an emulator; drop the port "
            "and name it in custom_endpoint, or add UseDevelopmentEmulator=true"
        )
    return HubAddress(address.netloc, named or "", pairs.get("entitypath", ""), emulator)


def parse_blob(text: str) -> BlobAddress:
    """Take apart ``blob_storage_connection_string``.

    Raises:
        ConfigError: it is malformed; the message shows no part of it.
    """
    pairs = _pairs(_BLOB_KEY, text, BLOB_FORM)
    if pairs.get("usedevelopmentstorage", "").lower() == "true":
        return BlobAddress(_DEVELOPMENT, "devstoreaccount1")
    if pairs.get("accountname") and pairs.get("accountkey"):
        return BlobAddress(text, pairs["accountname"])
    if pairs.get("sharedaccesssignature") and pairs.get("blobendpoint"):
        return BlobAddress(text, urlsplit(pairs["blobendpoint"]).hostname or "?")
    raise ConfigError(
        f"{_BLOB_KEY} has neither AccountName and AccountKey nor BlobEndpoint and "
        f"SharedAccessSignature; expected {BLOB_FORM}"
    )


def _pairs(key: str, text: str, form: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for part in text.strip().strip(";").split(";"):
        name, separator, value = part.partition("=")
        if not separator:
            raise ConfigError(f"{key} is malformed; expected {form}")
        pairs[name.strip().lower()] = value.strip()
    return pairs
