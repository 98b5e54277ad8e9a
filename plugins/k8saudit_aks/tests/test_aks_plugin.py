"""The plugin class in our host: what a host, and so its user, gets to see."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from k8saudit_aks.plugin import K8sAuditAks

from falcopy_sdk.exceptions import ConfigError, PluginFailedError
from falcopy_sdk.host import Library
from falcopy_sdk.testing.eventhubs import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from k8saudit_aks.timing import Timing


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, quick: Timing) -> Iterator[Library]:
    monkeypatch.setattr(K8sAuditAks, "timing", quick)
    with Library.from_class(K8sAuditAks) as loaded:
        yield loaded


class Lines(list[str]):
    """A host's logger."""

    def __call__(self, component: str | None, message: str, severity: int) -> None:
        self.append(message)


def deadline(seconds: float) -> Any:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def read(plugin: Any, event: Any, fields: dict[str, Any]) -> dict[str, Any]:
    return {name: plugin.extract(event, name) for name in fields}


def wanted(expected: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in expected.items() if name.startswith("ka.")}


def test_the_host_sees_the_go_plugins_identity(library: Library) -> None:
    facts = library.facts
    assert (facts.name, facts.id, facts.event_source) == ("k8saudit-aks", 21, "k8s_audit")
    assert tuple(map(int, facts.version.split("."))) >= (0, 6, 0)
    with library.init() as plugin:
        assert [param.value for param in plugin.list_open_params()] == ["default"]


def test_the_configuration_of_the_go_plugin_is_taken_as_it_is(library: Library) -> None:
    config = {
        "event_hub_namespace_connection_string": (
            "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=p;SharedAccessKey=a2V5"
        ),
        "event_hub_name": "audit",
        "blob_storage_connection_string": (
            "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=a2V5;"
            "EndpointSuffix=core.windows.net"
        ),
        "blob_storage_container_name": "checkpoints",
        "rate_limit_events_per_second": 100,
        "rate_limit_burst": 200,
        "maxEventSize": 262144,
    }
    with library.init(config):
        pass


