"""``ka.uri.param``: what Go's ``net/url`` makes of a request URI.

The expected values are those of url.Parse and url.ParseQuery (Go 1.26).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from k8saudit.goquery import query_parameters

from .audit_plugin import asking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .audit_plugin import Ask


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    with asking() as asked:
        yield asked


@pytest.mark.parametrize(
    ("uri", "value"),
    [
        ("/exec?command=ls&command=-l&stdin=true", "ls"),
        ("/exec?stdin=true&command=sh+-c%20id", "sh -c id"),
        ("/exec?%63ommand=ls", "ls"),
        ("/exec?command", ""),
        ("/exec?command=", ""),
        ("/exec?&&command=a=b&", "a=b"),
        ("/exec?command=%e6%97%a5\u672c", "\u65e5\u672c"),
        ("/exec?command=%ff!", "\ufffd!"),
        ("/exec?command=a%3Bb", "a;b"),
        ("/exec?command=a?b", "a?b"),
        ("?command=ls", "ls"),
        ("x/y:z?command=ls", "ls"),
        ("mailto:x?command=ls", "ls"),
        ("mailto:%zz?command=ls", "ls"),
        ("https://host:443/x?command=ls", "ls"),
        ("//user:p%20w@host/x?command=ls", "ls"),
        ("//h%C3%A9:/x?command=ls", "ls"),
        ("//[::1]:80/x?command=ls", "ls"),
        ("//[fe80::1%25en%20]/x?command=ls", "ls"),
        ("///x:y?command=ls", "ls"),
        ("/x?command=ls#a?command=b", "ls"),
        ("/x?command=\u0085", "\u0085"),
        ("/x#?command=ls", None),
        ("/exec?Command=ls", None),
        ("/exec?", None),
        ("/exec", None),
        ("", None),
    ],
)
def test_the_first_value_of_a_parameter(ask: Ask, uri: str, value: str | None) -> None:
    assert ask({"auditID": "x", "requestURI": uri}, "ka.uri.param[command]") == value


@pytest.mark.parametrize(
    "uri",
    [
        "/x?command=ls&bad=%zz",
        "/x?command=ls&%2",
        "/x?command=ls&%",
        "/x?command=ls&a;b=c",
        "/%zz?command=ls",
        "/x?command=ls#%zz",
        "/x\t?command=ls",
        "/x?command=ls\x7f",
        "a:?command=ls\n",
        ":x?command=ls",
        "1x:y?command=ls",
        "//host:port/x?command=ls",
        "//ho st/x?command=ls",
        "//h%41/x?command=ls",
        "//h\\/x?command=ls",
        "//u\\@host/x?command=ls",
        "//%zz@host/x?command=ls",
        "//[::1/x?command=ls",
        "//[::1]x/x?command=ls",
        "//[10.0.0.1]/x?command=ls",
        "//[::1%25]/x?command=ls",
        "//[::1%25%0a]/x?command=ls",
        "//[::1%20]/x?command=ls",
        "//h[::1]/x?command=ls",
    ],
)
def test_one_fault_anywhere_voids_every_parameter(ask: Ask, uri: str) -> None:
    assert ask({"auditID": "x", "requestURI": uri}, "ka.uri.param[command]") is None


@pytest.mark.parametrize(
    ("uri", "field", "value"),
    [
        ("/x?a=1&=2", 'ka.uri.param[""]', "2"),
        ('/x?a[]="1"', 'ka.uri.param["a[]"]', '"1"'),
        ("/x?0=zero", "ka.uri.param[0]", "zero"),
        (["/x?a=1"], "ka.uri.param[a]", '1"]'),
        ({"a": "?a=1"}, "ka.uri.param[a]", None),
        (None, "ka.uri.param[a]", None),
    ],
)
def test_odd_names_and_uris_that_are_no_strings(
    ask: Ask, uri: Any, field: str, value: str | None
) -> None:
    assert ask({"auditID": "x", "requestURI": uri}, field) == value


@given(st.text(alphabet=st.sampled_from("/?#&=;:@%+[]ab1. \t\u00e9"), max_size=24))
def test_any_text_is_refused_or_gives_texts(uri: str) -> None:
    parameters = query_parameters(uri)
    assert parameters is None or all(
        type(name) is str and type(value) is str for name, value in parameters.items()
    )
    if parameters and "#" not in uri and ":" not in uri and not uri.startswith("//"):
        assert "?" in uri


@given(
    st.lists(
        st.tuples(st.text(), st.text()).filter(all), max_size=4, unique_by=lambda pair: pair[0]
    )
)
def test_what_was_encoded_comes_back(pairs: list[tuple[str, str]]) -> None:
    def quoted(text: str) -> str:
        return "".join(f"%{byte:02X}" for byte in text.encode())

    query = "&".join(f"{quoted(name)}={quoted(value)}" for name, value in pairs)
    assert query_parameters(f"/x?{query}") == dict(pairs)
