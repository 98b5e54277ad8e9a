"""A registry for the pages that publish."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of a real registry on this machine."""
    path = Path(__file__).parents[1] / "oci" / "registries.py"
    spec = importlib.util.spec_from_file_location("registries_of_pages", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    with module.running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running.host
