"""Audit events that are not strict JSON: what clients can make an API server write is read."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from k8saudit import Rejected, records
from k8saudit.repair import REPLACED, SPELLED, repaired

from .audit_plugin import asking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .audit_plugin import Ask


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    with asking() as asked:
        yield asked


@pytest.mark.parametrize(
    ("text", "spelled", "replaced"),
    [
        (rb'"\ud800"', r"\ud800", "\ufffd"),
        (rb'"a\uDBFFb"', r"a\uDBFFb", "a\ufffdb"),
        (rb'"\udc00\n"', "\\udc00\n", "\ufffd\n"),
        (rb'"\ud800ud800"', r"\ud800ud800", "\ufffdud800"),
        # Two that are no pair: one character, or each for itself.
        (rb'"\ud800\u0041."', "\ufffd.", "\ufffdA."),
        (rb'"\ud800\ud801."', "\ufffd.", "\ufffd\ufffd."),
        (rb'"\udc00\ud800."', "\ufffd.", "\ufffd\ufffd."),
        (rb'"\ud83d\ud83d\ude00"', "\ufffd\\ude00", "\ufffd\U0001f600"),
        (rb'["\\ud800\ud83d\ude00",1e999]', ["\\ud800\U0001f600", "1e999"], None),
        (rb'"\\\ud800"', "\\\\ud800", "\\\ufffd"),
        (b'"\xff \xe6\x97 \xed\xa0\x80"', "\ufffd \ufffd\ufffd \ufffd\ufffd\ufffd", None),
        ('"\ud800 \udc00"', "\ufffd \ufffd", None),
        (b"1e999", "1e999", None),
        (b" [-1.5E+400,1e-999,1e308] ", ["-1.5E+400", 0.0, 1e308], None),
        (b"9" * 400, "9" * 400, None),
        (b"9" * 250 + b"e99", "9" * 250 + "e99", None),
        (b'{"1e999":1e999,"\\"":"1e999"}', {"1e999": "1e999", '"': "1e999"}, None),
        (rb'{"\ud800":1e999}', {r"\ud800": "1e999"}, {"\ufffd": "1e999"}),
    ],
)
def test_what_a_strict_reader_refuses_is_read_as_go_reads_it(
    text: bytes | str, spelled: Any, replaced: Any
) -> None:
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(text)
    assert repaired(text, SPELLED) == spelled
    assert repaired(text, REPLACED) == (spelled if replaced is None else replaced)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"NaN",
        b"[Infinity]",
        b"-inf",
        b'"\t\\ud800"',
        b'"\x00"',
        rb'"\q\ud800"',
        rb'"\ud80"',
        rb'"\ud800\u12"',
        b"01e999",
        b"--1e999",
        b"+1e999",
        b"1e999.5",
        b"1e9991e999",
        b"{1e999:1}",
        b"{1e999 \n:1}",
        b"{" + b"9" * 400 + b":1}",
        b'["a"1e999]',
        b"[1e999,]",
        b'{"a":1e999',
        b'"1e999',
        b'"1e999\\',
        b"\xef\xbb\xbf1e999",
        b"1e999\xff",
        b"[" * 1025 + b"1e999" + b"]" * 1025,
        b"[" * 1_000_000,
        b'"\\' * 500_000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_what_no_api_server_writes_stays_refused(text: bytes) -> None:
    for halves in (SPELLED, REPLACED):
        with pytest.raises(orjson.JSONDecodeError):
            repaired(text, halves)


def by_go(raw: list[str]) -> str:
    """A string of audit JSON, one character or escape an element, as the Go plugins unescape it."""
    found, left = "", list(raw)
    while left:
        part = left.pop(0)
        code = int(part[2:], 16) if part.startswith("\\u") else 0
        if not 0xD800 <= code < 0xE000:
            found += json.loads(f'"{part}"')
        elif left and left[0].startswith("\\u"):
            other = int(left.pop(0)[2:], 16)
            pair = code < 0xDC00 <= other < 0xE000
            found += chr(0x10000 + (code - 0xD800) * 0x400 + other - 0xDC00) if pair else "\ufffd"
        else:
            found += part
    return found


CODES = ("d800", "DBFF", "dc00", "DFFF", "0041", "e000")
PARTS = [*(rf"\u{code}" for code in CODES), r"\\", r"\"", r"\n", "u", "d800", "\u00e9"]


@given(st.lists(st.sampled_from(PARTS), max_size=9))
def test_every_row_of_escapes_reads_as_in_the_go_plugins(raw: list[str]) -> None:
    assert repaired(f'"{"".join(raw)}"', SPELLED) == by_go(raw)


def lenient(text: str) -> Any:
    """The same by another reader, with halves of pairs replaced; ValueError if it is no JSON."""

    def number(text: str) -> float | str:
        return text if math.isinf(float(text)) else float(text)

    def whole(text: str) -> int | float | str:
        return int(text) if len(text) < 19 else number(text)

    def refuse(name: str) -> None:
        raise ValueError(name)

    def text_of(value: Any) -> Any:
        return re.sub("[\ud800-\udfff]", "\ufffd", value) if isinstance(value, str) else value

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {text_of(name): clean(value) for name, value in pairs}

    def clean(value: Any) -> Any:
        return [clean(each) for each in value] if isinstance(value, list) else text_of(value)

    return clean(
        json.loads(
            text,
            parse_float=number,
            parse_int=whole,
            parse_constant=refuse,
            object_pairs_hook=members,
        )
    )


HALVES = (r"\ud800", r"\udfff", r"\u0041")
NUMBERS = ("1e999", "-1E400", "9" * 309, "5e-9", "7e08")
WORDS = ("true", "NaN", "Infinity", '"a"', '"k":', r'"\ud800"', "\t", "\u00e9")
TOKENS = st.sampled_from((*'{}[],:"\\ \n-.0', *HALVES, *NUMBERS, *WORDS))
LEAVES = st.sampled_from((r'"a\ud800"', r'"\udfff\ud800"', r'"\\ud800"', "0", "null", *NUMBERS[:4]))
NAMES = st.sampled_from(('"k"', r'"\ud801"', '"1e999"'))


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    members = st.lists(st.builds("{} : {}".format, NAMES, inner), max_size=3)
    return st.lists(inner, max_size=3).map(lambda parts: f"[{' , '.join(parts)}]") | members.map(
        lambda parts: f"{{{','.join(parts)}}}"
    )


NESTED = st.recursive(LEAVES, nested, max_leaves=8)


@given(st.lists(TOKENS, max_size=14).map("".join) | NESTED)
def test_the_same_is_read_and_refused_as_by_another_reader(text: str) -> None:
    try:
        expected = lenient(text)
    except ValueError:
        with pytest.raises(orjson.JSONDecodeError):
            repaired(text, REPLACED)
    else:
        assert repaired(text, REPLACED) == expected


HIDDEN = (
    b'{"kind":"Event","auditID":"x","stageTimestamp":"2024-05-01T12:34:56Z","verb":"patch",'
    b'"objectRef":{"resource":"configmaps","name":"a\xffb"},"requestObject":{"data":'
    b'{"half":"\\uD800","both":"\\udc00\\ud800","pair":"\\ud83d\\ude00"},"spec":{"hostPID":1e999,'
    b'"containers":[{"name":"\\udfff","image":"reg:5000/a\\ud800:1"}]}}}'
)
SAID = {
    "ka.verb": "patch",
    "ka.target.name": "a\ufffdb",
    "ka.req.configmap.obj": '{"half":"\\\\uD800","both":"\ufffd","pair":"\U0001f600"}',
    "ka.req.pod.host_pid": "1e999",
    "ka.req.pod.containers.name": ["\\udfff"],
    "ka.req.pod.containers.image.repository": ["reg:5000/a\\ud800"],
}


def test_no_byte_of_a_client_keeps_an_event_from_its_fields(ask: Ask) -> None:
    told: list[str] = []
    [event] = records(HIDDEN, on_repaired=lambda: told.append("repaired"))
    assert told == ["repaired"]
    assert orjson.loads(event.data) == event.json  # strict, for every reader there is
    # As a source gives it, and as a capture of a Go plugin has it.
    for data in (event.data, HIDDEN):
        assert {field: ask(data, field) for field in SAID} == SAID


def test_strict_json_is_not_said_to_be_repaired() -> None:
    told: list[str] = []
    rejected: list[Rejected] = []
    for payload in (b'{"kind":"Event","stageTimestamp":"2024-05-01T12:34:56Z"}', b"klog", b"{}"):
        list(
            records(
                payload,
                on_rejected=lambda reason, _: rejected.append(reason),
                on_repaired=lambda: told.append("repaired"),
            )
        )
    assert (told, rejected) == ([], [Rejected.NOT_JSON, Rejected.NOT_AUDIT])


def test_the_size_limit_is_about_what_the_host_gets() -> None:
    [event] = records(HIDDEN)
    assert list(records(HIDDEN, len(event.data)))
    assert list(records(HIDDEN, len(event.data) - 1, lambda *_: None)) == []
