"""Every field over many events: what a host gets, against the rules in other words."""

from __future__ import annotations

import gc
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from k8saudit_aks.plugin import K8sAuditAks

from falcopy_sdk import plugin_spec
from falcopy_sdk.host import Library

from . import corpus
from .oracle import expected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from falcopy_sdk.host import Plugin

#: All there are: those of Kubernetes and, after them, those of Azure.
FIELDS = plugin_spec(K8sAuditAks).fields
EVENTS = corpus.events(2400)
KEYS = {
    "ka.uri.param": ("command", "container", "watch", "continue", "tty", "nowhere"),
    "ka.req.binding.subject.has_name": ("a",),
    "ka.req.volume.hostpath": ("/etc", "/var/*", "/nowhere", "0"),
}
BEYOND = 2**63 - 1
INDEXES = (None, 0, 1, BEYOND)
#: What no event has: a parameter, and parameters beside a pair that voids them all.
NOWHERE = {"ka.uri.param[nowhere]", "ka.uri.param[continue]"}


@pytest.fixture(scope="module")
def said() -> list[str]:
    """What the plugin has logged: a field that raises says so, and has no value."""
    return []


@pytest.fixture(scope="module")
def loaded(said: list[str]) -> Iterator[Plugin]:
    def log(component: str | None, message: str, severity: int) -> None:
        said.append(message)

    gc.collect()  # what other tests left open complains when it is found, and in this log
    with Library.from_class(K8sAuditAks) as library, library.init(log=log) as plugin:
        yield plugin


def questions() -> list[tuple[str, str, Any, Any]]:
    """What is asked, field, argument, the type of a value."""
    asked: list[tuple[str, str, Any, Any]] = []
    for field in FIELDS:
        arguments: tuple[Any, ...] = (None,)
        if field.argument.is_key:
            arguments = KEYS[field.name]
        elif field.argument.is_index:
            arguments = INDEXES
        for argument in arguments:
            text = field.name if argument is None else f"{field.name}[{argument}]"
            type_ = list if field.is_list else {"string": str, "uint64": int}[field.type.value]
            asked.append((text, field.name, argument, type_))
    return asked


QUESTIONS = questions()


def test_every_field_of_every_event_is_as_the_rules_say(loaded: Plugin, said: list[str]) -> None:
    with_value: Counter[str] = Counter()
    walked = set()
    for decoded in EVENTS:
        event = loaded.event(orjson.dumps(decoded))
        for text, name, argument, _ in QUESTIONS:
            value = loaded.extract(event, text)
            if value != expected(decoded, name, argument):
                pytest.fail(f"{text} is {value!r} in {orjson.dumps(decoded).decode()}")
            walked.add(name)
            with_value[text] += value is not None
    assert walked == {field.name for field in FIELDS}
    within = {text for text, _, argument, _ in QUESTIONS if argument != BEYOND}
    assert {text for text in within if not with_value[text]} == NOWHERE
    assert [text for text in with_value if with_value[text] == len(EVENTS)] == []
    assert said == []


KEYS_IN_EVENTS = sorted(
    {"auditID", "user", "username", "requestURI", "sourceIPs", "annotations"}
    | {"requestObject", "spec", "securityContext", "runAsUser", "capabilities", "add"}
    | {"containers", "initContainers", "ephemeralContainers", "name", "image", "command", "args"}
    | {"ports", "hostPort", "containerPort", "volumes", "hostPath", "path", "rules", "verbs"}
    | {"subjects", "kind", "namespace", "groups", "objectRef", "resource", "subresource"}
    | {"responseObject", "metadata"}
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(("pods", "User", "ServiceAccount", "/x?a=b", "/x?a=%zz")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS_IN_EVENTS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)
SHAPED = st.fixed_dictionaries(
    {"auditID": JSON},
    optional={
        "requestObject": JSON
        | st.fixed_dictionaries(
            {"spec": JSON | st.fixed_dictionaries({"containers": JSON, "volumes": JSON})}
        )
        | st.fixed_dictionaries({"rules": JSON, "subjects": JSON}),
        "requestURI": JSON,
        "objectRef": JSON,
        "user": JSON,
        "sourceIPs": JSON,
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(event=JSON | SHAPED)
def test_no_json_makes_a_field_fail_or_change_its_type(
    loaded: Plugin, said: list[str], event: Any
) -> None:
    seen = loaded.event(orjson.dumps(event))
    for text, _, _, type_ in [*QUESTIONS, ("ka.uri.param[a]", "", "a", str)]:
        value = loaded.extract(seen, text)
        if value is None:
            continue
        assert isinstance(event, dict)
        assert "auditID" in event
        assert type(value) is type_
        if type_ is list:
            assert value
            assert all(type(entry) is str for entry in value)
    assert said == []
