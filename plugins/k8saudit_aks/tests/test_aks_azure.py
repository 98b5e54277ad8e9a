"""What Azure knows of an event: inside the event's bytes, as fields, and beside nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from k8saudit_aks.plugin import K8sAuditAks
from k8saudit_aks.rejects import HubPlace, LinePlace

from falcopy_sdk import plugin_spec
from falcopy_sdk.host import Library

from .reading import Reading, audit, record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from falcopy_sdk import Event
    from falcopy_sdk.host import Plugin

ID = (
    "/SUBSCRIPTIONS/3F2504E0-4F89-41D3-9A0C-0305E82C3301/RESOURCEGROUPS/SHOP-PROD/PROVIDERS/"
    "MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/SHOP-WESTEUROPE"
)
PLACE = HubPlace("7", "42949673232", 881)
FIELDS = {
    "aks.resource_id": ID,
    "aks.cluster_name": "shop-westeurope",
    "aks.resource_group": "shop-prod",
    "aks.subscription_id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "aks.category": "kube-audit",
    "aks.partition": "7",
    "aks.offset": "42949673232",
    "aks.sequence_number": 881,
}


@pytest.fixture(scope="module")
def plugin() -> Iterator[Plugin]:
    with Library.from_class(K8sAuditAks) as library, library.init() as loaded:
        yield loaded


def read(plugin: Plugin, event: Event) -> dict[str, Any]:
    """The fields that have a value, of the bytes alone: as another host sees the event."""
    values = {name: plugin.extract(plugin.event(event.data), name) for name in FIELDS}
    return {name: value for name, value in values.items() if value is not None}


def only(body: Any, place: Any = PLACE) -> Event:
    [event] = Reading().events(body, place)
    return event


def test_every_field_of_ours_is_read_from_the_bytes_of_an_event(plugin: Plugin) -> None:
    assert read(plugin, only({"records": [record("a", resourceId=ID)]})) == FIELDS


def test_what_is_decoded_beside_an_event_is_what_its_bytes_say() -> None:
    body = {
        "records": [
            record("a", resourceId=ID),
            record("b"),
            {"properties": record("c")["properties"]},
        ]
    }
    for event in Reading().events(body, PLACE):
        assert orjson.loads(event.data) == event.json
        assert list(event.json)[-1] == "azure"


def test_the_rest_of_an_event_stays_as_it_is() -> None:
    plain = audit("a", requestObject={"z": 1, "a": [1, {"b": None}]}, verb="create")
    log = {"category": "kube-audit", "properties": {"log": json.dumps(plain)}}
    event = only({"records": [log]})
    assert event.data.startswith(orjson.dumps(plain)[:-1] + b',"azure":{"category":')
    assert {name: value for name, value in event.json.items() if name != "azure"} == plain


def test_a_file_gives_what_is_in_the_body(plugin: Plugin) -> None:
    event = only({"records": [record("a", resourceId=ID)]}, LinePlace("/a", 1))
    hub_only = {"aks.partition", "aks.offset", "aks.sequence_number"}
    assert read(plugin, event) == {k: v for k, v in FIELDS.items() if k not in hub_only}


def test_a_file_of_audit_events_gives_what_an_earlier_stream_noted(plugin: Plugin) -> None:
    noted = only({"records": [record("a", resourceId=ID)]})
    [again] = Reading().reader.read_line(noted.data, LinePlace("/a", 1))
    assert again.data == noted.data
    [plain] = Reading().reader.read_line(orjson.dumps(audit("a")), LinePlace("/a", 1))
    assert read(plugin, plain) == {}


@pytest.mark.parametrize(
    ("resource_id", "named"),
    [
        (
            "/subscriptions/S-1/resourceGroups/Shop/providers/Microsoft.ContainerService/"
            "managedClusters/Web",
            ("web", "shop", "s-1"),
        ),
        (
            "/subscriptions/s/resourcegroups/g/providers/Microsoft.Kubernetes/connectedClusters/c",
            ("c", "g", "s"),
        ),
        (
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/fleets/f",
            (None, "g", "s"),
        ),
        ("/subscriptions/s", (None, None, "s")),
        ("shop-westeurope", (None, None, None)),
        ("", (None, None, None)),
    ],
)
def test_the_parts_of_a_resource_id_are_read_in_any_spelling(
    plugin: Plugin, resource_id: str, named: tuple[str | None, ...]
) -> None:
    fields = read(plugin, only({"records": [record("a", resourceId=resource_id)]}))
    parts = ("aks.cluster_name", "aks.resource_group", "aks.subscription_id")
    assert fields["aks.resource_id"] == resource_id
    assert tuple(fields.get(part) for part in parts) == named


@pytest.mark.parametrize("odd", [None, 17, ["x"], {"a": 1}])
def test_a_resource_id_that_is_no_text_is_none(plugin: Plugin, odd: Any) -> None:
    fields = read(plugin, only({"records": [record("a", resourceId=odd)]}))
    assert "aks.resource_id" not in fields
    assert fields["aks.category"] == "kube-audit"


def test_an_event_cannot_claim_to_be_from_elsewhere(plugin: Plugin) -> None:
    forged = {"azure": {"resourceId": "/other", "clusterName": "other", "partition": "1"}}
    log = {"properties": {"log": json.dumps(audit("a") | forged)}}
    event = only({"records": [log]})
    assert event.data.count(b'"azure"') == 1
    hub_only = {"aks.partition", "aks.offset", "aks.sequence_number"}
    assert read(plugin, event) == {k: v for k, v in FIELDS.items() if k in hub_only}
    [replayed] = Reading().reader.read_line(orjson.dumps(log), LinePlace("/a", 1))
    assert read(plugin, replayed) == {}


def test_the_size_limit_is_about_the_event_alone() -> None:
    plain = orjson.dumps(audit("a"))
    body = {"records": [record("a", resourceId=ID)]}
    assert Reading(max_event_size=len(plain)).body(body) == ["a"]
    assert Reading(max_event_size=len(plain) - 1).body(body) == []


def test_an_event_without_audit_id_has_no_fields(plugin: Plugin) -> None:
    nameless = {"kind": "Event", "stageTimestamp": "2026-02-03T04:05:06Z"}
    event = only({"records": [record("a") | {"properties": {"log": json.dumps(nameless)}}]})
    assert read(plugin, event) == {}


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
MEMBERS = st.dictionaries(
    st.sampled_from(["resourceId", "clusterName", "category", "offset", "sequenceNumber"]), ODD
)


@settings(max_examples=200, deadline=None)
@given(member=ODD | MEMBERS)
def test_no_file_makes_a_field_fail_or_change_its_type(plugin: Plugin, member: Any) -> None:
    event = plugin.event(orjson.dumps(audit("a", azure=member)))
    for name, example in FIELDS.items():
        value = plugin.extract(event, name)
        assert value is None or type(value) is type(example), name


@settings(max_examples=100, deadline=None)
@given(resource_id=ODD, category=ODD.filter(lambda odd: not isinstance(odd, str)))
def test_no_record_makes_reading_fail(plugin: Plugin, resource_id: Any, category: Any) -> None:
    body = orjson.dumps(record("a") | {"resourceId": resource_id, "category": category})
    [event] = Reading().events(body, PLACE)
    assert orjson.loads(event.data) == event.json
    assert read(plugin, event)["aks.partition"] == "7"


def test_the_fields_stand_after_those_of_kubernetes() -> None:
    names = [field.name for field in plugin_spec(K8sAuditAks).fields]
    assert names[100:] == ["ka.req", *FIELDS]