def test_every_field_of_every_sample_is_right_live_from_the_hub(
    library: Library, samples: Any, container: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")  # as in a bundle
    with run_in_thread({"audit": 4}) as emulator:
        for number, body in enumerate(samples.bodies + samples.passed_over):
            emulator.call(
                lambda it, body=body, number=number: it.append(
                    "audit", body, partition=str(number % 4)
                )
            )
        config = {
            "event_hub_namespace_connection_string": emulator.connection_string(),
            "event_hub_name": "audit",
            "blob_storage_connection_string": container.azurite.connection_string(),
            "blob_storage_container_name": container.name,
            "starting_position": "earliest",
        }
        lines = Lines()
        seen = {}
        with library.init(config, log=lines) as plugin, plugin.open() as instance:
            for event in instance.events(len(samples.expected), stop=deadline(30)):
                audit_id = plugin.extract(event, "ka.auditid")
                expected = wanted(samples.expected[audit_id])
                assert audit_id not in seen
                seen[audit_id] = read(plugin, event, expected)
                assert seen[audit_id] == expected
        assert seen.keys() == samples.expected.keys()
    steps = [line for line in lines if line.startswith(("opened", "created"))]
    assert steps == [
        "opened connection to blob storage",
        "opened blob checkpoint connection",
        "opened consumer client",
        "created eventhub processor",
    ]


def test_the_host_closes_a_live_stream_quickly_and_the_position_is_kept(
    library: Library, samples: Any, container: Any
) -> None:
    with run_in_thread({"audit": 1}) as emulator:
        config = {
            "event_hub_namespace_connection_string": emulator.connection_string("audit"),
            "blob_storage_connection_string": container.azurite.connection_string(),
            "blob_storage_container_name": container.name,
            "starting_position": "earliest",
        }
        emulator.call(lambda it: it.append("audit", *samples.bodies[:3]))
        with library.init(config) as plugin:
            instance = plugin.open("default")
            events = instance.events(stop=deadline(30))
            seen = [plugin.extract(next(events), "ka.auditid") for _ in range(3)]
            # The host is through with the batch once it asks for the next one.
            instance.next()
            began = time.monotonic()
            instance.close()
            assert time.monotonic() - began < 5.0
        assert seen == ["a0000001-exec", "a0000002-attach", "a0000003-portforward"]
        assert list(container.checkpoints().values()) == [2]


def test_a_replayed_file_gives_its_events_once_and_ends(
    library: Library, samples: Any, tmp_path: Path
) -> None:
    # Bodies of Event Hubs and bare audit events, side by side.
    bare = json.loads(json.loads(samples.bodies[0])["records"][0]["properties"]["log"])
    lines = [*samples.bodies[1:], *samples.passed_over, json.dumps(bare).encode() + b"\n"]
    file = tmp_path / "audit log.jsonl"
    file.write_bytes(b"".join(lines))
    with library.init() as plugin, plugin.open(file.as_uri()) as instance:
        found = {
            plugin.extract(event, "ka.auditid"): plugin.extract(event, "ka.verb")
            for event in instance.events()
        }
        assert instance.ended
    assert found == {key: value["ka.verb"] for key, value in samples.expected.items()}


def test_parameters_that_the_go_plugin_would_not_read_open_the_event_hub(library: Library) -> None:
    lines = Lines()
    with library.init(log=lines) as plugin, pytest.raises(PluginFailedError, match="is missing"):
        plugin.open("aks-prod")
    assert [line for line in lines if "are not used: reading the event hub" in line]


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ("http://localhost:9765/k8s-audit", "expected nothing .* or file:///absolute/path"),
        ("file:///no/such/file.jsonl", "cannot read /no/such/file.jsonl: No such file"),
        ("file://elsewhere/x", "names no file of this machine"),
        ("", "event_hub_namespace_connection_string is missing; expected Endpoint=sb://"),
    ],
)
def test_what_cannot_be_opened_fails_open_with_a_sentence(
    library: Library, params: str, sentence: str
) -> None:
    with library.init() as plugin, pytest.raises(PluginFailedError, match=sentence) as failed:
        plugin.open(params)
    assert failed.value.entry == "open"


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"event_hub_name": ["audit"]}, "event_hub_name"),
        ({"event_hub_nam": "audit"}, "event_hub_name"),
        ({"maxEventSize": "big"}, "maxEventSize"),
    ],
)
def test_a_wrong_key_or_type_is_refused_by_name(
    library: Library, config: dict[str, Any], sentence: str
) -> None:
    with pytest.raises((ConfigError, PluginFailedError), match=sentence):
        library.init(config)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            {"event_hub_namespace_connection_string": "Endpoint=sb://x/;SharedAccessKey=dG9wc2Vj"},
            "has no SharedAccessKeyName and SharedAccessKey",
        ),
        (
            {"event_hub_namespace_connection_string": "dG9wc2Vj"},
            "event_hub_namespace_connection_string is malformed",
        ),
        (
            {"blob_storage_connection_string": "AccountKey=dG9wc2Vj"},
            "blob_storage_connection_string has neither AccountName",
        ),
        ({"starting_position": "dG9wc2Vj"}, "starting_position is none of latest, earliest"),
    ],
)
def test_a_malformed_value_is_refused_by_key_and_not_shown(
    library: Library, config: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(PluginFailedError, match=sentence) as refused:
        library.init(config)
    assert "dG9wc2Vj" not in str(refused.value)


def test_metrics_count_what_was_passed_over(library: Library, samples: Any, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    file.write_bytes(b"".join(samples.passed_over + samples.bodies))
    with library.init() as plugin, plugin.open(file.as_uri()) as instance:
        assert len(list(instance.events())) == len(samples.expected)
        metrics = {metric.name: metric.value for metric in plugin.metrics()}
    assert metrics["n_events"] == len(samples.expected)
    assert metrics["n_bodies"] == len(samples.bodies) + len(samples.passed_over)
    assert metrics["n_bad_bodies"] == 2
    assert metrics["n_records_skipped"] == 7
