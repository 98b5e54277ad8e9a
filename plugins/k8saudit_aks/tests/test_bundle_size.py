"""The budgets of the built plugin: what users download, and what it takes on their disks."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_the_built_plugin_is_within_its_budgets(k8saudit_aks_library: Path) -> None:
    data = k8saudit_aks_library.read_bytes()
    assert len(data) <= 60_000_000
    # As its layer is packed; the tar around it adds a kilobyte.
    assert len(gzip.compress(data, 9)) <= 20_000_000
