"""Log lines: one a state change, whatever passes through the texts of the services."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.exceptions import ServiceRequestTimeoutError
from k8saudit_aks.log import StateLog, brief
from k8saudit_aks.settings import HubSettings
from k8saudit_aks.trouble import silence

HUB = HubSettings("ns.servicebus.windows.net", "audit", "$Default", "@latest")
NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


def entra(attempt: int) -> str:
    """What Microsoft Entra ID says to an application that it does not know."""
    return (
        "Microsoft Entra ID error '(unauthorized_client) AADSTS700016: Application with identifier "
        "'6f1d3b0e-2f5a-4a36-9b53-1d7f5f0a7c11' was not found in the directory 'Acme'. This can "
        "happen if the application has not been installed by the administrator of the tenant. "
        f"Trace ID: {uuid.uuid4()} Correlation ID: {uuid.uuid4()} "
        f"Timestamp: {NOW + timedelta(seconds=attempt):%Y-%m-%d %H:%M:%S}Z'"
    )


def aiohttp(attempt: int) -> str:
    return (
        "Cannot connect to host acme.blob.core.windows.net:443 ssl:default [Connect call failed "
        f"('20.60.1.{attempt + 1}', 443)]"
    )


def busy(attempt: int) -> str:
    """What Event Hubs says, which names each connection and moment."""
    return (
        "The request was terminated because the entity is being throttled. Reference:"
        f"{uuid.uuid4()}, TrackingId:{uuid.uuid4().hex}_B{attempt}, SystemTracker:ns:eventhub:a,"
        f" Timestamp:{NOW + timedelta(seconds=attempt):%Y-%m-%dT%H:%M:%S}"
    )


def said(attempt: int) -> str:
    """Nothing comes, from other partitions each time, and the client says something else."""
    warnings = (
        f"Connection closed with error: [b'amqp:connection:forced', b'{uuid.uuid4()}']",
        "An error occurred while load-balancing (and more)",
        "",
    )
    return silence(["0", "12", "7"][: attempt % 3 + 1], HUB, warnings[attempt % 3]).text


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """The lines so far."""
    caplog.set_level("INFO")
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("text", [entra, aiohttp, busy, said])
def test_a_text_that_differs_from_retry_to_retry_is_told_once(
    text: Callable[[int], str], lines: Callable[[], list[str]]
) -> None:
    state, first = StateLog("works again"), text(0)
    state.down(f"{first}. Trying again")
    for attempt in range(1, 7):
        state.down(f"{text(attempt)}. Trying again")
    assert lines() == [f"{first}. Trying again"]
    state.up()
    assert lines() == [f"{first}. Trying again", "works again"]


def test_another_status_or_cause_is_told(lines: Callable[[], list[str]]) -> None:
    state = StateLog("works again")
    told = [
        "refused (HTTP 403)",
        "refused (HTTP 503)",
        f"no token: {entra(0)}",
        f"no token: {entra(0).replace('unauthorized_client', 'invalid_client')}",
    ]
    for sentence in told:
        state.down(sentence)
        state.down(sentence)
    assert lines() == told


def test_causes_that_take_turns_are_each_told_once_and_again_after_a_long_while(
    lines: Callable[[], list[str]],
) -> None:
    clock = Clock()
    state = StateLog("works again", settle=60.0, clock=clock)
    for _ in range(5):
        for sentence in ("no connection", "no answer"):
            state.down(sentence)
            clock.now += 60.0
    assert lines() == ["no connection", "no answer"]
    for _ in range(11):
        state.down("no answer")
        clock.now += 60.0
    state.down("no connection")
    assert lines() == ["no connection", "no answer", "no connection"]


def test_what_was_told_is_told_again_after_it_worked(lines: Callable[[], list[str]]) -> None:
    clock = Clock()
    state = StateLog("works again", settle=60.0, clock=clock)
    for _ in range(2):
        state.down("broken")
        clock.now += 1.0
        state.up()
        clock.now += 100.0
    assert lines() == ["broken", "works again", "broken", "works again"]


def test_of_an_address_no_more_than_the_host_is_quoted() -> None:
    address = "https://acme.blob.core.windows.net/positions?restype=container&comp=list&sig=c2Vj%3D"
    error = ServiceRequestTimeoutError(f"Connection timeout to host {address}")
    assert brief(error) == "Connection timeout to host https://acme.blob.core.windows.net"
    assert brief("first\nsecond AccountKey=a2V5") == "first"
    assert brief(TimeoutError()) == "TimeoutError"
