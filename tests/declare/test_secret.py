import copy
import json
import logging
import pickle
from dataclasses import asdict, dataclass

import orjson
import pytest

from falcopy_sdk import Secret

TEXT = "hunter2-SharedAccessKey"


def test_a_secret_is_revealed_only_on_request():
    assert Secret(TEXT).reveal() == TEXT


def test_a_secret_does_not_show_in_any_kind_of_printing(caplog):
    secret = Secret(TEXT)
    with caplog.at_level(logging.INFO):
        logging.getLogger("acme").info("token %s %r", secret, {"token": secret})
    shown = [
        str(secret),
        repr(secret),
        f"{secret} {secret!r} {secret:>5}",
        "%s" % secret,  # noqa: UP031 - one more way to print
        repr([secret]),
        caplog.text,
    ]
    assert not [text for text in shown if TEXT in text]
    assert f"{secret:>5}" == "  ***"


@pytest.mark.parametrize("dump", [json.dumps, orjson.dumps, pickle.dumps])
def test_a_secret_is_not_serialised(dump):
    with pytest.raises(TypeError) as caught:
        dump(Secret(TEXT))
    assert TEXT not in str(caught.value)


def test_a_secret_survives_copies_of_what_holds_it():
    @dataclass
    class Config:
        token: Secret

    config = Config(Secret(TEXT))
    assert asdict(config)["token"].reveal() == TEXT
    assert copy.deepcopy(config).token.reveal() == TEXT
    assert TEXT not in repr(config)


def test_secrets_compare_by_text_and_never_equal_a_string():
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1


def test_an_empty_secret_is_false():
    assert not Secret("")
    assert Secret("x")


def test_a_secret_holds_text_only():
    with pytest.raises(TypeError, match=r"^Secret holds str, not bytes$"):
        Secret(b"x")
