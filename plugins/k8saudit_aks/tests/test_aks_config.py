"""The configuration: what a live stream needs of it, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from k8saudit_aks.config import Config, hub_settings

from falcopy_sdk import Secret
from falcopy_sdk.exceptions import ConfigError

HUB = "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=listen;SharedAccessKey=a2V5"
BLOB = "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=a2V5;EndpointSuffix=x"


def config(hub: str = HUB, blob: str = "", **more: Any) -> Config:
    return Config(
        **{
            "event_hub_namespace_connection_string": Secret(hub),
            "event_hub_name": "audit",
            "blob_storage_connection_string": Secret(blob),
            **more,
        }
    )


def test_the_four_keys_of_the_go_plugin_are_enough() -> None:
    settings = hub_settings(config(blob=BLOB, blob_storage_container_name="checkpoints"))
    assert settings.namespace == "ns.servicebus.windows.net"
    assert settings.host_and_port == ("ns.servicebus.windows.net", 5671)
    assert (settings.policy, settings.hub, settings.consumer_group) == (
        "listen",
        "audit",
        "$Default",
    )
    assert settings.start == "@latest"
    assert settings.blob is not None
    assert (settings.blob.account, settings.blob.container) == ("acme", "checkpoints")


def test_settings_do_not_show_their_connection_strings() -> None:
    settings = hub_settings(config(blob=BLOB, blob_storage_container_name="checkpoints"))
    assert "a2V5" not in repr(settings)


def test_the_hub_may_be_named_in_the_connection_string() -> None:
    settings = hub_settings(config(HUB + ";EntityPath=audit", event_hub_name=""))
    assert settings.hub == "audit"


def test_a_time_to_start_from_keeps_its_zone() -> None:
    settings = hub_settings(config(starting_position="2026-02-03T04:05:06Z"))
    assert settings.start == datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (config(""), "event_hub_namespace_connection_string is missing"),
        (config(event_hub_name=""), "event_hub_name is missing"),
        (config(HUB + ";EntityPath=other"), "name two different hubs; drop one"),
        (config("Endpoint=https://x/;SharedAccessKeyName=a;SharedAccessKey=b"), "has no Endpoint"),
        (config("Endpoint=sb://x:port/;SharedAccessKeyName=a;SharedAccessKey=b"), "no Endpoint"),
        (config(blob=BLOB), "blob_storage_container_name is missing"),
        (config(blob_storage_container_name="c"), "blob_storage_connection_string is missing"),
        (config(starting_position="2026-02-03T04:05:06"), "time with its zone"),
    ],
)
def test_what_is_missing_or_contradictory_is_named(broken: Config, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        hub_settings(broken)


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (Config(rate_limit_burst=-1), "rate_limit_burst must not be negative"),
        (Config(maxEventSize=0), "maxEventSize must be greater than 0"),
        (Config(consumer_group=""), "consumer_group must not be empty"),
    ],
)
def test_numbers_out_of_range_are_refused_at_init(broken: Config, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        broken.check()
