"""What is wrong with Event Hubs, in a sentence for the user."""

from __future__ import annotations

import asyncio
import re
import socket
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError
from azure.eventhub.exceptions import AuthenticationError, EventHubError

from k8saudit_aks import tls
from k8saudit_aks.credentials import NoTokenError
from k8saudit_aks.fault import Fault, Trouble
from k8saudit_aks.log import quoted, redact

if TYPE_CHECKING:
    from k8saudit_aks.settings import HubSettings

__all__ = [
    "REQUEST_ERRORS",
    "Unavailable",
    "diagnose",
    "explain",
    "explain_link",
    "grown",
    "moved",
    "refusal",
    "reopened",
    "silence",
    "standstill",
    "untrusting",
]

#: Seconds to wait for a plain TCP connection when looking for the cause of an error.
_TCP_TIMEOUT = 5.0


class Unavailable(Exception):  # noqa: N818 - a state of the world, not a mistake
    """Event Hubs cannot be read now; the text is for the user. Trying again may help."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.text)
        self.fault = trouble.fault


async def diagnose(error: BaseException, hub: HubSettings) -> Trouble:
    """Why a request to Event Hubs failed, after a look at the network.

    The client wraps whatever goes wrong while connecting into one class, so name resolution and
    TCP are tried once more by themselves.
    """
    if not _refused(error):
        host, port = hub.host_and_port
        unreachable = await _unreachable(host, port, hub.address_key)
        if unreachable:
            return unreachable
    return explain(error, hub)


def explain(error: BaseException, hub: HubSettings) -> Trouble:
    """What an error that the client reported means."""
    where = f"Event Hubs {hub.namespace}"
    text = redact(str(error)).strip().splitlines()
    first = text[0] if text else type(error).__name__
    if _refused(error):
        return Trouble(Fault.REFUSED, f"{where} refused {hub.advice}")
    if hub.network.proxy and "407" in first:
        return Trouble(
            Fault.REFUSED,
            f"the proxy {hub.network.proxy.host} refused us (407); check http_proxy_username and "
            "http_proxy_password",
        )
    if "server-busy" in str(error):
        return Trouble(Fault.THROTTLED, f"{where} is throttling; add throughput units")
    if "not-found" in first or re.search(r"\b404\b", first):
        return Trouble(Fault.NO_HUB, f"{where} has no event hub {hub.hub}; check event_hub_name")
    if "CERTIFICATE_VERIFY_FAILED" in first:
        return Trouble(
            Fault.UNTRUSTED,
            f"{where} has a certificate that is not trusted ({first}); if a proxy replaced it, "
            "name a file with its authority in ca_file",
        )
    if isinstance(error, TimeoutError):
        return Trouble(Fault.TIMEOUT, f"{where} did not answer in time; check network and firewall")
    return Trouble(Fault.OTHER, f"{where}: {first}")


def no_token(error: BaseException, hub: HubSettings) -> Trouble:
    """The identity got no token."""
    return error.trouble if isinstance(error, NoTokenError) else explain(error, hub)


def untrusting(error: OSError, hub: HubSettings) -> Trouble:
    """The file of certificate authorities cannot be read."""
    path = hub.network.ca_file
    return Trouble(
        Fault.UNTRUSTED,
        f"ca_file {path or tls.authorities()} cannot be used ({error.strerror or error}); "
        "it must be a readable PEM file with certificates",
    )


def explain_link(error: BaseException, hub: HubSettings) -> Trouble:
    """What an error of one partition's receive link means."""
    where = f"Event Hubs {hub.namespace}"
    text = redact(str(error))
    if "not-found" in text:
        return Trouble(
            Fault.NO_GROUP,
            f"{where} has no consumer group {hub.consumer_group} for {hub.hub}; create it, or "
            "correct consumer_group",
        )
    if "link:stolen" in text:
        return Trouble(
            Fault.STOLEN,
            f"{where}: another reader of consumer group {hub.consumer_group} took the partition; "
            "stop the other reader, share one checkpoint container with it, or use another "
            "consumer_group",
        )
    return explain(error, hub)


def silence(partitions: list[str], hub: HubSettings, client_said: str) -> Trouble:
    """Nothing comes from partitions, although the hub itself answers."""
    return Trouble(
        Fault.SILENT,
        f"Event Hubs {hub.namespace}: not receiving from {_named(partitions)} of {hub.hub}; check "
        f"that consumer group {hub.consumer_group} exists and that no more than 5 readers use it"
        f"{quoted(client_said)}",
    )


def refusal(partitions: list[str], hub: HubSettings) -> Trouble:
    """The service turns receive links down; the client does not tell why."""
    return Trouble(
        Fault.NO_GROUP,
        f"Event Hubs {hub.namespace} refuses to let us read {_named(partitions)} of {hub.hub}; "
        f"check that consumer group {hub.consumer_group} exists and that no more than 5 readers "
        "use it",
    )


def standstill(partition: str, hub: HubSettings) -> Trouble:
    """The hub has newer events of a partition than its link brings."""
    return Trouble(
        Fault.SILENT,
        f"Event Hubs {hub.namespace}: the connection for partition {partition} of {hub.hub} looks "
        "well and brings nothing, though there are events; making a new one",
    )


def reopened(partition: str, hub: HubSettings) -> str:
    """The client has replaced a connection that it lost."""
    return (
        f"partition {partition}: the connection to Event Hubs {hub.namespace} was lost; the client "
        "made a new one"
    )


def moved(partition: str, hub: HubSettings) -> Trouble:
    """Another reader claimed a partition in the checkpoint store."""
    return Trouble(
        Fault.MOVED,
        f"partition {partition} of {hub.hub} moved to another reader that shares the checkpoint "
        "store",
    )


def grown(partitions: list[str], hub: HubSettings) -> str:
    """Partitions were added to the hub."""
    return f"{_named(partitions)} of {hub.hub} came to be: reading from the beginning"


def _named(partitions: list[str]) -> str:
    return f"partition{'s' if len(partitions) > 1 else ''} {', '.join(partitions)}"


def _refused(error: BaseException) -> bool:
    return isinstance(error, AuthenticationError) and "timeout" not in str(error).lower()


async def _unreachable(host: str, port: int, key: str) -> Trouble | None:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_TCP_TIMEOUT):
            await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError) as error:
        return Trouble(
            Fault.UNRESOLVED,
            f"Event Hubs: the name {host} does not resolve ({error}); check {key} and this "
            "machine's DNS",
        )
    try:
        async with asyncio.timeout(_TCP_TIMEOUT):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        reason = str(error) or f"no answer within {_TCP_TIMEOUT:g} s"
        return Trouble(
            Fault.UNREACHABLE,
            f"Event Hubs {host} port {port} cannot be reached ({reason}); check network and "
            "firewall",
        )
    writer.close()
    return None


#: What the client may raise out of a request, beside its own classes.
REQUEST_ERRORS = (EventHubError, AzureError, OSError, ValueError)
