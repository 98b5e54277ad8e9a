"""Names of new plugins."""

from __future__ import annotations

import pytest

from falcopy_sdk.exceptions import ProjectError
from falcopy_sdk.scaffold import Names


def test_all_spellings_come_from_the_plugins_name() -> None:
    names = Names("acme-cloud-audit")
    assert names.module == "acme_cloud_audit"
    assert names.klass == "AcmeCloudAudit"
    assert names.prefix == "acme"
    assert names.title == "Acme Cloud Audit"


@pytest.mark.parametrize("name", ["", "Acme", "9lives", "acme--audit", "acme.audit", "a b", "é"])
def test_what_no_plugin_can_be_called_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(ProjectError, match="such as acme-audit"):
        Names(name)


@pytest.mark.parametrize("name", ["json", "lambda", "tests", "falcopy-sdk"])
def test_a_name_that_is_another_python_module_is_refused(name: str) -> None:
    with pytest.raises(ProjectError, match=f"{name}-audit"):
        Names(name)
