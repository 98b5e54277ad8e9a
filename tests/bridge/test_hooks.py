"""The hooks of the control plane, called for a plugin that a host drives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from falcopy_sdk import hooks, init_schema, plugin, source
from falcopy_sdk.hooks import hookimpl


@plugin(
    name="hooked",
    id=999,
    event_source="hooked",
    version="0.1.0",
    description="For tests",
    contact="https://example.org",
)
class Hooked:
    @init_schema
    @dataclass
    class Config:
        level: int = 3

    def __init__(self, config: Config) -> None:
        self.level = config.level

    @source
    def events(self) -> Iterator[bytes]:
        yield b"one"
        yield b"two"


class Witness:
    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []

    @hookimpl
    def falcopy_config_loaded(self, spec: Any, config: Any) -> None:
        self.seen.append(("config", spec.name, config.level))

    @hookimpl
    def falcopy_opened(self, spec: Any, params: str) -> None:
        self.seen.append(("opened", spec.name, params))

    @hookimpl
    def falcopy_closed(self, spec: Any) -> None:
        self.seen.append(("closed", spec.name))


class Failing:
    @hookimpl
    def falcopy_opened(self, params: str) -> None:
        raise RuntimeError("a hook failed")


@pytest.fixture
def registered() -> Iterator[Any]:
    added = []

    def register(implementation: object) -> None:
        hooks.manager().register(implementation)
        added.append(implementation)

    yield register
    for implementation in added:
        hooks.manager().unregister(implementation)


def test_hooks_learn_of_configuration_opening_and_closing_and_of_no_event(
    start: Any, registered: Any
) -> None:
    witness = Witness()
    registered(witness)
    plugin_ = start(Hooked, {"level": 5})
    with plugin_.open("somewhere") as instance:
        assert [event.data for event in instance.events()] == [b"one", b"two"]
    assert witness.seen == [
        ("config", "hooked", 5),
        ("opened", "hooked", "somewhere"),
        ("closed", "hooked"),
    ]


def test_a_hook_that_fails_is_logged_and_stops_nothing(
    opened: Any, log: Any, registered: Any
) -> None:
    registered(Failing())
    _, instance = opened(Hooked)
    assert [event.data for event in instance.events()] == [b"one", b"two"]
    assert any("falcopy_opened" in text and "a hook failed" in text for text in log.texts("ERROR"))
