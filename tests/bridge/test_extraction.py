"""What extract_fields gives a host, in every type and on every path."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import Any, ClassVar

import pytest

from falcopy_sdk import Event, decode, extract, plugin, source

ABOUT = {"version": "0.1.0", "description": "For tests", "contact": "https://example.org"}


@plugin(name="types", id=999, event_source="types", **ABOUT)
class Types:
    """One field of each type, as scalar and as list; values come from the event."""

    @source
    def events(self, params: str) -> Iterator[Event]:
        yield Event(params)

    @extract("t.text")
    def text(self, event: Event) -> str | None:
        """A text"""
        return event.json.get("text")

    @extract("t.number")
    def number(self, event: Event) -> int | None:
        """A number"""
        return event.json.get("number")

    @extract("t.flag")
    def flag(self, event: Event) -> bool | None:
        """A flag"""
        return event.json.get("flag")

    @extract("t.moment")
    def moment(self, event: Event) -> datetime | None:
        """A moment"""
        return datetime(1970, 1, 1, 0, 0, 1, 5, UTC)

    @extract("t.span")
    def span(self, event: Event) -> timedelta | None:
        """A span"""
        return timedelta(milliseconds=3)

    @extract("t.address")
    def address(self, event: Event) -> IPv4Address | IPv6Address | None:
        """An address"""
        text = event.json.get("address")
        return None if text is None else IPv6Address(text) if ":" in text else IPv4Address(text)

    @extract("t.network")
    def network(self, event: Event) -> IPv4Network:
        """A network"""
        return IPv4Network("10.1.0.0/16")

    @extract("t.texts")
    def texts(self, event: Event) -> list[str] | None:
        """Texts"""
        return event.json.get("texts")

    @extract("t.numbers")
    def numbers(self, event: Event) -> list[int]:
        """Numbers"""
        return event.json.get("numbers", [])

    @extract("t.key")
    def key(self, event: Event, key: str) -> str | None:
        """By key"""
        return event.json.get(key)

    @extract("t.index")
    def index(self, event: Event, index: int | None = None) -> str:
        """By index"""
        return "none" if index is None else str(index)

    path = extract.path("t.path", "a", "b", desc="By path")
    path_null = extract.path("t.path_null", "a", "b", desc="By path", null="null")
    path_number = extract.path("t.path_number", "a", "n", type=int, desc="By path")
    path_list = extract.path("t.path_list", "a", "l", type=list[str], desc="By path")


def value(opened: Any, event: str, field: str) -> Any:
    plugin_, instance = opened(Types, params=event)
    (found,) = instance.events(limit=1)
    return plugin_.extract(found, field)


@pytest.mark.parametrize(
    ("event", "field", "expected"),
    [
        ('{"text":"héllo"}', "t.text", "héllo"),
        ('{"text":""}', "t.text", ""),
        ('{"text":null}', "t.text", None),
        ('{"text":"a\\u0000b"}', "t.text", "a"),
        ('{"number":18446744073709551615}', "t.number", 2**64 - 1),
        ('{"number":-1}', "t.number", None),
        ('{"flag":false}', "t.flag", False),
        ('{"flag":true}', "t.flag", True),
        ("{}", "t.moment", 1_000_005_000),
        ("{}", "t.span", 3_000_000),
        ('{"address":"10.1.2.3"}', "t.address", IPv4Address("10.1.2.3")),
        ('{"address":"2001:db8::1"}', "t.address", IPv6Address("2001:db8::1")),
        ("{}", "t.network", IPv4Address("10.1.0.0")),
        ('{"texts":["a","","c"]}', "t.texts", ["a", "", "c"]),
        ('{"texts":[]}', "t.texts", None),
        ('{"texts":"abc"}', "t.texts", None),
        ('{"texts":["a",1]}', "t.texts", None),
        ('{"numbers":[1,2]}', "t.numbers", [1, 2]),
        ('{"k-1":"v"}', "t.key[k-1]", "v"),
        ("{}", "t.key[k]", None),
        ("{}", "t.index[7]", "7"),
        ("{}", "t.index[0]", "0"),
        ("{}", "t.index", "none"),
        ('{"a":{"b":"x"}}', "t.path", "x"),
        ('{"a":{"b":{"c":[1,null]}}}', "t.path", '{"c":[1,null]}'),
        ('{"a":{"b":true}}', "t.path", "true"),
        ('{"a":{"b":null}}', "t.path", None),
        ('{"a":{"b":null}}', "t.path_null", "null"),
        ('{"a":"x"}', "t.path", None),
        ("[1]", "t.path", None),
        ("not json", "t.path", None),
        ('{"a":{"n":5}}', "t.path_number", 5),
        ('{"a":{"n":"5"}}', "t.path_number", 5),
        ('{"a":{"n":-5}}', "t.path_number", None),
        ('{"a":{"n":true}}', "t.path_number", None),
        ('{"a":{"l":["x",{"y":1}]}}', "t.path_list", ["x", '{"y":1}']),
        ('{"a":{"l":"x"}}', "t.path_list", None),
    ],
)
def test_a_field_has_the_value_its_type_asks_for(
    opened: Any, event: str, field: str, expected: Any
) -> None:
    assert value(opened, event, field) == expected


def test_text_that_has_no_utf8_form_keeps_its_rest(opened: Any) -> None:
    @plugin(name="surrogates", id=999, event_source="surrogates", **ABOUT)
    class Surrogates:
        @source
        def events(self) -> Iterator[bytes]:
            yield b"{}"

        @extract("s.text")
        def text(self, event: Event) -> str:
            """Text"""
            return "a\ud800b"

    globals()["Surrogates"] = Surrogates
    Surrogates.__qualname__ = "Surrogates"
    plugin_, instance = opened(Surrogates)
    (event,) = instance.events(limit=1)
    assert plugin_.extract(event, "s.text") == "a?b"


def test_list_strings_stay_valid_while_the_list_grows(opened: Any) -> None:
    texts = [f"{i:04d}" + "x" * (i % 50) for i in range(5000)]
    event = '{"texts":["' + '","'.join(texts) + '"]}'
    assert value(opened, event, "t.texts") == texts


@plugin(name="offsets", id=999, event_source="offsets", api_version="3.11.0", **ABOUT)
class Offsets(Types):
    """Declares an API version in which hosts may ask for offsets."""


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 3000])
def test_offsets_are_sized_by_value_not_by_field(opened: Any, count: int) -> None:
    plugin_, instance = opened(Offsets, params='{"numbers":[' + ",".join(["1"] * count) + "]}")
    (event,) = instance.events(limit=1)
    found, offsets = plugin_.extract_with_offsets(event, "t.numbers")
    assert found == [1] * count
    assert offsets is not None
    assert list(offsets) == [(0, 0)] * count or offsets == [(0, 0)] * count


def test_a_plugin_below_api_3_11_does_not_touch_the_offsets(opened: Any) -> None:
    plugin_, instance = opened(Types, params='{"numbers":[1,2]}')
    (event,) = instance.events(limit=1)
    found, offsets = plugin_.extract_with_offsets(event, "t.numbers")
    assert found == [1, 2]
    assert not offsets


@plugin(name="counting", id=999, event_source="counting", **ABOUT)
class Counting:
    """Counts what is computed, and where."""

    calls: ClassVar[list[tuple[str, int, str]]] = []
    go_on: ClassVar[threading.Event] = threading.Event()

    @source
    def events(self) -> Iterator[Event]:
        yield Event(b'{"n":0}')
        self.go_on.wait(10)
        for i in range(1, 300):
            yield Event(b'{"n":%d}' % i)

    @extract("c.n")
    def n(self, event: Event) -> int:
        """Number"""
        self.calls.append(("n", event.json["n"], threading.current_thread().name))
        return event.json["n"]

    @extract("c.key")
    def key(self, event: Event, key: str) -> str:
        """Key"""
        self.calls.append((key, event.json["n"], threading.current_thread().name))
        return f"{key}{event.json['n']}"

    @extract("c.fresh", cache=False)
    def fresh(self, event: Event) -> int:
        """Never memoised"""
        self.calls.append(("fresh", event.json["n"], threading.current_thread().name))
        return len(self.calls)


@pytest.fixture
def counting(opened: Any) -> Any:
    Counting.calls.clear()
    Counting.go_on.clear()
    yield opened(Counting)
    Counting.go_on.set()


def test_a_field_is_computed_once_an_event_however_often_it_is_asked_for(counting: Any) -> None:
    plugin_, instance = counting
    (event,) = instance.events(limit=1)
    for _ in range(100):
        assert plugin_.extract(event, "c.n") == 0
        assert plugin_.extract(event, "c.key[a]") == "a0"
        assert plugin_.extract(event, "c.key[b]") == "b0"
    assert sorted(name for name, *_ in Counting.calls) == ["a", "b", "n"]


def test_what_has_been_asked_for_is_computed_ahead_by_the_source_thread(counting: Any) -> None:
    plugin_, instance = counting
    (event,) = instance.events(limit=1)
    plugin_.extract(event, "c.n")
    plugin_.extract(event, "c.key[a]")
    here = threading.current_thread().name
    assert {where for *_, where in Counting.calls} == {here}
    Counting.calls.clear()
    Counting.go_on.set()
    seen = []
    for event in instance.events(limit=299):
        seen.append(plugin_.extract(event, "c.n"))
        assert plugin_.extract(event, "c.key[a]") == f"a{seen[-1]}"
    assert seen == list(range(1, 300))
    assert len(Counting.calls) == 2 * 299
    assert here not in {where for *_, where in Counting.calls}


def test_a_field_that_opts_out_is_computed_every_time(counting: Any) -> None:
    plugin_, instance = counting
    (event,) = instance.events(limit=1)
    assert [plugin_.extract(event, "c.fresh") for _ in range(3)] == [1, 2, 3]


def test_an_event_from_elsewhere_is_extracted_too_and_memoised_by_its_number(
    counting: Any,
) -> None:
    plugin_, instance = counting
    (event,) = instance.events(limit=1)
    copy = event.copy()
    assert plugin_.extract(copy, "c.n") == 0
    assert plugin_.extract(copy, "c.n") == 0
    assert plugin_.extract(copy, "c.key[z]") == "z0"
    assert [name for name, *_ in Counting.calls] == ["n", "z"]


def test_an_event_without_a_number_is_never_memoised(start: Any) -> None:
    Counting.calls.clear()
    plugin_ = start(Counting)
    event = plugin_.event(b'{"n":7}', num=0)
    assert [plugin_.extract(event, "c.n") for _ in range(3)] == [7, 7, 7]
    assert len(Counting.calls) == 3


def test_more_pairs_than_can_be_learned_still_have_values(counting: Any) -> None:
    plugin_, instance = counting
    (event,) = instance.events(limit=1)
    for i in range(1100):
        assert plugin_.extract(event, f"c.key[k{i}]") == f"k{i}0"


@plugin(name="faulty", id=999, event_source="faulty", **ABOUT)
class Faulty:
    """Fields that fail in every way."""

    @source
    def events(self) -> Iterator[bytes]:
        for _ in range(5):
            yield b"{}"

    @extract("f.raises")
    def raises(self, event: Event) -> str:
        """Raises"""
        raise KeyError("missing")

    @extract("f.wrong")
    def wrong(self, event: Event) -> str:
        """Wrong type"""
        return 5  # type: ignore[return-value]

    @extract("f.exits")
    def exits(self, event: Event) -> str:
        """Exits"""
        raise SystemExit(3)

    @extract("f.recurses")
    def recurses(self, event: Event) -> str:
        """Recurses"""
        return self.recurses(event)

    @extract("f.good")
    def good(self, event: Event) -> str:
        """Good"""
        return "good"


def test_a_field_that_raises_has_no_value_and_is_logged_once(opened: Any, log: Any) -> None:
    plugin_, instance = opened(Faulty)
    events = 0
    for event in instance.events():
        events += 1
        for name in ("raises", "wrong", "exits", "recurses"):
            assert plugin_.extract(event, f"f.{name}") is None
        assert plugin_.extract(event, "f.good") == "good"
    assert events == 5
    warnings = log.texts("WARNING")
    assert len(warnings) == 4
    assert any("field f.raises has no value" in t and "KeyError: 'missing'" in t for t in warnings)
    assert any("field f.wrong: expected str, got int" in t for t in warnings)
    assert any("test_extraction.py:" in t for t in warnings)


@plugin(name="guarded", id=999, event_source="guarded", **ABOUT)
class Guarded:
    """Its decoder refuses events without an id."""

    @source
    def events(self) -> Iterator[bytes]:
        yield b'{"id":1}'
        yield b'{"other":1}'
        yield b"\xff"

    @decode
    def decode(self, data: bytes) -> dict[str, Any] | None:
        if data == b"\xff":
            raise ValueError("not ours")
        return {"id": "one"} if b'"id"' in data else None

    id = extract.path("g.id", "id", desc="By path")

    @extract("g.constant")
    def constant(self, event: Event) -> str:
        """Constant"""
        return "constant"


def test_an_event_that_the_decoder_refuses_has_no_field_at_all(opened: Any, log: Any) -> None:
    plugin_, instance = opened(Guarded)
    found = [
        (plugin_.extract(event, "g.id"), plugin_.extract(event, "g.constant"))
        for event in instance.events()
    ]
    assert found == [("one", "constant"), (None, None), (None, None)]
    assert any("cannot be decoded" in text and "not ours" in text for text in log.texts())


def test_logging_in_a_field_reaches_the_host(opened: Any, log: Any) -> None:
    @plugin(name="talkative", id=999, event_source="talkative", **ABOUT)
    class Talkative:
        @source
        def events(self) -> Iterator[bytes]:
            logging.getLogger("mine").warning("from the source")
            yield b"{}"

        @extract("k.x")
        def x(self, event: Event) -> str:
            """X"""
            logging.getLogger("mine").warning("from the field")
            return "x"

    globals()["Talkative"] = Talkative
    Talkative.__qualname__ = "Talkative"
    plugin_, instance = opened(Talkative)
    (event,) = instance.events(limit=1)
    plugin_.extract(event, "k.x")
    assert log.texts("WARNING") == ["from the source", "from the field"]
