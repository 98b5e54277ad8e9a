"""Fields with one value, whole lists, and those about users, roles and the request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from falcopy_sdk.host import Library

from .audit_plugin import AuditLines, asking
from .test_fields_declared import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .audit_plugin import Ask

ABSENT = object()
SCALARS = {field.name: field.path for field in FIELDS if field.path and not field.is_list}
LISTS = {
    field.name: field.path for field in FIELDS if field.path and field.is_list and not field.each
}
PLAIN = [field.name for field in FIELDS if not field.argument.is_required]
ASKED = [*PLAIN, "ka.uri.param[a]", "ka.req.binding.subject.has_name[a]"]


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    with asking() as asked:
        yield asked


def with_value(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """An event with the value under the path."""
    for key in reversed(path):
        value = {key: value}
    return {"auditID": "x", **value}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("text", "text"),
        ("", ""),
        ("Zo\u00eb \u65e5\u672c \U0001f600", "Zo\u00eb \u65e5\u672c \U0001f600"),
        ("before\u0000after", "before"),  # a C string ends there
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (403, "403"),
        (1.5, "1.5"),
        (18446744073709551615, "18446744073709551615"),
        ({"b": 1, "a": [None, "x"]}, '{"b":1,"a":[null,"x"]}'),
        ([], "[]"),
        ([" a ", {}], '[" a ",{}]'),
    ],
)
@pytest.mark.parametrize("field", SCALARS)
def test_a_scalar_is_its_text_or_compact_json(ask: Ask, field: str, value: Any, text: str) -> None:
    assert ask(with_value(SCALARS[field], value), field) == text


@pytest.mark.parametrize("field", [*SCALARS, *LISTS])
def test_nothing_above_a_path_but_objects_leads_to_a_value(ask: Ask, field: str) -> None:
    path = (SCALARS | LISTS)[field]
    for depth in range(1, len(path)):
        for wrong in (None, "text", 1, True, [], [{path[depth]: "x"}], {}):
            event = with_value(path[:depth], wrong)
            assert ask(event, field) is None
    if path != ("auditID",):
        assert ask({"auditID": "x"}, field) is None


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", None, 1, {"k": [1]}, "", ["n"]], ["a", "null", "1", '{"k":[1]}', "", '["n"]']),
        ([], None),
        (None, None),
        ("a", None),
        ({"0": "a"}, None),
    ],
)
@pytest.mark.parametrize("field", LISTS)
def test_a_whole_list_has_one_entry_an_element(
    ask: Ask, field: str, value: Any, texts: list[str] | None
) -> None:
    assert ask(with_value(LISTS[field], value), field) == texts


@pytest.mark.parametrize(
    "payload",
    [
        b'{"verb":"get","requestURI":"/x?a=b","user":{"username":"u"}}',
        b'[{"auditID":"x","verb":"get"}]',
        b'"auditID"',
        b"null",
        b'{"AuditID":"x","verb":"get"}',
        b"not json",
        b"",
        b'{"auditID":"x","verb":"\t"}',
    ],
)
def test_without_an_audit_id_no_field_has_a_value(ask: Ask, payload: bytes) -> None:
    assert [field for field in ASKED if ask(payload, field) is not None] == []


def test_an_audit_id_that_is_null_exists(ask: Ask) -> None:
    event = {"auditID": None, "verb": "get"}
    assert ask(event, "ka.auditid") == "null"
    assert ask(event, "ka.verb") == "get"


def test_an_annotation_key_with_dots_and_slashes_is_one_key(ask: Ask) -> None:
    event = {"auditID": "x", "annotations": {"authorization.k8s.io/reason": ""}}
    assert ask(event, "ka.auth.reason") == ""
    split = {"auditID": "x", "annotations": {"authorization": {"k8s": {"io/reason": "x"}}}}
    assert ask(split, "ka.auth.reason") is None


@pytest.mark.parametrize(
    ("ref", "response", "name"),
    [
        ({"resource": "pods", "name": "asked"}, {"metadata": {"name": "given"}}, "given"),
        ({"resource": "pods", "subresource": ""}, {"metadata": {"name": "given"}}, "given"),
        ({"resource": "pods", "subresource": None}, {"metadata": {"name": "given"}}, "given"),
        ({"resource": "pods", "subresource": 1}, {"metadata": {"name": None}}, "null"),
        ({"resource": "pods", "subresource": "exec"}, {"metadata": {"name": "given"}}, None),
        ({"resource": "Pods"}, {"metadata": {"name": "given"}}, None),
        ({"resource": ["pods"]}, {"metadata": {"name": "given"}}, None),
        ({"resource": "pods", "name": "asked"}, {"metadata": {}}, None),
        ({"resource": "pods", "name": "asked"}, None, None),
        (None, {"metadata": {"name": "given"}}, None),
        ([{"resource": "pods"}], {"metadata": {"name": "given"}}, None),
    ],
)
def test_the_pods_name_is_that_of_the_response(
    ask: Ask, ref: Any, response: Any, name: str | None
) -> None:
    event = {"auditID": "x", "objectRef": ref, "responseObject": response}
    assert ask(event, "ka.target.pod.name") == name


SUBJECTS = [
    {"kind": "User", "name": "alice"},
    {"kind": "ServiceAccount", "name": "web", "namespace": "shop"},
    {"kind": "Group", "name": "ops"},
    {"kind": "ServiceAccount", "name": "bare"},
    {"kind": "ServiceAccount", "name": None, "namespace": None},
    {"kind": "user", "name": "lower"},
    {"kind": "User"},
    {"name": "nokind"},
    {"kind": None, "name": "null"},
    {"kind": "User", "name": {"k": 1}},
    "User",
    [{"kind": "User", "name": "nested"}],
    None,
]


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("user_names", ["alice", '{"k":1}']),
        ("serviceaccount_names", ["web", "bare", "null"]),
        ("serviceaccount_ns_names", ["shop:web", "null:null"]),
        ("group_names", ["ops"]),
    ],
)
def test_subjects_are_told_apart_by_kind(ask: Ask, field: str, names: list[str]) -> None:
    name = f"ka.req.binding.subjects.{field}"
    assert ask({"auditID": "x", "requestObject": {"subjects": SUBJECTS}}, name) == names
    for wrong in ([], None, {}, "User", {"kind": "User", "name": "alice"}):
        assert ask({"auditID": "x", "requestObject": {"subjects": wrong}}, name) is None
    assert ask({"auditID": "x", "requestObject": [{"subjects": SUBJECTS}]}, name) is None


def test_has_name_is_always_true(ask: Ask) -> None:
    for key in ("alice", '"no such"', "0"):
        assert ask({"auditID": "x"}, f"ka.req.binding.subject.has_name[{key}]") == "true"


RULES = [
    {"verbs": ["get", "list"], "resources": ["pods"], "apiGroups": [""]},
    {"verbs": ["*", None, 1], "nonResourceURLs": ["/metrics"]},
    {"verbs": None, "resources": "pods"},
    {},
    None,
]


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("verbs", ["get", "list", "*", "null", "1"]),
        ("verbs[1]", ["*", "null", "1"]),
        ("verbs[2]", None),
        ("verbs[3]", None),
        ("verbs[5]", None),
        ("resources", ["pods"]),
        ("apiGroups", [""]),
        ("apiGroups[0]", [""]),
        ("nonResourceURLs", ["/metrics"]),
        ("nonResourceURLs[0]", None),
    ],
)
def test_the_rules_of_a_role_are_one_flat_list(
    ask: Ask, field: str, values: list[str] | None
) -> None:
    event = {"auditID": "x", "requestObject": {"rules": RULES}}
    assert ask(event, f"ka.req.role.rules.{field}") == values


def test_one_rule_that_is_no_array_counts_as_the_rule(ask: Ask) -> None:
    event = {"auditID": "x", "requestObject": {"rules": RULES[0]}}
    assert ask(event, "ka.req.role.rules.verbs") == ["get", "list"]
    assert ask(event, "ka.req.role.rules.verbs[7]") == ["get", "list"]
    for wrong in ([], None, "get"):
        event = {"auditID": "x", "requestObject": {"rules": wrong}}
        assert ask(event, "ka.req.role.rules.verbs") is None


def test_source_addresses_are_the_events_own(ask: Ask) -> None:
    event = {
        "auditID": "x",
        "sourceIPs": ["10.0.0.1", "2001:db8::1", None],
        "requestObject": {"rules": [{"sourceIPs": ["192.0.2.1"]}]},
    }
    assert ask(event, "ka.sourceips") == ["10.0.0.1", "2001:db8::1", "null"]
    assert ask(event, "ka.sourceips[1]") == ["2001:db8::1"]
    assert ask(event, "ka.sourceips[3]") is None
    for wrong in ([], None, "10.0.0.1"):
        assert ask({"auditID": "x", "sourceIPs": wrong}, "ka.sourceips") is None


@pytest.mark.parametrize(
    ("members", "text"),
    [
        (
            {
                "verb": "create",
                "user": {
                    "username": "aksService",
                    "groups": ["system:masters", "system:authenticated"],
                },
            },
            "verb=create, user=aksService, groups=(system:masters,system:authenticated), "
            "target=<NA>",
        ),
        (
            {"objectRef": {"resource": "pods", "namespace": "shop", "name": "web"}},
            "verb=<NA>, user=<NA>, groups=<NA>, target=shop/pods/web",
        ),
        (
            {"objectRef": {"resource": "nodes", "name": "n1", "namespace": ""}},
            "verb=<NA>, user=<NA>, groups=<NA>, target=nodes/n1",
        ),
        (
            {"verb": "list", "objectRef": {"resource": "pods", "namespace": "shop"}},
            "verb=list, user=<NA>, groups=<NA>, target=shop/pods/<NA>",
        ),
        (
            {"verb": None, "user": {"username": "", "groups": []}, "objectRef": {"name": "n"}},
            "verb=null, user=, groups=<NA>, target=<NA>",
        ),
        ({"user": "u", "objectRef": []}, "verb=<NA>, user=<NA>, groups=<NA>, target=<NA>"),
    ],
)
def test_the_request_in_one_line(ask: Ask, members: dict[str, Any], text: str) -> None:
    assert ask({"auditID": "x", **members}, "ka.req") == text


def test_the_raw_event_is_its_text_unchanged(tmp_path: Any) -> None:
    event = {
        "kind": "Event",
        "auditID": "x",
        "stageTimestamp": "2024-05-01T12:34:56.5Z",
        "verb": "\u00e9",
    }
    path = tmp_path / "audit.log"
    path.write_bytes(orjson.dumps(event, option=orjson.OPT_INDENT_2).replace(b"\n", b" ") + b"\n")
    with (
        Library.from_class(AuditLines) as library,
        library.init() as loaded,
        loaded.open(str(path)) as instance,
    ):
        seen = [
            (loaded.event_to_string(each), each.ts, loaded.extract(each, "ka.verb"))
            for each in instance.events()
        ]
    assert seen == [(orjson.dumps(event).decode(), 1714566896500000000, "\u00e9")]
