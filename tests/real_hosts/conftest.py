"""The chroot with the real hosts, or a reason to skip; the reference plugin in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .chroot import Chroot
from .hosts import Plugin, Strato

SAMPLES = Path(__file__).parents[2] / "plugins" / "k8saudit_aks" / "samples"


@pytest.fixture
def strato(chroot: Chroot, tmp_path: Path) -> Strato:
    return Strato(chroot, tmp_path)


@pytest.fixture
def k8saudit_aks(k8saudit_aks_library: Path, tmp_path: Path) -> Plugin:
    """The library, alone, where the hosts see it."""
    return Plugin.install(k8saudit_aks_library, "k8saudit-aks", tmp_path)


@dataclass(frozen=True)
class Samples:
    """AKS audit records as Event Hubs delivers them, and what each must give."""

    bodies: tuple[bytes, ...]
    #: Bodies without an audit event: malformed, or other logs.
    passed_over: tuple[bytes, ...]
    #: auditID -> field -> value; only the fields that say something about this event.
    expected: dict[str, dict[str, Any]]

    @property
    def fields(self) -> list[str]:
        """Every field that is expected of some event."""
        return sorted({field for event in self.expected.values() for field in event})

    def write_lines(self, path: Path, bodies: tuple[bytes, ...] | None = None) -> None:
        """Writes a file to replay, a body a line."""
        lines = self.bodies if bodies is None else bodies
        path.write_bytes(b"".join(body.replace(b"\n", b" ") + b"\n" for body in lines))

    def check(self, events: list[dict[str, Any]]) -> None:
        """Compares what a host printed with what was sent: every event once, every field right."""
        assert sorted(event["ka.auditid"] for event in events) == sorted(self.expected)
        for event in events:
            expected = self.expected[event["ka.auditid"]]
            assert {field: event[field] for field in expected} == expected


@pytest.fixture(scope="session")
def samples() -> Samples:
    def read(folder: str) -> tuple[bytes, ...]:
        return tuple(path.read_bytes() for path in sorted((SAMPLES / folder).iterdir()))

    expected = json.loads((SAMPLES / "expected.json").read_text(encoding="utf-8"))["events"]
    return Samples(
        read("bodies"),
        read("passed_over"),
        {
            audit_id: {name: value for name, value in event.items() if name.startswith("ka.")}
            for audit_id, event in expected.items()
        },
    )
