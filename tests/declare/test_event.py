from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType

import orjson
import pytest

from falcopy_sdk import Batch, Event, EventDecodeError

NANOSECONDS = 1_700_000_000_123_456_000
MOMENT = datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "data"),
    [
        (b"raw \xff", b"raw \xff"),
        (bytearray(b"raw"), b"raw"),
        ("größe", "größe".encode()),
        ({"a": [1, None]}, b'{"a":[1,null]}'),
        (MappingProxyType({"a": 1}), b'{"a":1}'),
        ([1, "x"], b'[1,"x"]'),
    ],
)
def test_data_becomes_bytes_at_once(given, data):
    event = Event(given)
    assert (event.data, type(event.data)) == (data, bytes)


def test_bytes_are_kept_without_a_copy():
    data = b"x" * 100
    assert Event(data).data is data


@pytest.mark.parametrize(
    "ts", [NANOSECONDS, MOMENT, MOMENT.astimezone(timezone(timedelta(hours=5)))]
)
def test_a_time_is_nanoseconds_since_1970_to_the_microsecond(ts):
    assert Event(b"", ts).ts == NANOSECONDS


def test_no_time_means_the_clock_of_the_host():
    assert Event(b"").ts is None


def test_a_new_event_has_no_number_and_no_source():
    event = Event(b"x")
    assert (event.num, event.source) == (0, "")


@pytest.mark.parametrize(
    ("data", "ts", "kind", "message"),
    [
        (3, None, TypeError, "Event data is bytes, str, a mapping or a list, not int"),
        (
            b"",
            datetime(2023, 1, 1),
            ValueError,
            "Event ts is a naive datetime, so its time zone is unknown; "
            "use an aware one, such as datetime.now(UTC)",
        ),
        (b"", 1.5, TypeError, "Event ts is int (nanoseconds) or datetime, not float"),
        (b"", True, TypeError, "Event ts is int (nanoseconds) or datetime, not bool"),
        (b"", -1, ValueError, "Event ts -1 is outside 0 to 2**64-2 nanoseconds since 1970"),
        (
            b"",
            2**64 - 1,
            ValueError,
            "Event ts 18446744073709551615 is outside 0 to 2**64-2 nanoseconds since 1970",
        ),
        (
            b"",
            datetime(1969, 12, 31, tzinfo=UTC),
            ValueError,
            "Event ts -86400000000000 is outside 0 to 2**64-2 nanoseconds since 1970",
        ),
    ],
)
def test_what_is_no_event_is_refused_with_the_reason(data, ts, kind, message):
    with pytest.raises(kind) as caught:
        Event(data, ts)
    assert str(caught.value) == message


class CountingDecoder:
    def __init__(self):
        self.calls = 0

    def __call__(self, data):
        self.calls += 1
        return orjson.loads(data)


def test_json_is_decoded_once_and_only_when_asked_for():
    decode = CountingDecoder()
    event = Event.received(b'{"a":1}', 5, 7, "acme", decode)
    assert decode.calls == 0
    assert event.json is event.json
    assert (event.json, decode.calls) == ({"a": 1}, 1)
    assert (event.ts, event.num, event.source) == (5, 7, "acme")


def test_json_that_decodes_to_null_is_decoded_once_as_well():
    decode = CountingDecoder()
    event = Event.received(b"null", None, 1, "", decode)
    assert (event.json, event.json, decode.calls) == (None, None, 1)


def test_a_payload_that_does_not_decode_says_so_each_time_but_is_tried_once():
    decode = CountingDecoder()
    event = Event.received(b"secret{", None, 1, "", decode)
    texts = set()
    for _ in range(2):
        with pytest.raises(EventDecodeError) as caught:
            _ = event.json
        texts.add(str(caught.value))
    assert decode.calls == 1
    (text,) = texts
    assert text.startswith("the event's payload is not decodable: JSONDecodeError: ")
    assert "secret" not in text


def test_a_source_that_has_decoded_already_hands_over_the_object():
    decoded = {"a": 1}
    assert Event(b'{"a":1}', json=decoded).json is decoded
    assert Event(b"null", json=None).json is None


def test_a_mapping_as_data_is_decoded_anew_so_that_a_replay_sees_the_same():
    assert Event({"at": MOMENT}).json == {"at": "2023-11-14T22:13:20.123456+00:00"}


def test_events_have_slots_only():
    with pytest.raises(AttributeError):
        Event(b"").other = 1  # type: ignore[attr-defined]


def test_the_representation_of_an_event_does_not_show_its_payload():
    assert repr(Event(b"password", 3)) == "Event(8 bytes, ts=3, num=0, '')"


def test_a_batch_keeps_events_and_callback():
    def delivered():
        pass

    batch = Batch((Event(b"a"), b"b", "c"), delivered=delivered)
    assert [type(event) for event in batch.events] == [Event, bytes, str]
    assert batch.delivered is delivered
    assert Batch([]).events == []


@pytest.mark.parametrize(
    ("events", "delivered", "message"),
    [
        (Event(b""), None, "Batch takes a list of events, not one Event"),
        (b"abc", None, "Batch takes a list of events, not one bytes"),
        ([], 3, "Batch(delivered=...) is not callable: int"),
    ],
)
def test_what_is_no_batch_is_refused_with_the_reason(events, delivered, message):
    with pytest.raises(TypeError) as caught:
        Batch(events, delivered)
    assert str(caught.value) == message
