"""The fields a host is told of: those of the Go plugins, in their order, and ours after them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from k8saudit.fieldtable import GO_FIELDS, field_rows
from k8saudit_aks.fieldtable import document
from k8saudit_aks.plugin import K8sAuditAks

from falcopy_sdk import plugin_spec

from .audit_plugin import AuditLines

FIELDS = plugin_spec(AuditLines).fields
HERE = Path(__file__).parent
# name, type, list or not, argument, rule; the Go plugins' declaration order.
DECLARED = json.loads((HERE / "declared_fields.json").read_text())


def test_the_go_plugins_fields_come_first_and_then_ours() -> None:
    assert [field.name for field in FIELDS[: len(DECLARED)]] == [row[0] for row in DECLARED]
    assert [field.name for field in FIELDS[len(DECLARED) :]] == ["ka.req"]
    assert len(DECLARED) == 100


@pytest.mark.parametrize(
    ("place", "row"), list(enumerate(DECLARED)), ids=[row[0] for row in DECLARED]
)
def test_a_field_has_the_type_and_argument_of_the_go_plugins(place: int, row: list[object]) -> None:
    name, type_, is_list, argument, _ = row
    field = FIELDS[place]
    assert (field.name, field.type.value, field.is_list) == (name, type_, is_list)
    taken = field.argument
    assert (taken.is_key, taken.is_index, taken.is_required) == {
        "": (False, False, False),
        "index": (False, True, False),
        "key!": (True, False, True),
    }[str(argument)]
    assert field.desc
    assert not field.add_output


def test_what_a_path_says_is_declarative() -> None:
    rules = {row[0]: row[4] for row in DECLARED}
    for field in FIELDS[:100]:
        if rules[field.name] in ("R1", "R2"):
            assert field.path is not None, field.name
            assert not field.each, field.name
        elif field.path is not None:
            assert field.each, field.name


def test_the_table_of_fields_in_the_documentation_is_current() -> None:
    written = (HERE.parent / "FIELDS.md").read_text()
    assert written == document(), "run python -m k8saudit_aks.fieldtable FIELDS.md"


def test_the_documentation_tells_our_fields_from_those_of_the_go_plugins() -> None:
    theirs, ours = document().split("## New fields")
    declared = plugin_spec(K8sAuditAks).fields
    assert len(DECLARED) == GO_FIELDS
    assert field_rows(declared[:GO_FIELDS]) in theirs
    assert field_rows(declared[GO_FIELDS:]) in ours
    assert [field.name.split(".")[0] for field in declared[GO_FIELDS:]] == ["ka"] + ["aks"] * 8


def test_the_readme_lists_our_fields() -> None:
    ours = plugin_spec(K8sAuditAks).fields[GO_FIELDS:]
    assert field_rows(ours) in (HERE.parent / "README.md").read_text()


def test_the_fields_know_nothing_of_azure() -> None:
    for module in (HERE.parent / "k8saudit").glob("*.py"):
        text = module.read_text().lower()
        assert "k8saudit_aks" not in text, module
        assert "import azure" not in text, module
        assert "from azure" not in text, module
