"""The chroot with the real hosts, or a reason to skip."""

from __future__ import annotations

import os

import pytest

from .chroot import Chroot, UnavailableError
from .hosts import Strato, Sysdig


@pytest.fixture(scope="session")
def chroot() -> Chroot:
    """The chroot; skips where there is none, unless FALCOPY_REQUIRE_REAL_HOSTS=1."""
    try:
        return Chroot.find()
    except UnavailableError as reason:
        if os.environ.get("FALCOPY_REQUIRE_REAL_HOSTS") == "1":
            raise
        pytest.skip(f"no real hosts: {reason}")


@pytest.fixture
def sysdig(chroot: Chroot, tmp_path: os.PathLike[str]) -> Sysdig:
    return Sysdig(chroot, tmp_path)


@pytest.fixture
def strato(chroot: Chroot, tmp_path: os.PathLike[str]) -> Strato:
    return Strato(chroot, tmp_path)
