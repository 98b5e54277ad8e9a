"""init, destroy, metrics, async events, capture listening and the rest, as hosts call them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from falcopy_sdk import (
    Event,
    Metric,
    OpenParam,
    Secret,
    async_events,
    capture_close,
    capture_open,
    dump_state,
    event_to_string,
    extract,
    init_schema,
    metrics,
    open_params,
    parse,
    plugin,
    progress,
    set_config,
    source,
)
from falcopy_sdk.exceptions import ConfigError, PluginFailedError
from falcopy_sdk.host import Library

ABOUT = {"version": "0.1.0", "description": "For tests", "contact": "https://example.org"}


@plugin(name="whole", id=999, event_source="whole", **ABOUT)
class Whole:
    """Every capability at once."""

    @init_schema
    @dataclass
    class Config:
        token: Secret
        greeting: str = "hello"

    closed: ClassVar[list[str]] = []

    def __init__(self, config: Config) -> None:
        self.config = config
        self.parsed = 0
        self.captures: list[str] = []
        self.stop = threading.Event()

    def close(self) -> None:
        self.closed.append(self.config.greeting)

    @source
    def events(self, params: str) -> Iterator[bytes]:
        for i in range(int(params or 3)):
            yield b'{"i":%d}' % i

    @extract("w.greeting")
    def greeting(self, event: Event) -> str:
        """Greeting"""
        return self.config.greeting

    @extract("w.parsed", cache=False)
    def parsed_so_far(self, event: Event) -> int:
        """Parsed"""
        return self.parsed

    @parse
    def on_event(self, event: Event) -> None:
        self.parsed += 1

    @event_to_string
    def text(self, event: Event) -> str:
        return f"event {event.json['i']}"

    @open_params
    def params(self) -> list[OpenParam]:
        return [OpenParam("3", desc="three")]

    @progress
    def how_far(self) -> tuple[float, str]:
        return 0.25, "a quarter"

    @metrics
    def figures(self) -> dict[str, Metric | int | float]:
        return {"parsed": Metric(self.parsed, monotonic=True), "load": 0.5, "below": -3}

    @set_config
    def reconfigure(self, config: Config) -> None:
        self.config = config

    @async_events("tick", "dumped")
    def ticking(self, emit: Any) -> None:
        i = 0
        while not emit.wait(0.01):
            emit("tick", b"%d" % i)
            i += 1

    @dump_state
    def dump(self, emit: Any) -> None:
        emit("dumped", b"state")

    @capture_open
    def opened(self) -> None:
        self.captures.append("open")

    @capture_close
    def closed_capture(self) -> None:
        self.captures.append("close")


CONFIG = {"token": "t0k3n"}


def test_every_capability_answers(opened: Any) -> None:
    plugin_, instance = opened(Whole, CONFIG, params="1000000")
    own = []
    ticks = []
    while len(own) < 3 or len(ticks) < 2:
        event = instance.next()
        if event is None:
            continue
        (ticks if event.type == 402 else own).append(event.copy())
        if event.type == 322:
            assert plugin_.extract(event, "w.greeting") == "hello"
            assert plugin_.extract(event, "w.parsed") == len(own)
            assert plugin_.event_to_string(event) == f"event {len(own) - 1}"
    assert instance.progress() == (0.25, "a quarter")
    assert [p.value for p in plugin_.list_open_params()] == ["3"]
    found = {m.name: m for m in plugin_.metrics()}
    assert {name: metric.value for name, metric in found.items()} == {
        "parsed": len(own),
        "load": 0.5,
        "below": -3,
    }
    plugin_.set_config({"token": "other", "greeting": "bye"})
    assert plugin_.extract(own[0], "w.greeting") == "bye"
    for _ in range(50):  # the ticks go on meanwhile, and to where they belong
        assert [e.data for e in plugin_.dump_state()] == [b"state"]


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({}, "token"),
        ({"token": "x", "greting": "y"}, "greeting"),
        ({"token": ["s3cr3t"]}, "token"),
        ("{not json", "JSON"),
    ],
)
def test_a_wrong_configuration_fails_init_with_a_sentence_and_without_the_secret(
    start: Any, config: Any, sentence: str
) -> None:
    with pytest.raises((ConfigError, PluginFailedError), match=sentence) as caught:
        start(Whole, config)
    assert "s3cr3t" not in str(caught.value)


@plugin(name="leaking", id=999, event_source="leaking", **ABOUT)
class Leaking:
    """Puts its secret where it must not be."""

    @init_schema
    @dataclass
    class Config:
        tokens: list[Secret]
        at_once: bool = False

    def __init__(self, config: Config) -> None:
        self.token = config.tokens[0].reveal()
        if config.at_once:
            raise ValueError(f"cannot log in with {self.token}")

    @source
    def events(self) -> Iterator[bytes]:
        logging.getLogger("mine").warning("using %s", self.token)
        yield b"{}"
        raise ConnectionError(f"refused {self.token}")

    @extract("l.field")
    def field(self, event: Event) -> str:
        """Field"""
        raise KeyError(self.token)


def test_a_revealed_secret_is_masked_in_errors_and_logs(start: Any, log: Any) -> None:
    config = {"tokens": ["hunter2-secret"]}
    with pytest.raises(PluginFailedError, match=r"cannot log in with \*\*\*") as failed:
        start(Leaking, config | {"at_once": True})
    assert "hunter2" not in str(failed.value)
    plugin_ = start(Leaking, config)
    with plugin_.open() as instance:
        (event,) = instance.events(limit=1)
        assert plugin_.extract(event, "l.field") is None
        while not any("trying again" in text for text in log.texts("WARNING")):
            instance.next()
    assert any(text == "using ***" for text in log.texts("WARNING"))
    assert "hunter2" not in repr(log)


def test_a_constructor_that_raises_fails_init_with_its_text(start: Any) -> None:
    @plugin(name="broken", id=999, event_source="broken", **ABOUT)
    class Broken:
        def __init__(self) -> None:
            raise OSError("no such device")

        @source
        def events(self) -> Iterator[bytes]:
            yield b""

    globals()["Broken"] = Broken
    Broken.__qualname__ = "Broken"
    with pytest.raises(PluginFailedError, match="OSError: no such device"):
        start(Broken)


def test_close_of_the_plugin_is_called_once_at_destroy(start: Any) -> None:
    Whole.closed.clear()
    plugin_ = start(Whole, CONFIG | {"greeting": "mine"})
    plugin_.close()
    assert Whole.closed == ["mine"]


def test_two_states_stream_at_the_same_time_in_two_threads() -> None:
    problems: list[BaseException] = []

    def stream(greeting: str) -> None:
        try:
            with (
                Library.from_class(Whole) as library,
                library.init(CONFIG | {"greeting": greeting}, log=lambda *_: None) as plugin_,
                plugin_.open("3000") as instance,
            ):
                count = 0
                for event in instance.events():
                    if event.type == 322:
                        assert plugin_.extract(event, "w.greeting") == greeting
                        count += 1
                assert count == 3000
        except BaseException as problem:  # noqa: BLE001 - carried to the test's own thread
            problems.append(problem)

    threads = [threading.Thread(target=stream, args=(f"g{i}",)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []


def test_metrics_are_read_from_eight_threads_during_a_stream(opened: Any) -> None:
    plugin_, instance = opened(Whole, CONFIG, params="5000")
    problems: list[BaseException] = []
    stop = threading.Event()

    def scrape() -> None:
        try:
            while not stop.is_set():
                assert {m.name for m in plugin_.metrics()} == {"parsed", "load", "below"}
        except BaseException as problem:  # noqa: BLE001 - carried to the test's own thread
            problems.append(problem)

    threads = [threading.Thread(target=scrape) for _ in range(8)]
    for thread in threads:
        thread.start()
    count = sum(1 for event in instance.events() if event.type == 322)
    stop.set()
    for thread in threads:
        thread.join(30)
    assert count == 5000
    assert problems == []


def test_init_and_destroy_beside_a_running_state(opened: Any) -> None:
    """As the dry run of a hot reload does."""
    plugin_, instance = opened(Whole, CONFIG, params="2000")
    seen = 0
    for event in instance.events():
        if event.type != 322:
            continue
        seen += 1
        if seen % 200 == 0:
            with (
                Library.from_class(Whole) as library,
                library.init(CONFIG | {"greeting": "dry"}, log=lambda *_: None),
            ):
                pass
        assert plugin_.extract(event, "w.greeting") == "hello"
    assert seen == 2000


def test_late_calls_after_close_are_harmless(start: Any) -> None:
    from falcopy_sdk.abi import ffi
    from falcopy_sdk.runtime import _bridge

    table = ffi.cast("struct falcopy_bridge *", _bridge.table_address())
    plugin_ = start(Whole, CONFIG)
    state = plugin_.state
    table.close(state, ffi.NULL)
    assert table.set_async_event_handler(state, ffi.NULL, ffi.NULL) == 0
    assert table.set_async_event_handler(state, ffi.NULL, ffi.NULL) == 0
    count = ffi.new("uint32_t *", 77)
    events = ffi.new("ss_plugin_event ***")
    assert table.next_batch(state, ffi.NULL, count, events) == 1
    assert count[0] == 0
    assert ffi.string(table.get_last_error(ffi.NULL)) == b""
    table.destroy(ffi.NULL)


@pytest.mark.parametrize("entry", ["metrics", "progress", "event_to_string", "open", "init"])
def test_out_parameters_are_written_without_a_state(entry: str) -> None:
    from falcopy_sdk.abi import ffi
    from falcopy_sdk.runtime import _bridge

    table = ffi.cast("struct falcopy_bridge *", _bridge.table_address())
    number = ffi.new("uint32_t *", 77)
    rc = ffi.new("ss_plugin_rc *")
    if entry == "metrics":
        assert table.get_metrics(ffi.NULL, number) == ffi.NULL
        assert number[0] == 0
    elif entry == "progress":
        assert ffi.string(table.get_progress(ffi.NULL, ffi.NULL, number)) == b""
        assert number[0] == 0
    elif entry == "event_to_string":
        assert ffi.string(table.event_to_string(ffi.NULL, ffi.NULL)) == b""
    elif entry == "open":
        assert table.open(ffi.NULL, ffi.NULL, rc) == ffi.NULL
        assert rc[0] == 1
    else:
        state = table.init(ffi.NULL, ffi.NULL, ffi.NULL, rc)
        assert state != ffi.NULL
        assert rc[0] == 1
        assert b"input" in ffi.string(table.get_last_error(state))
        table.destroy(state)
