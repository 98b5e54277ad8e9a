"""Wrong configurations and the sentence that their author gets."""

from dataclasses import InitVar, dataclass
from typing import Annotated, Any, Literal

import pytest

from falcopy_sdk import (
    DeclarationError,
    Length,
    Pattern,
    Range,
    Secret,
    init_schema,
    set_config,
)

from .refusals import KINDS_FIX, USER, acme, refusal


class Configs:
    @init_schema
    @dataclass
    class One:
        level: int

    @init_schema
    @dataclass
    class Two:
        level: int

    @init_schema
    class Plain:
        level: int


def takes_config(self, config): ...


def takes_text(self, config: str): ...


def takes_more(self, config, level: int): ...


def takes_keyword(self, *, config): ...


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            {"__init__": takes_text},
            "Acme.__init__: takes `config: str`, and the plugin declares no configuration. Fix: "
            "put @init_schema on a dataclass nested in the plugin class, or take only self.",
        ),
        (
            {"__init__": takes_more, "One": Configs.One},
            "Acme.__init__: takes (self, config, level: int), and is called with the "
            "configuration alone. "
            "Fix: write `def __init__(self, config: Config)` or `def __init__(self)`.",
        ),
        (
            {"__init__": takes_keyword, "One": Configs.One},
            "Acme.__init__: takes (self, config), and is called with the configuration alone. "
            "Fix: write `def __init__(self, config: Config)` or `def __init__(self)`.",
        ),
        (
            {"One": Configs.One},
            "Acme.__init__: does not take the configuration that Acme.One declares. "
            "Fix: write `def __init__(self, config: One)`.",
        ),
        (
            {"One": Configs.One, "Two": Configs.Two, "__init__": takes_config},
            "Acme.Two: is the second @init_schema of the plugin, after One. Fix: keep one of them.",
        ),
        (
            {"Plain": Configs.Plain, "__init__": takes_config},
            "Acme.Plain: is not a dataclass. Fix: put @dataclass under @init_schema.",
        ),
        (
            {"configure": set_config(lambda self, config: None)},
            "Acme.configure: @set_config takes a configuration, and the plugin declares none. "
            "Fix: declare it with @init_schema.",
        ),
    ],
)
def test_a_configuration_and_what_takes_it_go_together(attributes, message):
    assert refusal(acme(user=USER, **attributes)) == message


def test_init_schema_is_for_classes():
    with pytest.raises(DeclarationError) as caught:

        class Acme:
            @init_schema
            def config(self): ...

    assert str(caught.value) == (
        "Acme.config: @init_schema is not on a class. "
        "Fix: put it on a dataclass nested in the plugin class."
    )


NO_DEFAULT = object()
LIMITS_FIX = "Fix: use Range for numbers, Pattern for texts, Length for texts, lists and mappings."


@pytest.mark.parametrize(
    ("annotation", "default", "message"),
    [
        (complex, NO_DEFAULT, f"complex has no kind of JSON value. {KINDS_FIX}"),
        (Any, NO_DEFAULT, f"Any has no kind of JSON value. {KINDS_FIX}"),
        (list, NO_DEFAULT, f"list has no kind of JSON value. {KINDS_FIX}"),
        (dict[int, str], NO_DEFAULT, f"dict[int, str] has no kind of JSON value. {KINDS_FIX}"),
        (int | str, NO_DEFAULT, f"int | str is a union of several kinds. {KINDS_FIX}"),
        (
            Literal["a", None],
            NO_DEFAULT,
            "Literal['a', None] has choices other than texts, whole numbers and booleans. "
            "Fix: use those.",
        ),
        (
            Annotated[str, Range(min=1)],
            NO_DEFAULT,
            f"Range(min=1, max=None) does not apply to string. {LIMITS_FIX}",
        ),
        (
            Annotated[int, Pattern("x")],
            NO_DEFAULT,
            f"Pattern(regex='x') does not apply to integer. {LIMITS_FIX}",
        ),
        (
            Annotated[bool | None, Length(max=3)],
            NO_DEFAULT,
            f"Length(min=None, max=3) does not apply to boolean. {LIMITS_FIX}",
        ),
        (
            int,
            "3",
            "has a default of another type, str, than int. Fix: change one of them.",
        ),
        (
            Secret,
            "hunter2",
            "has a default of another type, str, than Secret. Fix: change one of them.",
        ),
        (InitVar[int], NO_DEFAULT, "is an InitVar. Fix: make it an ordinary field."),
    ],
)
def test_a_configuration_key_without_a_kind_of_value_is_refused(annotation, default, message):
    attributes = {"__annotations__": {"key": annotation}}
    if default is not NO_DEFAULT:
        attributes["key"] = default
    config = init_schema(dataclass(type("Config", (), attributes)))
    cls = acme(user=USER, Config=config, __init__=takes_config)
    assert refusal(cls) == f"Acme.Config.key: {message}"


def test_a_configuration_annotation_that_does_not_resolve_is_refused():
    config = init_schema(dataclass(type("Config", (), {"__annotations__": {"key": "Missing"}})))
    assert refusal(acme(user=USER, Config=config, __init__=takes_config)) == (
        "Acme.Config: has an annotation that cannot be resolved: name 'Missing' is not defined. "
        "Fix: define or import its names at the top of the module, outside TYPE_CHECKING."
    )


def test_a_configuration_that_holds_itself_is_refused():
    @init_schema
    @dataclass
    class Config:
        inner: "Config | None" = None

    cls = acme(user=USER, Config=Config, __init__=takes_config)
    assert refusal(cls) == (
        "Acme.Config.inner: holds itself: Config has no end. Fix: remove the cycle."
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Range(), "Range() has no limit; write Range(min=1), for example"),
        (lambda: Length(min=3, max=2), "Length(min=3, max=2) leaves no value"),
        (
            lambda: Pattern("("),
            "Pattern('(') is no regular expression: missing ), unterminated subpattern at "
            "position 0",
        ),
    ],
)
def test_an_impossible_limit_is_refused(make, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message follows
        make()
    assert str(caught.value) == message


def test_a_refusal_has_its_parts_for_tools():
    error = DeclarationError("Acme.user", "is wrong", "do it right")
    assert (error.where, error.problem, error.fix) == ("Acme.user", "is wrong", "do it right")
    assert str(error) == "Acme.user: is wrong. Fix: do it right."
