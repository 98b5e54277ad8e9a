"""From the keys of the configuration to what a live stream needs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from k8saudit_aks.config import Config, hub_settings
from k8saudit_aks.plugin import K8sAuditAks
from k8saudit_aks.settings import BlobSettings, FileSettings, Proxy

from falcopy_sdk import Secret, plugin_spec
from falcopy_sdk.declare.config import load_config
from falcopy_sdk.exceptions import ConfigError

HUB = "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=listen;SharedAccessKey=a2V5"
EMULATOR = HUB.replace("ns.servicebus.windows.net/", "127.0.0.1:5672") + (
    ";UseDevelopmentEmulator=true"
)
BLOB = "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=a2V5;EndpointSuffix=x"
IDENTITY = {"auth": "managed_identity", "fully_qualified_namespace": "ns.servicebus.windows.net"}


def settings(**keys: Any) -> Any:
    """As a host would have it: through JSON and the schema."""
    document = {
        "event_hub_name": "audit",
        **({} if "auth" in keys else {"event_hub_namespace_connection_string": HUB}),
        **keys,
    }
    document = {key: value for key, value in document.items() if value is not None}
    return hub_settings(load_config(plugin_spec(K8sAuditAks), json.dumps(document)))


def test_the_four_keys_of_the_go_plugin_are_enough() -> None:
    made = settings(blob_storage_connection_string=BLOB, blob_storage_container_name="positions")
    assert made.namespace == "ns.servicebus.windows.net"
    assert made.host_and_port == ("ns.servicebus.windows.net", 5671)
    assert (made.policy, made.hub, made.consumer_group) == ("listen", "audit", "$Default")
    assert made.start == "@latest"
    assert isinstance(made.store, BlobSettings)
    assert (made.store.account.name, made.store.container) == ("acme", "positions")
    assert made.credential is None


def test_settings_do_not_show_their_secrets() -> None:
    made = settings(
        blob_storage_connection_string=BLOB,
        blob_storage_container_name="positions",
        http_proxy="http://proxy:3128",
        http_proxy_username="falco",
        http_proxy_password="a2V5",
    )
    assert "a2V5" not in repr(made)


def test_the_hub_may_be_named_in_the_connection_string() -> None:
    made = settings(
        event_hub_namespace_connection_string=HUB + ";EntityPath=audit", event_hub_name=None
    )
    assert made.hub == "audit"


def test_a_time_to_start_from_keeps_its_zone() -> None:
    made = settings(starting_position="2026-02-03T04:05:06Z")
    assert made.start == datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


def test_an_emulator_is_where_its_endpoint_says() -> None:
    made = settings(event_hub_namespace_connection_string=EMULATOR)
    assert made.host_and_port == ("127.0.0.1", 5672)


def test_the_short_form_for_azurite_is_written_out() -> None:
    made = settings(
        blob_storage_connection_string="UseDevelopmentStorage=true",
        blob_storage_container_name="positions",
    )
    account = made.store.account
    assert account.name == "devstoreaccount1"
    assert "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1" in account.connection_string


def test_an_identity_names_namespace_and_account_by_their_hosts() -> None:
    made = settings(
        **IDENTITY,
        client_id="0000-1111",
        storage_account_url="https://acme.blob.core.windows.net/",
        blob_storage_container_name="positions",
    )
    assert made.namespace == "ns.servicebus.windows.net"
    assert (made.credential.kind, made.credential.client_id) == ("managed_identity", "0000-1111")
    assert made.store.account.url == "https://acme.blob.core.windows.net"
    assert made.store.account.name == "acme"
    assert "managed_identity (client_id 0000-1111)" in made.advice


@pytest.mark.parametrize(
    ("keys", "store"),
    [
        ({}, None),
        ({"checkpoint_store": "none"}, None),
        ({"checkpoint_file": "/var/lib/p.db"}, FileSettings(Path("/var/lib/p.db"))),
        (
            {"checkpoint_store": "file", "checkpoint_file": "/var/lib/p.db"},
            FileSettings(Path("/var/lib/p.db")),
        ),
        # The account alone serves the dead letters.
        (
            {
                "checkpoint_file": "/var/lib/p.db",
                "blob_storage_connection_string": BLOB,
                "dead_letter_container": "dead",
            },
            FileSettings(Path("/var/lib/p.db")),
        ),
    ],
)
def test_the_store_follows_from_what_is_given(keys: dict[str, Any], store: Any) -> None:
    assert settings(**keys).store == store


@pytest.mark.parametrize(
    ("keys", "transport", "first_hop"),
    [
        ({}, "amqp", ("ns.servicebus.windows.net", 5671)),
        ({"transport": "websocket"}, "websocket", ("ns.servicebus.windows.net", 443)),
        ({"http_proxy": "http://proxy:3128"}, "websocket", ("proxy", 3128)),
        ({"custom_endpoint": "sb://gate:7000"}, "amqp", ("gate", 7000)),
        ({"custom_endpoint": "gate"}, "amqp", ("gate", 5671)),
        ({"custom_endpoint": "sb://[::1]:7000"}, "amqp", ("::1", 7000)),
        ({"custom_endpoint": "[fd00::1]"}, "amqp", ("fd00::1", 5671)),
        ({"custom_endpoint": "gate", "transport": "websocket"}, "websocket", ("gate", 443)),
    ],
)
def test_a_proxy_means_a_web_socket_and_an_endpoint_of_ones_own_does_not(
    keys: dict[str, Any], transport: str, first_hop: tuple[str, int]
) -> None:
    made = settings(**keys)
    assert made.network.transport == transport
    assert made.host_and_port == first_hop


def test_the_password_of_a_proxy_is_kept_apart_from_its_address() -> None:
    made = settings(
        http_proxy="http://proxy:3128", http_proxy_username="falco", http_proxy_password="pass"
    )
    assert made.network.proxy == Proxy("proxy", 3128, "falco", "pass")


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"event_hub_namespace_connection_string": None}, "connection_string is missing"),
        ({"event_hub_name": None}, "event_hub_name is missing"),
        ({"blob_storage_connection_string": BLOB}, "blob_storage_container_name is missing"),
        ({"blob_storage_container_name": "abc"}, "blob_storage_connection_string is missing"),
        ({"dead_letter_container": "abc"}, "missing though dead_letter_container is needed"),
        ({"checkpoint_store": "file"}, "checkpoint_file is missing"),
        ({"checkpoint_store": "blob"}, "blob_storage_connection_string is missing"),
        ({"auth": "default"}, "fully_qualified_namespace is missing though auth is default"),
        ({**IDENTITY, "blob_storage_container_name": "abc"}, "storage_account_url is missing"),
    ],
)
def test_what_a_live_stream_misses_is_no_error_before_it_is_opened(
    keys: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        settings(**keys)
    Config(
        **{
            key: Secret(value) if key.endswith("connection_string") else value
            for key, value in keys.items()
            if value is not None
        }
    ).check()
