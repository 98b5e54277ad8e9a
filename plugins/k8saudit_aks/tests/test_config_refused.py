"""What the configuration refuses, at init, and that it says which key to change or to drop."""

from __future__ import annotations

import json
from typing import Any

import pytest
from k8saudit_aks.plugin import K8sAuditAks

from falcopy_sdk import plugin_spec
from falcopy_sdk.declare.config import load_config
from falcopy_sdk.exceptions import ConfigError
from falcopy_sdk.host import Library

KEY = "c2VjcmV0IGtleSBvZiBvdXJz"
HUB = f"Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=p;SharedAccessKey={KEY}"
EMULATOR = (
    f"Endpoint=sb://127.0.0.1:5672;SharedAccessKeyName=p;SharedAccessKey={KEY};"
    "UseDevelopmentEmulator=true"
)
BLOB = f"DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={KEY};EndpointSuffix=x"
HUB_KEY = "event_hub_namespace_connection_string"
BLOB_KEY = "blob_storage_connection_string"
CONTAINER = "blob_storage_container_name"
IDENTITY = {"auth": "managed_identity", "fully_qualified_namespace": "ns.servicebus.windows.net"}


def refused(keys: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(plugin_spec(K8sAuditAks), json.dumps(keys)).check()
    text = str(caught.value)
    assert KEY not in text
    return text


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"auth": "managed_identity", HUB_KEY: HUB}, f"drop {HUB_KEY} and name the namespace"),
        ({"fully_qualified_namespace": "ns.x"}, "drop fully_qualified_namespace, or set auth to"),
        ({"storage_account_url": "https://a.b"}, "drop storage_account_url, or set auth to"),
        ({"client_id": "a"}, "client_id has no meaning with auth: connection_string; drop"),
        ({**IDENTITY, "tenant_id": "a"}, "tenant_id has no meaning with auth: managed_identity"),
        ({**IDENTITY, "token_file_path": "/t"}, "token_file_path has no meaning with auth"),
        (
            {**IDENTITY, "storage_account_url": "https://a.b", BLOB_KEY: BLOB},
            "name the storage account twice; drop one",
        ),
        ({CONTAINER: "abc", "checkpoint_file": "/p"}, "name two places for the checkpoints"),
        ({CONTAINER: "abc", "checkpoint_store": "file"}, "contradict each other; drop one"),
        ({CONTAINER: "abc", "checkpoint_store": "none"}, "contradict each other; drop one"),
        ({"checkpoint_file": "/p", "checkpoint_store": "blob"}, "contradict each other; drop one"),
        ({BLOB_KEY: BLOB, "checkpoint_store": "file"}, f"has no use for {BLOB_KEY}; drop one"),
        ({"http_proxy": "http://p:1", "transport": "amqp"}, "drop transport: amqp, or drop http"),
        ({"http_proxy_username": "p"}, "without http_proxy; drop http_proxy_username"),
        (
            {"http_proxy": "http://p:1", "http_proxy_password": KEY},
            "http_proxy_password is set without http_proxy_username",
        ),
        ({HUB_KEY: HUB + ";EntityPath=a", "event_hub_name": "b"}, "two different hubs; drop one"),
        ({HUB_KEY: EMULATOR, "custom_endpoint": "sb://gate"}, "drop custom_endpoint, or drop Use"),
        ({HUB_KEY: EMULATOR, "http_proxy": "http://p:1"}, "drop http_proxy, or drop UseDevelop"),
        ({HUB_KEY: EMULATOR, "transport": "websocket"}, "drop transport, or drop UseDevelopment"),
        ({"load_balancing_interval": 40}, "must be at least twice load_balancing_interval"),
        ({"checkpoint_file": "/p", "dead_letter_file": "/p"}, "are the same file; name two"),
        ({"checkpoint_store": "none", "checkpoint_events": 9}, "drop checkpoint_events"),
        ({"dead_letter_file_max_bytes": 1 << 20}, "no effect with no dead_letter_file; drop"),
    ],
)
def test_a_contradiction_says_which_key_to_drop(keys: dict[str, Any], sentence: str) -> None:
    assert sentence in refused(keys)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({HUB_KEY: KEY}, f"{HUB_KEY} is malformed; expected Endpoint=sb://"),
        ({HUB_KEY: HUB.replace("sb:", "https:")}, "has no Endpoint=sb://<host>/"),
        ({HUB_KEY: HUB.replace("net/", "net:port/")}, "has no Endpoint=sb://<host>/"),
        ({HUB_KEY: HUB.replace("net/", "net/audit")}, "the event hub goes to event_hub_name"),
        ({HUB_KEY: HUB.replace("net/", "net:5671/")}, "drop the port and name it in custom_end"),
        ({HUB_KEY: HUB.replace("Name=p", "Name=")}, "no SharedAccessKeyName and SharedAccessKey"),
        ({HUB_KEY: HUB + ";SharedAccessSignature=s"}, "drop one of them"),
        ({HUB_KEY: EMULATOR.replace("true", "True")}, "neither true nor false, in lower case"),
        ({BLOB_KEY: f"AccountKey={KEY}"}, f"{BLOB_KEY} has neither AccountName and AccountKey"),
        ({BLOB_KEY: KEY}, f"{BLOB_KEY} is malformed; expected Default"),
        ({CONTAINER: "Falco"}, f"{CONTAINER} is no name of a container: 3 to 63 lower-case"),
        ({"dead_letter_container": "a--b"}, "dead_letter_container is no name of a container"),
        ({"checkpoint_file": "positions.db"}, "checkpoint_file is not an absolute path"),
        ({"ca_file": "ca.pem"}, "ca_file is not an absolute path"),
        ({"starting_position": "2026-02-03T04:05:06"}, "an RFC 3339 time with its zone"),
        ({"starting_position": "yesterday"}, "none of latest, earliest and an RFC 3339 time"),
        ({"http_proxy": "proxy:3128"}, "http_proxy is not of the form http://<host>:<port>"),
        ({"http_proxy": f"http://a:{KEY}@p:1"}, "use http_proxy_username and http_proxy_password"),
        ({"custom_endpoint": "https://gate"}, "custom_endpoint is not of the form sb://<host>"),
        (
            {"auth": "default", "fully_qualified_namespace": "sb://ns/"},
            "fully_qualified_namespace is not a host name",
        ),
        ({**IDENTITY, "storage_account_url": "http://a.b"}, "tokens are sent over https only"),
        # What the schema says by itself.
        ({"auth": "managed"}, 'did you mean "managed_identity"?'),
        ({"checkpoint_store": "sqlite"}, 'expected one of "blob", "file", "none"'),
        ({"transport": "kafka"}, 'expected one of "amqp", "websocket"'),
        ({"rate_limit_burst": -1}, "rate_limit_burst: must be at least 0"),
        ({"maxEventSize": 0}, "maxEventSize: must be at least 1"),
        ({"consumer_group": ""}, "consumer_group: must not be empty"),
        ({"categories": []}, "categories: must have at least 1 element"),
        ({"prefetch": 0}, "prefetch: must be at least 1"),
        ({"checkpoint_interval": 0}, "checkpoint_interval: must be at least 0.1"),
        ({"dead_letter_file_max_bytes": 1}, "dead_letter_file_max_bytes: must be at least 65536"),
        ({"consumergroup": "x"}, 'did you mean "consumer_group"?'),
    ],
)
def test_a_malformed_value_is_refused_with_its_key_and_without_itself(
    keys: dict[str, Any], sentence: str
) -> None:
    assert sentence in refused(keys)


def test_all_contradictions_are_told_at_once() -> None:
    text = refused({"auth": "default", HUB_KEY: HUB, "http_proxy_username": "p"})
    assert text.startswith("init_config has 2 problems")


def test_a_host_is_told_at_init() -> None:
    with Library.from_class(K8sAuditAks) as library, pytest.raises(Exception, match="drop one"):
        library.init({CONTAINER: "abc", "checkpoint_file": "/p"})


def test_choices_and_limits_are_in_the_schema() -> None:
    keys = plugin_spec(K8sAuditAks).config.schema["properties"]  # type: ignore[union-attr]
    assert keys["auth"]["enum"] == [
        "connection_string",
        "default",
        "managed_identity",
        "workload_identity",
    ]
    assert keys["checkpoint_store"]["enum"] == ["blob", "file", "none", None]
    assert keys["transport"]["enum"] == ["amqp", "websocket", None]
    assert keys["prefetch"]["minimum"] == 1
    assert keys["categories"]["default"] == ["kube-audit", "kube-audit-admin"]
    assert all(key.get("description") for key in keys.values())
