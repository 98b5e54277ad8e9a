"""Settings of pytest for this project's tests."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # A host that closes the source does not wait long: the listing of a folder may end half-way.
    config.addinivalue_line("filterwarnings", "ignore:unclosed scandir iterator:ResourceWarning")
