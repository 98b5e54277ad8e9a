"""The demonstration's verdict: it must not be easy to please."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

DEMO = Path(__file__).parents[1] / "demo"


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(DEMO))
    spec = importlib.util.spec_from_file_location("k8saudit_aks_demo", DEMO / "demonstration.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_sent_is_mixed_and_goes_to_every_partition(demo: Any) -> None:
    bodies = demo.plan(demo.ROUNDS, demo.PARTITIONS)
    ids = [audit_id for body in bodies for audit_id in body.audit_ids]
    assert len(ids) >= 40
    assert len(set(ids)) == len(ids)
    assert {body.partition for body in bodies if body.audit_ids} == {"0", "1", "2", "3"}
    assert any(not body.audit_ids for body in bodies)
    for body in bodies:
        for audit_id in body.audit_ids:
            assert body.data.count(audit_id.encode()) == 1


@pytest.mark.parametrize(
    ("seen", "error", "code"),
    [
        ({"a": 1, "b": 1}, None, 0),
        ({"a": 1}, None, 1),
        ({}, None, 1),
        ({"a": 1, "b": 2}, None, 1),
        ({"a": 1, "b": 1, "c": 1}, None, 1),
        ({"a": 1, "b": 1}, OSError("no connection"), 1),
    ],
)
def test_only_every_record_exactly_once_is_a_success(
    demo: Any, seen: dict[str, int], error: Exception | None, code: int
) -> None:
    origin = {"a": "0", "b": "1"}
    assert demo.report(Path("lib.so"), [], origin, Counter(seen), error) == code


def test_the_falco_yaml_to_paste_loads_the_plugin(demo: Any) -> None:
    text = demo.falco_yaml(Path("/opt/libk8saudit-aks.so"))
    assert "library_path: /opt/libk8saudit-aks.so" in text
    assert "load_plugins: [k8saudit-aks, json]" in text
