"""Names of new plugins."""

from __future__ import annotations

import pytest

from falcopy_sdk.exceptions import AnswerError
from falcopy_sdk.scaffold import Names


def test_all_spellings_come_from_the_plugins_name() -> None:
    names = Names("acme-cloud-audit")
    assert names.module == "acme_cloud_audit"
    assert names.klass == "AcmeCloudAudit"
    assert names.prefix == "acme"
    assert names.title == "Acme Cloud Audit"


@pytest.mark.parametrize("name", ["", "Acme", "9lives", "acme--audit", "acme.audit", "a b", "é"])
def test_what_no_plugin_can_be_called_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(AnswerError, match="such as acme-audit"):
        Names(name)


@pytest.mark.parametrize(
    "name", ["json", "lambda", "tests", "falcopy-sdk", "project", "pytest", "none", "type-error"]
)
def test_a_name_that_python_or_every_project_has_already_is_refused(name: str) -> None:
    with pytest.raises(AnswerError, match=f"{name}-audit"):
        Names(name)


def test_a_name_that_fits_no_line_of_the_templates_is_refused() -> None:
    assert Names("a" * 30).module == "a" * 30
    with pytest.raises(AnswerError, match="has 31 characters; take one with at most 30"):
        Names("a" * 31)
